"""A password of the tracking URI reaches the store and nothing that stays."""

import os
from pathlib import Path

from sem3d.tracking.store import LockedStore, store_client
from tests.tracking.guard import guarded

PASSWORD = "hunter2"


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
