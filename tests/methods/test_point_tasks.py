"""Tasks above the 3D network of pretraining: what of them is trained, and what they start from."""

import pytest
import torch
from safetensors.torch import save_file

from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class
from sem3d.methods.tasks.partly_trained import PointTask
from tests.methods.synthetic_batches import BATCHES
from tests.methods.tiny import build_tiny, tiny_experiment

TASKS = [name for name in METHODS if issubclass(method_class(name), PointTask)]
DECODER = tuple(f"sparse_unet.{part}" for part in ("convtr", "bntr", "block5", "block6", "block7", "block8"))
TRAINED = {
    "all": lambda name: True,
    "decoder": lambda name: not name.startswith("sparse_unet") or name.startswith(DECODER),
    "above": lambda name: not name.startswith("sparse_unet"),
}
ABOVE = {"semantic_segmentation_3d": "classifier", "object_detection_3d": "head"}
"""What each task calls all that is new."""


def built(name, tmp_path, **changes):
    return build_tiny(name, tiny_experiment(name, tmp_path, tmp_path, **changes))


def batch_of(name):
    columns = BATCHES[name]()
    if "seed_point" in columns:  # objects around seeds that are likely to be chosen
        columns["box"][..., :3] = columns["seed_point"][:, :4]
    return method_class(name).Batch(**columns)


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("name", TASKS)
def test_only_what_is_trained_moves_its_batch_norm_included(tmp_path, name, trained):
    method = built(name, tmp_path, method__trained=ABOVE[name] if trained == "above" else trained)
    before = {part: value.clone() for part, value in method.state_dict().items()}
    optimizer = method.train().optimizers()["main"]
    sum(method(batch_of(name), 0).values()).backward()
    optimizer.step()
    moved = {part for part, value in method.state_dict().items() if not torch.equal(value, before[part])}
    assert moved == {part for part in before if TRAINED[trained](part)}
    assert all(value.requires_grad == TRAINED[trained](part) for part, value in method.named_parameters())


@pytest.mark.parametrize("source", ["ppkt", "pri3d"])
@pytest.mark.parametrize("name", TASKS)
def test_the_3d_network_starts_from_that_of_a_pretraining(tmp_path, name, source):
    shape = {"method__voxel_input": "color", "method__sparse_unet__stem_kernel": 3}
    pretrained = build_tiny(source, tiny_experiment(source, tmp_path, tmp_path, **shape))
    state = {part: value for part, value in pretrained.state_dict().items() if isinstance(value, torch.Tensor)}
    save_file(state, tmp_path / "weights.safetensors")
    torch.manual_seed(5)
    method = built(name, tmp_path)
    with torch.no_grad():
        method.sparse_unet.conv0p1s1.kernel += 1
    line = method.initialise(str(tmp_path / "weights.safetensors"))
    assert line.startswith("loaded sparse_unet (")
    new = {part.partition(".")[0] for part in method.state_dict()} - {"sparse_unet"}
    assert f"new: {', '.join(sorted(new))}" in line
    own = method.sparse_unet.state_dict()
    assert all(torch.equal(value, state[f"sparse_unet.{part}"]) for part, value in own.items())


@pytest.mark.parametrize("name", TASKS)
def test_a_start_without_a_3d_network_is_refused(tmp_path, name):
    wanted = r"init imagenet has no weights of a 3D network: give scratch or a run of sem3d$"
    with pytest.raises(UserError, match=wanted):
        built(name, tmp_path).initialise("imagenet")
    assert built(name, tmp_path).initialise("scratch") == "3D network: random weights"
