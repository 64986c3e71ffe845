"""``ray job submit`` from a fresh clone to a local head that asks for a token, and ``ray job stop``."""

import json
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sem3d.doctor.authentication import authentication
from sem3d.doctor.ray_cluster import cluster
from sem3d.runs.checkpoint_files import read_state
from sem3d.sweeps.records import read_trials, sweep_folder
from tests.jobs.local_head import LocalHead, fresh_clone, local_head
from tests.methods.tiny import EVERYWHERE, TINY

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose training loop speaks a little differently, beside big things that must stay at home."""
    folder = fresh_clone(tmp_path_factory.mktemp("clone"))
    loop = folder / "sem3d" / "training" / "loop.py"
    text = loop.read_text()
    assert text.count('f"done: ') == 1
    loop.write_text(text.replace('f"done: ', 'f"done, by the code that was handed in: '))
    for name in ("runs/old/weights.safetensors", ".venv/lib/big.so", "scans/scene.sens", "mlflow.db"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as file:
            file.truncate(200 * 2**20)
    return folder


@pytest.fixture(scope="module")
def head(quick_workers: None) -> Iterator[LocalHead]:
    with local_head(RAY_JOB_STOP_WAIT_TIME_S="60") as running:
        yield running


def flags(settings: dict[str, object]) -> list[str]:
    """Dotted leaves as a command line."""
    words: list[str] = []
    for name, value in settings.items():
        head, _, leaf = name.rpartition(".")
        if isinstance(value, bool):
            words.append(f"--{head}.{'' if value else 'no-'}{leaf}" if head else f"--{'' if value else 'no-'}{leaf}")
        else:
            words += [f"--{name}", *(str(item) for item in (value if isinstance(value, tuple) else (value,)))]
    return words


def train_command(rooms: Path, storage: str, **changes: object) -> list[str]:
    """A tiny pretraining, as jobs/cluster.md writes the command."""
    settings = EVERYWHERE | TINY["pri3d"] | {leaf.replace("__", "."): value for leaf, value in changes.items()}
    places = ["--data.root", str(rooms), "--run.storage", storage]
    return ["python", "-m", "jobs.train", "pri3d", "--preset", "laptop", *places, *flags(settings)]


def submit(head: LocalHead, clone: Path, command: list[str], *options: str, **changes: str):
    return head.ray("job", "submit", "--working-dir", ".", *options, "--", *command, cwd=clone, **changes)


def runs_in(store: Path) -> dict[str, str]:
    """Status of each MLflow run by its name."""
    with sqlite3.connect(store) as database:
        return dict(database.execute("select name, status from runs"))


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)


def test_a_client_without_the_token_is_refused(head, clone):
    answer = submit(head, clone, ["python", "-V"], RAY_AUTH_MODE="disabled")
    assert answer.returncode != 0
    assert "token authentication is enabled" in answer.stdout + answer.stderr


def test_the_doctor_finds_the_head_and_what_it_wants(head, monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, head.environment[name])
    assert [finding.level for finding in authentication()] == ["ok"]
    assert [finding.level for finding in cluster(head.address)] == ["ok"]
    (found,) = cluster(head.gcs)
    assert found.level == "ok", found
    assert "nodes 1, CPUs 4" in found.found
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    (refused,) = cluster(head.address)
    assert refused.level == "FAIL"
    assert "RAY_AUTH_MODE=token" in refused.fix
    (refused,) = cluster(head.gcs)
    assert refused.level == "FAIL", refused
    assert "RAY_AUTH_MODE=token" in refused.fix


def test_a_job_from_a_fresh_clone_trains_with_the_code_that_was_handed_in(head, clone, indexed_rooms, tmp_path):
    answer = submit(head, clone, train_command(indexed_rooms, str(tmp_path), run__name="job"))
    log = answer.stdout + answer.stderr
    assert answer.returncode == 0, log
    assert "step 4/4" in log
    assert "done, by the code that was handed in: 4 steps" in log
    assert "Traceback" not in log
    assert f"run        {tmp_path / 'job'}" in log
    result = json.loads((tmp_path / "job" / "result.json").read_text())
    assert read_state(Path(result["checkpoint_last"]))["step"] == 4
    assert runs_in(tmp_path / "mlflow.db") == {"job": "FINISHED"}


def test_a_relative_storage_is_refused_in_a_job_or_taken_from_the_shared_folder(head, clone, indexed_rooms):
    answer = submit(head, clone, train_command(indexed_rooms, "runs"))
    assert answer.returncode != 0
    assert "error: run.storage 'runs' is relative and this is a Ray job" in answer.stdout + answer.stderr


def test_a_stopped_job_leaves_a_checkpoint_of_its_last_step(head, clone, indexed_rooms, tmp_path):
    run_folder = tmp_path / "stopped"
    command = train_command(
        indexed_rooms, str(tmp_path), run__name="stopped", schedule__steps=5000, run__checkpoint_every=5000
    )
    options = ("--no-wait", "--submission-id", "to-be-stopped")
    assert submit(head, clone, command, *options).returncode == 0
    log = run_folder / "progress.log"
    wait_until(lambda: log.is_file() and "step 2/" in log.read_text(), 300, "the second step")
    assert not list(run_folder.glob("checkpoints/step-*"))
    answer = head.ray("job", "stop", "to-be-stopped")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "Job 'to-be-stopped' was stopped" in answer.stdout + answer.stderr
    last = max(run_folder.glob("checkpoints/step-*"))
    assert f"step {read_state(last)['step']}/" in log.read_text()
    assert runs_in(tmp_path / "mlflow.db") == {"stopped": "KILLED"}
    assert not (run_folder / "result.json").exists()


def test_the_sweep_of_the_readme_made_small_runs_as_a_job_from_a_fresh_clone(head, clone, tmp_path):
    steps = {"schedule.steps": 2, "run.checkpoint_every": 2}
    words = leaf_values(EVERYWHERE | TINY["semantic_segmentation_2d"] | steps)
    words += [f"pretrain.{word}" for word in leaf_values(EVERYWHERE | TINY["pri3d"] | steps)]
    command = shlex.split(
        "python -m jobs.tune pri3d --arms scratch pri3d --budgets 0.2 --seeds 1 --probe-steps 1 --name small"
        f" --storage {tmp_path} --rooms.rooms-train 2 --rooms.rooms-val 1 --rooms.frames-per-room 8 --rooms.point-spacing 0.05"
    )
    answer = submit(head, clone, [*command, "--set", *words])
    log = answer.stdout + answer.stderr
    assert answer.returncode == 0, log
    trials = read_trials(sweep_folder(tmp_path, "small"))
    assert sorted((trial.arm, trial.budget) for trial in trials) == [("pri3d", 0.2), ("scratch", 0.2)]
    assert {trial.status for trial in trials} == {"finished"}
    assert set(runs_in(tmp_path / "mlflow.db").values()) == {"FINISHED"}
    assert "estimate: " in log
    report = sweep_folder(tmp_path, "small") / "report"
    assert "scratch" in (report / "report.html").read_text()
    assert (report / "budget_curve.png").stat().st_size > 5000
    assert "models:/sem3d-semantic_segmentation_2d@champion" in log


def leaf_values(settings: dict[str, object]) -> list[str]:
    """Dotted leaves as ``leaf=value``; ``init`` is what a sweep compares."""
    words = {name: " ".join(map(str, value)) if isinstance(value, tuple) else value for name, value in settings.items()}
    return [f"{name}={value}" for name, value in words.items() if name != "init"]
