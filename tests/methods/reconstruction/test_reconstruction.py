"""Sketches, shapes and their naturalness: costs against loops, the floor, and the chain of runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.evaluation.reconstruction import voxel_iou
from sem3d.methods import method_class
from sem3d.methods.method import TESTED, TRAIN
from sem3d.methods.reconstruction.mean_shape import marks, shapes_of
from sem3d.methods.reconstruction.pictures import voxel_picture
from sem3d.methods.reconstruction.sketches import sketch_costs
from sem3d.networks.sketch_network import cleaned
from sem3d.networks.voxel_networks import CompletionConfig, CompletionNetwork, ShapeCritic, VoxelDecoderConfig
from sem3d.runs.load import build_method
from tests.methods.synthetic_batches import BATCHES, seen_objects
from tests.methods.tiny import build_tiny, tiny_checkpoint, tiny_experiment


def batch_of(method, name):
    return method.Batch(**BATCHES[name]())


def test_costs_of_sketches_are_those_of_loops():
    true = seen_objects()["sketch"].double()
    found = torch.randn(true.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    costs = sketch_costs(found, true)
    for item in range(4):
        depth, normal, silhouette, area = 0.0, 0.0, 0.0, 0
        for row in range(32):
            for column in range(32):
                gap = (found - true)[item, :, row, column]
                silhouette += gap[4] ** 2 / 32**2
                if true[item, 4, row, column]:
                    area += 1
                    depth += gap[0] ** 2
                    normal += (gap[1:4] ** 2).sum() / 3
        expected = {"depth": depth / area, "normal": normal / area, "silhouette": silhouette}
        for name, value in expected.items():
            assert_close(costs[name][item], value)


def test_true_sketches_score_fully_and_are_left_as_they_are():
    sketch = seen_objects()["sketch"]
    assert_close(cleaned(sketch), sketch)


def test_normals_are_scored_on_the_views_whose_silhouettes_agree_and_untold_without_one(tmp_path):
    method = build_tiny(
        "reconstruction_sketches", tiny_experiment("reconstruction_sketches", tmp_path, tmp_path)
    ).eval()
    batch = batch_of(method, "reconstruction_sketches")
    with torch.no_grad():
        for decoder in method.sketcher.decoders.values():
            for value in decoder.head.parameters():
                value.zero_()
        nothing = method.summarise(method.evaluate(batch))
        method.sketcher.decoders["silhouette"].head.linear.bias.fill_(1.0)
        everywhere = method.evaluate(batch)
    assert nothing["silhouette_iou"] == 0
    assert "normal_error_degrees" not in nothing
    expected = float(everywhere.sums["normal_error_degrees"]) / 4
    assert method.summarise(everywhere)["normal_error_degrees"] == pytest.approx(expected)
    half = replace(everywhere, sums={**everywhere.sums, "overlapping_views": torch.tensor(2.0)})
    assert method.summarise(half)["normal_error_degrees"] == pytest.approx(2 * expected)


def test_shapes_are_scored_by_the_iou_of_voxels(tmp_path):
    method = build_tiny("reconstruction", tiny_experiment("reconstruction", tmp_path, tmp_path)).eval()
    batch = batch_of(method, "reconstruction")
    with torch.no_grad():
        found = method.summarise(method.evaluate(batch))
        pairs = {"voxel_iou": method.sketches(batch.image), "voxel_iou_of_true_sketches": batch.sketch}
        for name, sketch in pairs.items():
            grids = (method.occupancies(sketch) > 0.3).numpy()
            assert found[name] == pytest.approx(voxel_iou(grids, batch.voxel.numpy() > 0).mean())


def test_the_floor_is_the_best_constant_shape_of_the_training_objects(sketched, tmp_path):
    experiment = tiny_experiment("reconstruction", sketched, tmp_path)
    sources = method_class("reconstruction").sources(experiment)
    learnt, tested = shapes_of(sources[TRAIN]), shapes_of(sources[TESTED])
    assert (len(learnt), len(tested)) == (5, 3)
    constants = [learnt.mean(axis=0) >= share for share in np.linspace(0.05, 0.95, 19)]
    best = max(constants, key=lambda one: voxel_iou(np.broadcast_to(one, learnt.shape), learnt).mean())
    expected = np.mean([(best & one).sum() / (best | one).sum() for one in tested])
    assert marks(experiment, sources).floor["voxel_iou"] == pytest.approx(expected)


@pytest.mark.parametrize("side", [8, 32])
def test_networks_of_shapes_have_the_side_that_is_asked_for(side):
    config = CompletionConfig(encoder="efficientnet_lite0", decoder=VoxelDecoderConfig(latent=4, width=4))
    network = CompletionNetwork(config, side).eval()
    assert network(torch.zeros(2, 5, 32, 32)).shape == (2, side, side, side)
    assert ShapeCritic(2, side)(torch.zeros(3, side, side, side)).shape == (3,)
    with pytest.raises(UserError, match=r"data\.voxels 12: choose 8, 16"):
        CompletionNetwork(config, 12)


def test_critic_and_generator_each_move_along_their_own_cost(tmp_path):
    experiment = tiny_experiment("reconstruction_naturalness", tmp_path, tmp_path)
    method = build_tiny("reconstruction_naturalness", experiment)
    batch = batch_of(method, "reconstruction_naturalness")
    for name, moved in (("critic", "critic"), ("penalty", "critic"), ("generator", "generator")):
        method.zero_grad()
        method(batch, 0)[name].backward()
        touched = {
            key.partition(".")[0]
            for key, value in method.named_parameters()
            if value.grad is not None and value.grad.any()
        }
        assert touched == {moved}, name
    assert [method.active_optimizers(step) for step in range(2)] == [("critic",), ("critic", "generator")]


@pytest.fixture
def runs(tmp_path):
    """Checkpoints of sketches and of a critic."""
    names = ("reconstruction_sketches", "reconstruction_naturalness")
    return {name: tiny_checkpoint(name, tmp_path / name) for name in names}


def test_the_chain_of_runs_hands_on_sketches_and_critic(tmp_path, runs):
    critic, judge = runs["reconstruction_naturalness"]
    weights, sketching = runs["reconstruction_sketches"]
    changes = {"method.naturalness.critic": str(critic / "weights.safetensors"), "run.storage": str(tmp_path)}
    experiment = override(tiny_experiment("reconstruction", tmp_path, tmp_path), changes)
    method, lines = build_method(method_class("reconstruction"), experiment, None)
    assert "critic: " in lines[0]
    assert "loaded sketcher" in method.initialise(str(weights / "weights.safetensors"))
    batch = batch_of(method, "reconstruction")
    expected = -1e-3 * judge.critic(method.eval().completion(batch.sketch).sigmoid()).mean()
    assert_close(method(batch, 0)["naturalness"], expected)
    before = {name: value.clone() for name, value in sketching.sketcher.state_dict().items()}
    method.train()
    sum(method(batch, 0).values()).backward()
    next(iter(method.optimizers().values())).step()
    for name, value in before.items():
        assert_close(method.sketcher.state_dict()[name], value, msg=name)
    assert not [name for name in method.state_dict() if name.startswith("critic.network")]


def test_naturalness_without_a_critic_or_with_another_run_is_refused(tmp_path, runs):
    experiment = tiny_experiment("reconstruction", tmp_path, tmp_path, method__naturalness__critic="")
    with pytest.raises(UserError, match="needs the critic of a run of reconstruction_naturalness"):
        build_tiny("reconstruction", experiment)
    other = str(runs["reconstruction_sketches"][0] / "weights.safetensors")
    changes = {"method.naturalness.critic": other, "run.storage": str(tmp_path)}
    with pytest.raises(UserError, match=r"missing there; give its critic_width and its data\.voxels"):
        build_method(method_class("reconstruction"), override(experiment, changes), None)


def test_shapes_do_not_start_from_published_weights(tmp_path):
    method = build_tiny("reconstruction", tiny_experiment("reconstruction", tmp_path, tmp_path))
    with pytest.raises(UserError, match=r"start from scratch or from a run of reconstruction"):
        method.initialise("imagenet")


def test_a_grid_is_pictured_upright_with_its_front_to_the_beholder():
    grid = np.zeros((8, 8, 8), bool)
    grid[:, :4] = True
    grid[:2, 4:, :2] = True  # a tower in front, on the side of -x, which is the object's left
    picture = voxel_picture(grid)[..., 0]
    assert picture.shape == (8, 17)
    assert (picture[:4, 6:8] < 255).all()  # -x is on the right of who looks at the front
    assert (picture[:4, :6] == 255).all()
    assert (picture[4:, :8] < 255).all()
