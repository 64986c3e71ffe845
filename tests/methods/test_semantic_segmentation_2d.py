"""Fine-tuning begins without the layer that a classifier takes the place of, and lasts as many epochs at any label budget."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sem3d.config import flatten, override
from sem3d.methods.pri3d import Pri3D
from sem3d.methods.tasks.semantic_segmentation_2d import SemanticSegmentation2D
from sem3d.runs.checkpoint_files import write_checkpoint
from sem3d.runs.run_folder import ADDED_LATER, identity
from sem3d.runs.sources import in_steps
from sem3d.runs.stored_run import stored_experiment
from tests.methods.tiny import tiny_experiment

WIDE = {"method__unet__width": 64, "method__unet__dim": 2}
"""The 1x1 layer has another width than what it stands on."""


def tiny(name, **changes):
    return tiny_experiment(name, Path("rooms"), Path("storage"), **changes)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """Weights of an untrained Pri3D."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("pretrained") / "weights.safetensors"
    state = Pri3D(tiny("pri3d", **WIDE)).state_dict()
    save_file({name: value for name, value in state.items() if isinstance(value, torch.Tensor)}, path)
    return path, state


def test_a_classifier_takes_the_place_of_the_layer_that_pretraining_compares(pretrained):
    path, state = pretrained
    method = SemanticSegmentation2D(tiny("semantic_segmentation_2d", **WIDE))
    line = method.initialise(str(path))
    assert "unet.last gives way to a classifier" in line
    assert "new: classifier" in line
    own = method.state_dict()
    assert not [name for name in own if name.startswith("unet.last")]
    assert own["classifier.linear.weight"].shape[1] == state["unet.last.weight"].shape[1] == 8
    taken = [name for name in state if name.startswith("unet.") and not name.startswith("unet.last")]
    assert taken
    assert all(torch.equal(own[name], state[name]) for name in taken)
    image = torch.randint(0, 256, (2, 3, 33, 44), dtype=torch.uint8)
    with torch.no_grad():
        features = method.eval().unet(image / 255)
        assert features.shape[1] == method.classifier.linear.in_channels


def test_the_layer_stays_below_the_classifier_if_asked(pretrained):
    path, state = pretrained
    experiment = tiny("semantic_segmentation_2d", **WIDE, method__embedding_layer=True)
    method = SemanticSegmentation2D(experiment)
    assert "gives way" not in method.initialise(str(path))
    assert torch.equal(method.state_dict()["unet.last.weight"], state["unet.last.weight"])
    assert method.classifier.linear.in_channels == 2


def test_a_run_from_before_a_setting_is_read_as_it_was(tmp_path):
    experiment = tiny("semantic_segmentation_2d", method__embedding_layer=True)
    method = SemanticSegmentation2D(experiment)
    state = {name: value for name, value in flatten(experiment).items() if name not in ADDED_LATER}
    write_checkpoint(
        tmp_path / "checkpoints" / "step-00000004",
        method.state_dict(),
        {},
        {"step": 4, "method": "semantic_segmentation_2d", "counters": {}, "experiment": state},
    )
    _, found = stored_experiment(tmp_path)
    assert found.method.embedding_layer
    assert flatten(found)["schedule.epochs"] == 0
    assert found.schedule.steps == 4
    assert SemanticSegmentation2D(found).state_dict().keys() == method.state_dict().keys()
    assert not ADDED_LATER.keys() & identity(found).keys()


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_epochs_stay_the_same_over_label_budgets(rooms, tmp_path, preset):
    own = {leaf: value for leaf, value in flatten(SemanticSegmentation2D.presets[preset]()).items() if "epochs" in leaf}
    experiment = tiny_experiment("semantic_segmentation_2d", rooms, tmp_path, schedule__steps=0)
    whole, half = (
        in_steps(SemanticSegmentation2D, override(experiment, {**own, "data.budget": budget})) for budget in (1.0, 0.5)
    )
    assert (whole.schedule.steps, half.schedule.steps) == (80 * 16 // 4, 80 * 8 // 4)
    evaluated = (whole.run.evaluate_every, half.run.evaluate_every)
    assert evaluated == ((5 * 16 // 4, 5 * 8 // 4) if preset == "released" else (0, 0))
