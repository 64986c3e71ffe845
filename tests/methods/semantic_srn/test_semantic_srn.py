"""The chain of the three methods: what each takes from the one before, what stays as it is, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import TRAIN, Sources
from sem3d.methods.semantic_srn.frequent_parts import marks
from sem3d.methods.semantic_srn.sources import KNOWN
from tests.methods.synthetic_batches import posed_objects, posed_views
from tests.methods.tiny import build_tiny, tiny_experiment

LABELLED = {"method__segmentation_layers": 2}


def tiny(name: str, **changes):
    return tiny_experiment(name, Path("posed"), Path("storage"), **changes)


def built(name: str, **changes):
    return build_tiny(name, tiny(name, **changes), posed_objects())


def stored(method, path: Path) -> str:
    save_file({name: value for name, value in method.state_dict().items() if isinstance(value, torch.Tensor)}, path)
    return str(path)


def learnt(method, steps: int = 3):
    """Weights before and after some steps."""
    before = {name: value.detach().clone() for name, value in method.named_parameters()}
    batch = method.Batch(**posed_views())
    optimizers = method.optimizers()
    for step in range(steps):
        method.zero_grad()
        sum(method(batch, step).values()).backward()
        for optimizer in optimizers.values():
            optimizer.step()
    return {name for name, value in method.named_parameters() if not torch.equal(value, before[name])}


def test_each_method_starts_from_the_one_before_and_trains_its_own_part_alone(tmp_path):
    first = built("semantic_srn", method__segmentation_layers=0)
    moved = learnt(first)
    assert {name.split(".")[0] for name in moved} == {"scene", "latents"}
    second = built("semantic_srn_instances")
    line = second.initialise(stored(first, tmp_path / "first.safetensors"))
    assert "loaded latents (2 tensors), scene" in line
    assert "new: new_latents" in line
    assert learnt(second) == {"new_latents.weight"}
    third = built("semantic_srn_parts")
    line = third.initialise(stored(second, tmp_path / "second.safetensors"))
    assert "loaded latents (2 tensors), new_latents (2 tensors), scene" in line
    assert {name.split(".")[0] for name in learnt(third)} == {"segmentation"}
    assert torch.equal(third.latents.weight, first.latents.weight)
    assert torch.equal(third.new_latents.weight, second.new_latents.weight)


def test_labels_are_learnt_from_training_objects_and_scored_on_new_ones():
    method = built("semantic_srn_parts")
    batch = method.Batch(**posed_views())
    assert torch.equal(method.latents_of(batch), method.latents.weight)
    method.eval()
    assert torch.equal(method.latents_of(batch), method.new_latents.weight)


def test_without_data_a_run_has_the_sizes_of_its_weights(tmp_path):
    trained = built("semantic_srn", **LABELLED)
    path = stored(trained, tmp_path / "weights.safetensors")
    bare = build_tiny("semantic_srn", tiny("semantic_srn", **LABELLED))
    bare.initialise(path)
    batch = bare.Batch(**posed_views())
    for ours, theirs in zip(bare.pictures(batch).rendered, trained.pictures(batch).rendered, strict=True):
        assert torch.equal(ours, theirs)
    assert bare.segmentation.answers == 3


def test_a_mask_alone_moves_latents_of_a_network_that_learnt_from_masks():
    method = built("semantic_srn_instances", method__inferred_from="mask", **LABELLED)
    batch = method.Batch(**posed_views())
    losses = method(batch, 0)
    assert losses.keys() == {"label", "depth", "latent"}
    assert method.selected_by == ("silhouette_iou", "max")
    assert built("semantic_srn_instances", **LABELLED).selected_by == method.score == ("psnr", "max")
    unseen = method(replace(batch, color=-batch.color, alpha=1 - batch.alpha), 0)
    assert torch.equal(sum(losses.values()), sum(unseen.values()))


@pytest.mark.parametrize("inferred_from", ["mask", "both"])
def test_a_mask_needs_a_network_that_learnt_from_masks(inferred_from):
    with pytest.raises(UserError, match=r"needs a run of semantic_srn with method\.segmentation_layers"):
        built("semantic_srn_instances", method__inferred_from=inferred_from)


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("semantic_srn_instances", "unet", "has no latents: .* name a run of semantic_srn$"),
        ("semantic_srn_parts", "semantic_srn", "has no new_latents: .* name a run of semantic_srn_instances$"),
    ],
)
def test_a_run_of_another_method_is_refused(name, source, words, tmp_path):
    path = tmp_path / "weights.safetensors"
    if source == "unet":
        save_file({"unet.weight": torch.zeros(1)}, path)
    else:
        stored(built(source), path)
    with pytest.raises(UserError, match=words):
        built(name).initialise(str(path))
    with pytest.raises(UserError, match="from scratch or from a run of its own"):
        built(name).initialise("imagenet")


def test_latents_of_other_objects_are_refused_unless_left_out(tmp_path):
    method = built("semantic_srn")
    weights = {name: value for name, value in method.state_dict().items() if isinstance(value, torch.Tensor)}
    path = tmp_path / "weights.safetensors"
    save_file(weights | {"latents.weight": torch.zeros(9, 8)}, path)
    with pytest.raises(UserError, match=r"does not fit this method at latents\.weight"):
        built("semantic_srn").initialise(str(path))
    assert "new: latents" in built("semantic_srn").initialise(str(path), ("latents",))


def others() -> Sources:
    """As many objects as :func:`posed_objects`, two of them others."""
    table = pa.table({"instance": pa.array(range(4), pa.int64()), "identity": pa.array([1, 2, 7, 8], pa.int64())})
    return {name: replace(samples, table=table) for name, samples in posed_objects().items()}


def test_latents_of_as_many_other_objects_are_refused_unless_left_out(tmp_path):
    path = stored(built("semantic_srn_instances"), tmp_path / "weights.safetensors")
    experiment = tiny("semantic_srn_parts")
    with pytest.raises(UserError, match="latents are of other objects: 2 of 4 are not those of"):
        build_tiny("semantic_srn_parts", experiment, others()).initialise(path)
    known = {TRAIN: posed_objects()[TRAIN], KNOWN: posed_objects()[KNOWN]}
    with pytest.raises(UserError, match="new_latents are of other objects: 2 of 4"):
        build_tiny("semantic_srn_parts", experiment, others() | known).initialise(path)
    left_out = ("latents", "new_latents")
    assert "left out: latents" in build_tiny("semantic_srn_parts", experiment, others()).initialise(path, left_out)


def test_latents_of_before_identities_were_kept_are_taken_and_those_of_a_run_go_on_with_theirs(tmp_path):
    method = built("semantic_srn_instances")
    weights = {name: value for name, value in method.state_dict().items() if isinstance(value, torch.Tensor)}
    path = tmp_path / "weights.safetensors"
    save_file({name: value for name, value in weights.items() if not name.endswith("identity")}, path)
    later = built("semantic_srn_parts")
    later.initialise(str(path))
    assert torch.equal(later.new_latents.weight, method.new_latents.weight)
    assert later.new_latents.identity.tolist() == later.latents.identity.tolist() == [1, 2, 3, 4]
    bare = build_tiny("semantic_srn_parts", tiny("semantic_srn_parts"))
    bare.initialise(stored(later, tmp_path / "later.safetensors"))
    assert bare.latents.identity.tolist() == [1, 2, 3, 4]
    later.load_state_dict({name: value for name, value in later.state_dict().items() if "identity" not in name})


def test_the_curriculum_of_the_paper_is_64_then_128_pixels():
    experiment = method_class("semantic_srn").presets["paper"]()
    stages = method_class("semantic_srn").curriculum(experiment)
    seen = [(stage.data.size, stage.schedule.steps, stage.run.batch_size) for stage in stages]
    assert seen == [(64, 20_000, 92), (128, 85_000, 16)]
    assert all(method_class("semantic_srn").curriculum(stage) == (stage,) for stage in stages)
    alone = override(experiment, {"method.stage_sizes": (32,), "method.stage_steps": (), "method.stage_batches": ()})
    (stage,) = method_class("semantic_srn").curriculum(alone)
    assert (stage.data.size, stage.schedule.steps, stage.run.batch_size) == (32, 85_000, 16)
    with pytest.raises(UserError, match="of different lengths"):
        method_class("semantic_srn").curriculum(override(experiment, {"method.stage_steps": (5,)}))


def test_new_objects_of_test_come_after_those_of_val(posed, tmp_path):
    experiment = tiny_experiment("semantic_srn_instances", posed, tmp_path)
    sources = method_class("semantic_srn_instances").sources(experiment)
    assert sources[TRAIN].table["instance"].to_pylist() == [0, 1, 2, 3, 4, 5]
    assert sorted(set(sources["held_out"].table["instance"].to_pylist())) == [0, 1, 2]
    assert sorted(set(sources["tested"].table["instance"].to_pylist())) == [3, 4, 5]
    names = sources[TRAIN].table["pictures"].to_pylist()
    assert [name[0].split("/")[0] for name in names] == ["val"] * 3 + ["test"] * 3
    method = build_tiny("semantic_srn_instances", experiment, sources)
    assert len(method.new_latents.weight) == 6
    assert len(method.latents.weight) == 5


def test_marks_are_the_usual_mask_and_the_classes_that_the_budget_shows(posed, tmp_path):
    experiment = tiny_experiment("semantic_srn_parts", posed, tmp_path)
    sources = method_class("semantic_srn_parts").sources(experiment)
    found = marks(experiment, sources)
    assert found.floor == found.bound == {"miou": 1.0, "shape_miou": 1.0}  # all objects of this data look alike
    assert found.never_shown == ()
    none = replace(sources[TRAIN], table=sources[TRAIN].table.slice(0, 0))
    found = marks(experiment, dict(sources) | {TRAIN: none})
    assert found.never_shown == ("background", "back", "seat")
    assert found.floor == found.bound == {"miou": pytest.approx(0.75 / 3), "shape_miou": pytest.approx(0.75 / 3)}


@pytest.mark.parametrize("name", ["semantic_srn", "semantic_srn_instances"])
def test_without_a_segmentation_renderer_no_mask_is_read_and_any_budget_will_do(name, posed, tmp_path):
    changes = {"method__segmentation_layers": 0, "data__masks": 999}
    for samples in method_class(name).sources(tiny_experiment(name, posed, tmp_path, **changes)).values():
        assert not any(label for masks in samples.table["labels"].to_pylist() for label in masks)
    changes |= {"method__segmentation_layers": 1}
    if name == "semantic_srn":
        with pytest.raises(UserError, match="999 masks were asked for"):
            method_class(name).sources(tiny_experiment(name, posed, tmp_path, **changes))
        return
    from_color = method_class(name).sources(tiny_experiment(name, posed, tmp_path, **changes))
    from_mask = method_class(name).sources(
        tiny_experiment(name, posed, tmp_path, **changes, method__inferred_from="mask")
    )
    assert not any(from_color[TRAIN].table["labels"].to_pylist()[0])
    assert all(from_mask[TRAIN].table["labels"].to_pylist()[0])
    assert all(from_color["tested"].table["labels"].to_pylist()[0])


def test_under_bfloat16_rays_start_where_they_do_and_losses_are_close():
    method = built("semantic_srn", **LABELLED)
    batch = method.Batch(**posed_views())
    exact = method(batch, 0)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = method(batch, 0)
        rays = batch.rays(method.latents.weight)
    for ours, theirs in zip(rays, batch.rays(method.latents.weight), strict=True):
        assert torch.equal(ours, theirs)
    for name, value in exact.items():
        torch.testing.assert_close(narrow[name].float(), value, rtol=0.05, atol=0.05)
