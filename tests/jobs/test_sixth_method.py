"""A sixth method is one file and one line: every job then does with it what it does with the others, here behind a login.

The password reaches the store from every process, and nothing that stays.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sem3d.tracking.store import store_client
from tests.jobs.local_head import ROOT
from tests.tracking.guard import guarded
from tests.tracking.mlflow_server import Server
from tests.warm_process import WarmProcess

PASSWORD = "hunter2"
LINE = '    "sixth": "sem3d.methods.sixth:Sixth",\n'
COMMANDS = textwrap.dedent(
    """
    import os, sys
    from jobs import evaluate, predict, report, train, tune

    def command(main, *arguments):
        print("$", main.__module__, *arguments, flush=True)
        sys.argv = [main.__module__, *arguments]
        main()

    data, store = ["--data.root", "numbers"], ["--storage", "runs"]
    run = ["sixth", "--preset", "laptop", *data, "--run.storage", "runs", "--run.name", "first", "--run.workers", "1"]
    run += ["--run.tracking-uri", os.environ["MLFLOW_TRACKING_URI"]]
    command(train.main, *run)
    command(train.main, *run)
    command(evaluate.main, "runs/first")
    command(predict.main, "sixth", "--run", "runs/first", "--image", "two.txt", "--out", "answer.txt", *store)
    command(tune.main, "sixth", *data, *store, "--seeds", "1", "--probe-steps", "0", "--name", "sweep")
    command(report.main, "runs/sweeps/sweep")
    command(evaluate.main, "models:/sem3d-sixth@champion", "--run.storage", "runs")
    """
)


def project(folder: Path) -> Path:
    """The project with a sixth method, and its data; returns where."""
    tree = folder / "tree"
    for room in ("sem3d", "jobs", "tune_spaces"):
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests" / "contract" / "sixth.py", tree / "sem3d" / "methods" / "sixth.py")
    register = tree / "sem3d" / "methods" / "__init__.py"
    text = register.read_text()
    register.write_text(text.replace("METHODS = {\n", f"METHODS = {{\n{LINE}"))
    assert register.read_text().splitlines() == [
        *text.partition("METHODS = {\n")[0].splitlines(),
        "METHODS = {",
        LINE.rstrip(),
        *text.partition("METHODS = {\n")[2].splitlines(),
    ]
    (tree / "numbers").mkdir()
    (tree / "numbers" / "numbers.json").write_text(json.dumps([{"x": x / 8, "y": x / 4} for x in range(16)]))
    (tree / "two.txt").write_text("2.0")
    return tree


def environment(tree: Path) -> dict[str, str]:
    """The environment of its jobs."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
    return around | {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1", "RAY_AUTH_MODE": "disabled"}


def played(tree: Path, around: dict[str, str]) -> subprocess.CompletedProcess:
    """Runs jobs one after the other."""
    command = [sys.executable, "-c", COMMANDS]
    return subprocess.run(command, cwd=tree, env=around, capture_output=True, text=True, timeout=240)


def said_of_a_champion(tree: Path, around: dict[str, str]) -> str:
    """What the evaluation of the champion prints that is refused."""
    printed = tree / "refused.log"
    with printed.open("w") as file:
        champion = "models:/sem3d-sixth@champion"
        asked = WarmProcess("jobs.evaluate", champion, environment=around, folder=tree, output=file)
    assert asked.wait(240) == 2
    return printed.read_text()


@dataclass(frozen=True)
class Flow:
    """The whole flow behind a login, and where it left something."""

    tree: Path
    done: subprocess.CompletedProcess
    refused: str
    """What a command with another password says."""
    let_in: int
    server: str
    places: tuple[Path, ...]
    """Everything that stays: files of runs, of the server, and of Ray."""


@pytest.fixture(scope="module")
def flow(quick_workers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    folder = tmp_path_factory.mktemp("sixth")
    tree, logs = project(folder), Path(tempfile.mkdtemp(prefix="rs-", dir="/tmp"))
    server = Server(folder)
    try:
        server.start()
        with guarded(server.port, "user", PASSWORD) as guard:
            address = f"http://user:{PASSWORD}@127.0.0.1:{guard.port}"
            around = environment(tree) | {"MLFLOW_TRACKING_URI": address, "RAY_TMPDIR": str(logs)}
            done = played(tree, around)
            around["MLFLOW_TRACKING_URI"] = address.replace(PASSWORD, f"other-{PASSWORD}")
            refused = said_of_a_champion(tree, around)
            assert f"http://127.0.0.1:{guard.port}" in done.stdout, done.stdout[-2000:] + done.stderr[-3000:]
        places = (tree / "runs", folder / "artifacts", folder / "server.db", folder / "server.log", logs)
        yield Flow(tree, done, refused, guard.let_in, server.uri, places)
    finally:
        server.kill()
        shutil.rmtree(logs, ignore_errors=True)


@pytest.mark.slow
def test_a_sixth_method_is_a_file_and_a_line(flow: Flow):
    said = flow.done.stdout
    assert flow.done.returncode == 0, said[-2000:] + flow.done.stderr[-3000:]
    assert "evaluation at step 4" in said
    assert f"already finished: {flow.tree / 'runs' / 'first'}" in said
    assert "answer     " in said
    assert "models:/sem3d-sixth@champion" in said
    assert (flow.tree / "runs" / "sweeps" / "sweep" / "report" / "report.html").is_file()
    assert said.count("error") >= 3


@pytest.mark.slow
def test_a_password_reaches_the_store_from_every_process_and_is_in_no_file_page_or_line(flow: Flow):
    assert "it refuses the user, password or token that are set" in flow.refused
    assert flow.let_in > 20
    client = store_client(flow.server)
    experiment = client.get_experiment_by_name("sem3d").experiment_id
    names = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert "train/loss" in names["first"].data.metrics
    assert names["sweep"].info.status == names["first"].info.status == "FINISHED"
    said = flow.done.stdout + flow.done.stderr + flow.refused
    assert not [line for line in said.splitlines() if PASSWORD in line and not line.startswith("$ ")]
    for place in flow.places:
        files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
        assert files, place
        assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
