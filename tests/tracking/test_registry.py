import json
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sem3d.errors import UserError
from sem3d.runs.checkpoint_files import problem, read_state, write_checkpoint
from sem3d.runs.stored_run import stored_experiment
from sem3d.sweeps.publish import publish
from sem3d.sweeps.records import SweepRecord, TrialRecord, sweep_folder, write_record, write_sweep
from sem3d.tracking.registry import CARD, crown, is_model_uri, register, resolve
from sem3d.tracking.store import LockedStore, store_client

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning:mlflow.*")


OLD_SETTINGS = {"optim.lr": 0.1, "run.tracking_uri": "http://user:hunter2@host:5000", "init": "scratch"}


NAME = "sem3d-semantic_segmentation_2d"


def registered_champion(client, name: str, *given) -> str:
    """The version of a registered checkpoint that is made the champion."""
    version = register(client, name, *given)
    crown(client, name, version)
    return version


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A storage folder, a client of its store, and a run with one registered model, ``toy`` version 1."""
    storage = tmp_path_factory.mktemp("storage")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store = LockedStore(storage)
        client = store_client(store.uri)
        run_id = client.create_run(store.experiment_id(client, "sem3d")).info.run_id
        assert registered_champion(client, "toy", checkpoint(storage / "first", 1.0), run_id, "# card", "short") == "1"
        yield storage, client, run_id


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def checkpoint(folder: Path, value: float) -> Path:
    """A checkpoint of one tensor, with an optimiser's state beside it."""
    state = {"step": 7, "method": "toy:Toy", "counters": {}, "experiment": {"optim.lr": 0.1}}
    optimizer = {"main": {"state": {0: {"average": torch.zeros(3)}}, "param_groups": []}}
    write_checkpoint(folder, {"weight": torch.full((3,), value)}, optimizer, state)
    return folder


def test_a_registered_checkpoint_comes_back_with_its_checksums_and_without_its_optimiser(registered):
    storage, client, _ = registered
    folder = resolve("models:/toy@champion", storage)
    assert problem(folder) is None
    assert {path.name for path in folder.iterdir()} == {"weights.safetensors", "state.json", "manifest.json"}
    assert torch.equal(load_file(folder / "weights.safetensors")["weight"], torch.ones(3))
    assert resolve("models:/toy/1", storage) == folder
    version = client.get_model_version("toy", "1")
    assert version.description == "short"
    artifacts = client.list_artifacts(version.run_id, version.tags["sem3d.folder"])
    assert any(item.path.endswith(CARD) for item in artifacts)


def test_the_password_of_an_old_checkpoint_goes_no_further(registered, tmp_path):
    storage, client, run_id = registered
    state = {"step": 7, "method": "pri3d", "counters": {}, "experiment": OLD_SETTINGS}
    optimizer = {"main": {"state": {}, "param_groups": []}}
    write_checkpoint(storage / "old", {"weight": torch.full((3,), 8.0)}, optimizer, state)
    assert "hunter2" in (storage / "old" / "state.json").read_text()
    assert read_state(storage / "old")["experiment"] == OLD_SETTINGS | {"run.tracking_uri": "http://host:5000"}
    assert "hunter2" not in repr(stored_experiment(storage / "old"))
    registered_champion(client, "old", storage / "old", run_id, "# card", "short")
    folder = resolve("models:/old@champion", storage)
    assert problem(folder) is None
    assert read_state(folder)["experiment"]["optim.lr"] == 0.1
    artifacts = client.download_artifacts(
        run_id, client.get_model_version("old", "1").tags["sem3d.folder"], str(tmp_path)
    )
    for place in (folder, Path(artifacts), storage / "mlruns", *storage.glob("*.db")):
        for path in [place] if place.is_file() else place.rglob("*"):
            assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


def test_fetches_of_one_model_at_once_take_nothing_from_each_other(registered, tmp_path):
    storage, client, run_id = registered
    register(client, "crowded", checkpoint(storage / "crowded", 4.0), run_id, "# card", "short")
    shutil.rmtree(storage / "models", ignore_errors=True)

    def fetch(_) -> tuple[int, float]:
        folder = resolve("models:/crowded/1", storage)
        return folder.stat().st_ino, float(load_file(folder / "weights.safetensors")["weight"][0])

    with ThreadPoolExecutor(4) as fetchers:
        met = list(fetchers.map(fetch, range(4)))
    assert len(set(met)) == 1
    assert met[0][1] == 4.0
    damaged = resolve("models:/crowded/1", storage) / "weights.safetensors"
    damaged.write_bytes(b"cut")
    assert fetch(0)[1] == 4.0


