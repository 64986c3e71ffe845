"""A password of the tracking URI reaches the store and nothing that stays."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from sem3d.tracking.store import LockedStore, store_client
from tests.jobs import test_sixth_method as sixth
from tests.tracking.guard import guarded
from tests.tracking.mlflow_server import Server

PASSWORD = "hunter2"


@pytest.mark.slow
def test_a_password_reaches_the_store_from_every_process_and_is_in_no_file_page_or_line(tmp_path: Path):
    tree, logs = sixth.project(tmp_path), Path(tempfile.mkdtemp(prefix="rs-", dir="/tmp"))
    server = Server(tmp_path)
    try:
        server.start()
        with guarded(server.port, "user", PASSWORD) as guard:
            address = f"http://user:{PASSWORD}@127.0.0.1:{guard.port}"
            given = '__import__("os").environ["MLFLOW_TRACKING_URI"]'  # Ray keeps the command of a process
            commands = sixth.COMMANDS.replace(
                '"first"]', f'"first", "--run.workers", "1", "--run.tracking-uri", {given}]'
            )
            around = sixth.environment(tree) | {"MLFLOW_TRACKING_URI": address, "RAY_TMPDIR": str(logs)}
            done = sixth.played(tree, around, commands)
            around["MLFLOW_TRACKING_URI"] = address.replace(PASSWORD, "other-hunter2")
            refused = sixth.played(tree, around, sixth.START + 'command(evaluate.main, "models:/sem3d-sixth@champion")')
        said = done.stdout + done.stderr + refused.stdout + refused.stderr
        assert done.returncode == 0, said[-3000:]
        assert f"http://127.0.0.1:{guard.port}" in done.stdout
        assert "it refuses the user, password or token that are set" in said
        assert guard.let_in > 20
        client = store_client(server.uri)
        experiment = client.get_experiment_by_name("sem3d").experiment_id
        names = {run.info.run_name: run for run in client.search_runs([experiment])}
        assert "train/loss" in names["first"].data.metrics
        assert names["sweep"].info.status == names["first"].info.status == "FINISHED"
        server.kill()
        printed_commands = [line for line in said.splitlines() if not line.startswith("$ ")]
        assert not [line for line in printed_commands if PASSWORD in line]
        for place in (tree / "runs", tmp_path / "artifacts", tmp_path / "server.db", tmp_path / "server.log", logs):
            files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
            assert files, place
            assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    finally:
        server.kill()
        shutil.rmtree(logs, ignore_errors=True)


def test_the_login_of_one_server_is_not_sent_to_another(tmp_path: Path, monkeypatch):
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    with guarded(9, "user", PASSWORD) as guard, guarded(9, "user", PASSWORD) as other:
        address = f"http://user:{PASSWORD}@127.0.0.1:{guard.port}"
        store_client(address)
        assert os.environ["MLFLOW_TRACKING_PASSWORD"] == PASSWORD
        assert LockedStore(tmp_path, f"http://127.0.0.1:{guard.port}").uri.whole == address
        store_client(f"http://127.0.0.1:{other.port}")
        assert "MLFLOW_TRACKING_PASSWORD" not in os.environ
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert LockedStore(tmp_path).uri == f"http://127.0.0.1:{guard.port}"
        assert LockedStore(tmp_path).uri.whole == address


def test_runs_and_sweeps_whose_names_have_quotes_are_runs_of_their_own(tmp_path: Path, monkeypatch):
    from sem3d.tracking.parent_run import open_parent
    from sem3d.tracking.run import open_run
    from tests.training.toy_method import toy_experiment

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    names = ("its", "it's", 'it"s', "it%27s", "it`s", "it\\", "Its")
    found = {}
    for name in names:
        (tmp_path / name).mkdir()
        found[name] = (
            open_run(toy_experiment(tmp_path), tmp_path / name, {})[1],
            open_parent(tmp_path, "", "sem3d", name, {})[1],
        )
    assert len({run for pair in found.values() for run in pair}) == 2 * len(names)
    for name in names:
        assert open_run(toy_experiment(tmp_path), tmp_path / name, {})[1] == found[name][0]
        assert open_parent(tmp_path, "", "sem3d", name, {})[1] == found[name][1]
