import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from sem3d.errors import UserError
from sem3d.runs import checkpoint_files
from sem3d.runs.checkpoint import CheckpointStore, latest, weights_file
from sem3d.runs.checkpoint_files import (
    problem,
    read_model_state,
    read_state,
    restore_optimizer,
    write_checkpoint,
)


class Stateful(nn.Linear):
    def __init__(self):
        super().__init__(2, 1)
        self.labels: list[str] = []

    def get_extra_state(self):
        return {"labels": self.labels}

    def set_extra_state(self, state):
        self.labels = state["labels"]


def trained(kind: str = "adamw") -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = Stateful()
    build = {"adamw": torch.optim.AdamW, "sgd": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)}[kind]
    optimizer = build(model.parameters(), lr=0.1)
    for _ in range(2):
        model(torch.ones(3, 2)).sum().backward()
        optimizer.step()
    return model, optimizer


def write(run: Path, step: int) -> Path:
    model, optimizer = trained()
    path = CheckpointStore(run / "checkpoints").path(step)
    write_checkpoint(path, model.state_dict(), {"main": optimizer.state_dict()}, {"step": step})
    return path


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_weights_optimizer_and_extra_state_come_back_bit_for_bit(tmp_path: Path, kind: str):
    model, optimizer = trained(kind)
    model.labels = ["chair", "table"]
    write_checkpoint(tmp_path / "step-1", model.state_dict(), {"main": optimizer.state_dict()}, {"step": 1})
    modes = {path.stat().st_mode for path in (tmp_path / "step-1").iterdir()}
    assert len(modes) == 1, "weights are as readable as the rest"
    fresh = Stateful()
    fresh.load_state_dict(read_model_state(tmp_path / "step-1"))
    other = type(optimizer)(fresh.parameters(), lr=5.0)
    restore_optimizer(tmp_path / "step-1", "main", other)
    assert fresh.labels == ["chair", "table"]
    assert torch.equal(fresh.weight, model.weight)
    before, after = optimizer.state_dict(), other.state_dict()
    assert before["param_groups"] == after["param_groups"]
    for index, entries in before["state"].items():
        for name, value in entries.items():
            assert torch.equal(value, after["state"][index][name]), name


def test_tied_weights_are_saved(tmp_path: Path):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    write_checkpoint(tmp_path / "step-1", model.state_dict(), {}, {"step": 1})
    assert torch.equal(load_file(weights_file(tmp_path / "step-1"))["1.weight"], model[0].weight)


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer-main.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, file: str, damage: str):
    write(tmp_path, 100)
    path = write(tmp_path, 200) / file
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0x01 if file != "manifest.json" else 0xFF
        path.write_bytes(content)
    warnings: list[str] = []
    found = CheckpointStore(tmp_path / "checkpoints", warn=warnings.append).latest()
    assert found is not None
    assert found.name == "step-00000100"
    assert len(warnings) == 1
    assert "step-00000200" in warnings[0]


def test_a_write_that_is_killed_before_the_rename_leaves_nothing_to_read(tmp_path: Path, monkeypatch):
    write(tmp_path, 100)

    def die(parts: Path, folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, "_commit", die)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, 200)
    store = CheckpointStore(tmp_path / "checkpoints")
    assert len(list(store.folder.iterdir())) == 2
    assert latest(tmp_path) == store.path(100)
    store.clean()
    assert [path.name for path in store.folder.iterdir()] == ["step-00000100"]


def test_a_second_attempt_keeps_a_whole_checkpoint_and_replaces_a_damaged_one(tmp_path: Path):
    path = write(tmp_path, 100)
    inode = path.stat().st_ino
    write(tmp_path, 100)
    assert path.stat().st_ino == inode
    (path / "weights.safetensors").write_bytes(b"")
    write(tmp_path, 100)
    assert problem(path) is None


def test_the_newest_and_the_best_are_kept(tmp_path: Path):
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    for step in (1, 2, 3, 4, 5):
        write(tmp_path, step)
        if step == 2:
            store.mark_best(2, "miou", 0.5)
        store.prune()
    assert [read_state(path)["step"] for path in store.newest_first()] == [5, 4, 2]
    assert store.best_or_latest() == store.path(2)


def test_weights_come_from_a_run_or_from_one_checkpoint(tmp_path: Path):
    path = write(tmp_path, 1)
    assert weights_file(tmp_path) == weights_file(path)
    assert load_file(weights_file(path)).keys() == {"weight", "bias"}


def test_anything_else_is_refused_on_one_line(tmp_path: Path):
    with pytest.raises(UserError, match="no checkpoint of sem3d in"):
        weights_file(tmp_path)
    path = write(tmp_path, 1)
    (path / "weights.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match=r"damaged: weights\.safetensors is not what was written"):
        weights_file(path)


def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path: Path):
    path = write(tmp_path, 1)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["../../secret"] = {"size": 0, "sha256": ""}
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert problem(path) == "../../secret is missing"
