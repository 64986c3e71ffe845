"""The baselines on tiny data in the SRN layout, in this process."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN
from tests.datasets.objects.srn_folders import write_srn
from tests.methods.tiny import build_tiny, tiny_experiment


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_srn(tmp_path_factory.mktemp("srn") / "data", {"train": 5, "val": 2, "test": 3}, views=4, side=16)


def built(name: str, root: Path, **changes):
    experiment = tiny_experiment(name, root, root.parent, **changes)
    sources = method_class(name).sources(experiment)
    return build_tiny(name, experiment, sources), sources


def batch_of(method, samples, count: int = 4):
    rows = samples.table.to_pylist()[:count]
    loaded = [samples.load(row, np.random.default_rng(number)) for number, row in enumerate(rows)]
    return method.Batch(**{name: torch.tensor(column) for name, column in samples.collate(loaded).items()})


def test_a_unet_learns_the_parts_of_objects_from_a_few_masks(root: Path):
    method, sources = built("semantic_srn_unet", root, optim__kind="adam")
    batch, (optimizer,) = batch_of(method, sources[TRAIN]), method.optimizers().values()
    before = method.eval().summarise(method.evaluate(batch_of(method, sources[TESTED])))
    for step in range(25):
        method.train()
        method.zero_grad()
        sum(method(batch, step).values()).backward()
        optimizer.step()
    after = method.eval().summarise(method.evaluate(batch_of(method, sources[TESTED])))
    assert after["miou"] > max(0.5, before["miou"])
    assert after.keys() == {"miou", "miou_where_shape_is_right", "shape_miou"}
    assert method.artifacts(method.evaluate(batch)).keys() == {"iou_by_class"}


def test_a_unet_refuses_rays_and_sides_that_cannot_be_halved(root: Path):
    with pytest.raises(UserError, match="whole pictures"):
        built("semantic_srn_unet", root, data__rays=5)
    with pytest.raises(UserError, match="must divide by 2 2 times"):
        built("semantic_srn_unet", root, data__size=10)


def test_a_unet_sees_opacity_only_where_it_is_told_to(root: Path):
    for opacity, channels in ((False, 3), (True, 4)):
        method, sources = built("semantic_srn_unet", root, method__opacity=opacity)
        assert method.unet.inputs == channels
        method.logits(batch_of(method, sources[TRAIN]))


def test_an_auto_encoder_sees_the_observed_view_of_a_new_object_and_is_scored_on_the_others(root: Path):
    method, sources = built("semantic_srn_autoencoder", root, data__observation=3)
    rows = sources[TESTED].table.to_pylist()
    assert [row["pictures"] for row in rows[:2]] == [
        [f"test/object{number}/rgb/000003.png", f"test/object{number}/rgb/000000.png"] for number in range(2)
    ]
    assert len(rows) == 6
    assert sources[HELD_OUT].table.num_rows == 4
    batch = batch_of(method, sources[TESTED])
    picture, view = method.seen(batch)
    assert picture.shape == (4, 3, 8, 8)
    assert view.shape == (4, 5)
    torch.testing.assert_close(picture[0].flatten(1).T, 0.75 * batch.color[0, 0])


def test_other_views_of_a_sample_are_targets_of_the_first(root: Path):
    method, sources = built("semantic_srn_autoencoder", root, data__views=3)
    batch = batch_of(method, sources[TRAIN])
    assert method.targets(batch).shape == (8, 8, 8, 3)
    torch.testing.assert_close(method.seen(batch)[0][0], method.seen(batch)[0][1])


def test_the_linear_layer_on_an_auto_encoder_trains_alone(root: Path, tmp_path: Path):
    method, sources = built("semantic_srn_autoencoder_parts", root)
    assert [name for name, value in method.named_parameters() if value.requires_grad] == ["parts.weight", "parts.bias"]
    assert method.parts.out_channels == 3
    batch = batch_of(method, sources[TRAIN])
    sum(method(batch, 0).values()).backward()
    assert method.parts.weight.grad is not None
    assert 0 <= method.summarise(method.evaluate(batch_of(method, sources[TESTED])))["miou"] <= 1


def test_pretrained_weights_come_in_strictly(root: Path, tmp_path: Path):
    from safetensors.torch import save_file

    pretrained, _ = built("semantic_srn_autoencoder", root)
    save_file(pretrained.state_dict(), tmp_path / "weights.safetensors")
    method, _ = built("semantic_srn_autoencoder_parts", root)
    line = method.initialise(str(tmp_path / "weights.safetensors"))
    assert "loaded network" in line
    assert "new: parts" in line
    torch.testing.assert_close(method.network.color.weight, pretrained.network.color.weight)
    with pytest.raises(UserError, match="scratch"):
        method.initialise("imagenet")


def test_an_auto_encoder_refuses_what_is_no_pair(root: Path):
    for changes in ({"data.views": 1}, {"data.rays": 3}, {"data.observed": 2}):
        experiment = override(tiny_experiment("semantic_srn_autoencoder", root, root.parent), changes)
        with pytest.raises(UserError, match=r"data\.views 2 or more"):
            method_class("semantic_srn_autoencoder").sources(experiment)


def test_a_unet_on_rendered_views_sees_what_the_scene_network_renders_and_trains_alone(root: Path):
    method, sources = built("semantic_srn_rendered_unet", root)
    batch = batch_of(method, sources[TRAIN])
    loss = method(batch, 0)["label"]
    loss.backward()
    assert {name.split(".")[0] for name, value in method.named_parameters() if value.grad is not None} == {"unet"}
    method.eval()
    with torch.no_grad():
        seen = method.logits(batch)
        assert torch.equal(method.logits(replace(batch, color=-batch.color)), seen)
        expected = method.pictures(batch).rendered.color[..., :3].clamp(-1, 1)
        torch.testing.assert_close(method.seen(batch)[2, 3], expected[2].view(12, 12, 3)[3])
        turned = replace(batch, world_from_camera=batch.world_from_camera.roll(1, 0))
        assert not torch.equal(method.logits(turned), seen)
        assert torch.equal(method.labelled(batch), seen.argmax(1))
    assert 0 <= method.summarise(method.evaluate(batch_of(method, sources[TESTED])))["miou"] <= 1
    with pytest.raises(UserError, match="whole pictures"):
        built("semantic_srn_rendered_unet", root, data__rays=5)


def test_a_unet_on_rendered_views_starts_from_inferred_objects(root: Path, tmp_path: Path):
    from safetensors.torch import save_file

    method, _ = built("semantic_srn_rendered_unet", root)
    for name, words in (("semantic_srn_instances", "new: unet"), ("semantic_srn", "has no new_latents")):
        before, _ = built(name, root)
        path = tmp_path / f"{name}.safetensors"
        save_file({key: value for key, value in before.state_dict().items() if isinstance(value, torch.Tensor)}, path)
        if name == "semantic_srn_instances":
            assert words in method.initialise(str(path))
            continue
        with pytest.raises(UserError, match=words):
            method.initialise(str(path))
