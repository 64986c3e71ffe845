"""A sixth method is one file and one line: every job then does with it what it does with the others."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.jobs.local_head import ROOT

LINE = '    "sixth": "sem3d.methods.sixth:Sixth",\n'
START = textwrap.dedent(
    """
    import sys
    from jobs import evaluate, predict, report, train, tune

    def command(main, *arguments):
        print("$", main.__module__, *arguments, flush=True)
        sys.argv = [main.__module__, *arguments]
        main()

    """
)
COMMANDS = START + textwrap.dedent(
    """
    data, store = ["--data.root", "numbers"], ["--storage", "runs"]
    run = ["sixth", "--preset", "laptop", *data, "--run.storage", "runs", "--run.name", "first"]
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


def played(tree: Path, around: dict[str, str], commands: str) -> subprocess.CompletedProcess:
    """Runs jobs one after the other."""
    command = [sys.executable, "-c", commands]
    return subprocess.run(command, cwd=tree, env=around, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
def test_a_sixth_method_is_a_file_and_a_line(tmp_path: Path):
    tree = project(tmp_path)
    done = played(tree, environment(tree), COMMANDS)
    said = done.stdout
    assert done.returncode == 0, said[-2000:] + done.stderr[-3000:]
    assert "evaluation at step 4" in said
    assert f"already finished: {tree / 'runs' / 'first'}" in said
    assert "answer     " in said
    assert "models:/sem3d-sixth@champion" in said
    assert (tree / "runs" / "sweeps" / "sweep" / "report" / "report.html").is_file()
    assert said.count("error") >= 3