def test_the_same_weights_are_registered_once_and_the_alias_moves_to_others_and_back(registered):
    storage, client, run_id = registered
    assert registered_champion(client, "again", checkpoint(storage / "a", 2.0), run_id, "# card", "before") == "1"
    assert registered_champion(client, "again", storage / "a", run_id, "# card of today", "now") == "1"
    assert client.get_model_version("again", "1").description == "now"
    assert registered_champion(client, "again", checkpoint(storage / "b", 3.0), run_id, "# card", "better") == "2"
    assert torch.equal(
        load_file(resolve("models:/again@champion", storage) / "weights.safetensors")["weight"], torch.full((3,), 3.0)
    )
    assert registered_champion(client, "again", storage / "a", run_id, "# card", "back") == "1"
    assert torch.equal(
        load_file(resolve("models:/again@champion", storage) / "weights.safetensors")["weight"], torch.full((3,), 2.0)
    )


def test_a_damaged_copy_is_fetched_again_and_exchanged_artifacts_are_refused(registered):
    storage, client, run_id = registered
    registered_champion(client, "safe", checkpoint(storage / "safe", 4.0), run_id, "# card", "short")
    folder = resolve("models:/safe@champion", storage)
    (folder / "weights.safetensors").write_bytes(b"damaged")
    assert problem(resolve("models:/safe@champion", storage)) is None
    version = client.get_model_version("safe", "1")
    stored = storage / "artifacts" / run_id / "artifacts" / version.tags["sem3d.folder"]
    other = checkpoint(storage / "forged", 5.0)
    for name in ("weights.safetensors", "state.json"):
        shutil.copyfile(other / name, stored / name)
    listed = json.loads((other / "manifest.json").read_text())
    listed["files"] = {name: listed["files"][name] for name in ("weights.safetensors", "state.json")}
    (stored / "manifest.json").write_text(json.dumps(listed))
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="not those that were registered"):
        resolve("models:/safe@champion", storage)
    assert not list((storage / "models").glob(".fetching-*"))


def test_a_model_that_sem3d_did_not_register_is_not_opened(registered, tmp_path: Path):
    storage, client, run_id = registered

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Trap()))
    client.log_artifact(run_id, str(tmp_path / "model.pkl"), "foreign")
    client.create_registered_model("foreign")
    client.create_model_version("foreign", f"{client.get_run(run_id).info.artifact_uri}/foreign", run_id)
    with pytest.raises(UserError, match="was not registered by sem3d"):
        resolve("models:/foreign/1", storage)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("models:/toy", "names no model"),
        ("models:/../../etc@champion", "names no model"),
        ("models:/toy/latest", "names no model"),
        ("models:/toy@nobody", "cannot be fetched"),
        ("models:/nothing/1", "cannot be fetched"),
    ],
)
def test_a_wrong_name_is_an_error_on_one_line(registered, uri, words):
    with pytest.raises(UserError, match=words) as raised:
        resolve(uri, registered[0])
    assert "\n" not in str(raised.value)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path):
    with pytest.raises(UserError, match="no MLflow store at"):
        resolve("models:/toy@champion", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert is_model_uri("models:/toy@champion")
    assert not is_model_uri("runs/models")


@pytest.mark.slow
def test_the_champion_of_real_trials_is_evaluated_by_its_name(rooms: Path, tmp_path: Path, monkeypatch, capsys):
    from jobs import evaluate
    from sem3d.training.ray.launch import train
    from tests.methods.tiny import tiny_experiment

    name = "semantic_segmentation_2d"
    result = train(name, tiny_experiment(name, rooms, tmp_path, run__workers=0), say=lambda line: None)
    store = LockedStore(tmp_path)
    client = store_client(store.uri)
    parent = client.create_run(store.experiment_id(client, "sem3d")).info.run_id
    folder = sweep_folder(tmp_path, "tiny")
    sweep = SweepRecord(
        name="tiny", space="pri3d", metric="miou_scannet", mode="max", arms=["scratch"], budgets=[1.0], seeds=[0]
    )
    write_sweep(folder, replace(sweep, mlflow_run_id=parent))
    trial = TrialRecord(key="only", method=name, arm="scratch", budget=1.0, seed=0, metrics=result.metrics)
    places = {"run_folder": str(result.run_folder), "checkpoint": str(result.checkpoint_last)}
    write_record(folder, replace(trial, mlflow_run_id=result.mlflow_run_id, **places))
    assert f"champion   models:/{NAME}@champion (version 1)" in publish(folder)
    description = client.get_model_version(NAME, "1").description
    assert client.get_run(result.mlflow_run_id).data.tags["git_revision"] in description
    assert str(rooms) in description
    monkeypatch.setattr(
        sys, "argv", ["evaluate", "models:/sem3d-semantic_segmentation_2d@champion", "--run.storage", str(tmp_path)]
    )
    evaluate.main()
    printed = capsys.readouterr().out
    assert f"{100 * result.metrics['miou_scannet']:.3f}" in printed
    assert "IoU by class (%)" in printed
