"""SSR: its losses against plain ones, the labelling cycle, and that a killed cycle leaves no trace."""

import math
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from sem3d.config import override
from sem3d.errors import UserError
from sem3d.geometry.object_views import eyes_of_views, to_device_coordinates
from sem3d.methods.ssr.losses import Connectivity, reconstruction_losses
from sem3d.methods.ssr.method import SSR, SSRBatch
from sem3d.methods.ssr.pseudo_labels import PseudoLabels
from sem3d.methods.ssr.viewpoint_labels import ViewpointLabels
from sem3d.runs.checkpoint import weights_file
from sem3d.runs.checkpoint_files import read_state
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from sem3d.training.ray.launch import train
from tests.methods.synthetic_batches import ssr as synthetic_columns
from tests.methods.tiny import tiny_experiment
from tests.reference.soft_silhouettes import soft_silhouettes as naive_silhouettes


def tiny_method(**changes) -> SSR:
    torch.manual_seed(0)
    return SSR(tiny_experiment("ssr", Path("renders"), Path("storage"), **changes)).double()


def batch(**changes) -> SSRBatch:
    return SSRBatch(**synthetic_columns() | changes)


def test_the_silhouette_loss_is_that_of_each_mesh_in_both_views():
    method, columns = tiny_method(), batch()
    masks = columns.image[:, :, 3].double().unflatten(2, (16, 4)).unflatten(4, (16, 4)).mean((3, 5)) / 255
    vertices = method.meshes(columns.image.flatten(0, 1)).detach().unflatten(0, (4, 2))
    costs = []
    for item in range(4):
        for shape in vertices[item]:
            for view, mask in zip(columns.viewpoint[item], masks[item], strict=True):
                seen = to_device_coordinates(shape[None], eyes_of_views(view[None], dtype=torch.float64))
                drawn = naive_silhouettes(seen, method.decoder.faces, 16, 1e-3)
                both = (drawn * mask).sum()
                costs.append(1 - both / ((drawn + mask).sum() - both + 1e-6))
    assert_close(method(columns, 0)["silhouette"].detach(), torch.stack(costs).mean(), rtol=1e-7, atol=1e-9)


def test_an_unusable_object_changes_no_loss():
    whole = tiny_method()(batch(), 0)
    columns = {name: torch.cat([value, value[:1]]) for name, value in synthetic_columns().items()}
    columns["usable"][-1] = 0
    columns["image"][-1] = 0
    for name, value in tiny_method()(SSRBatch(**columns), 0).items():
        assert_close(value, whole[name])


def test_pseudo_labelled_objects_are_no_pairs_for_the_labelling_network():
    columns = synthetic_columns()
    columns["viewpoint"] = columns["viewpoint"].clone()
    columns["viewpoint"][2] = 8
    before, after = (tiny_method()(SSRBatch(**given), 0) for given in (synthetic_columns(), columns))
    assert_close(before["viewpoint"], after["viewpoint"])
    assert before["silhouette"] != after["silhouette"]


def test_sigma_falls_by_its_factor():
    sharp, soft = tiny_method(method__sigma_every=10), tiny_method(method__sigma_every=10)
    later = override(soft.experiment, {"method.sigma": 1e-3 * 0.3**2})
    expected = SSR(later).double()
    expected.load_state_dict(sharp.state_dict())
    assert_close(sharp(batch(), 25)["silhouette"], expected(batch(), 0)["silhouette"])


@pytest.mark.parametrize("labels_from", ["none", "classifier", "siamese"])
def test_each_kind_has_its_losses_and_gradients(labels_from):
    method = tiny_method(method__labels_from=labels_from)
    losses = method(batch(), 0)
    extra = {"viewpoint", "viewpoint_turned"} if labels_from != "none" else set()
    assert set(losses) == {"silhouette", "laplacian", "flattening"} | extra
    sum(losses.values()).backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in method.parameters())


def test_positions_stay_exact_under_autocast():
    method = SSR(tiny_experiment("ssr", Path("renders"), Path("storage")))
    columns = batch()
    vertices = method.meshes(columns.image.flatten(0, 1)).unflatten(0, (4, 2))
    mesh = Connectivity(method.decoder.faces, method.edges, method.hinges)
    images, usable = method.as_input(columns.image), columns.usable.bool()
    exact = reconstruction_losses(vertices, images, columns.viewpoint, usable, mesh, method.experiment.method, 0)
    seen = {}
    method.meshes = lambda images: vertices.flatten(0, 1)
    with torch.autocast("cpu", torch.bfloat16):
        seen = method(batch(), 0)
    for name, value in exact.items():
        assert_close(seen[name], value, rtol=1e-6, atol=1e-8)


def test_the_rotated_batch_is_left_out_if_asked():
    assert "viewpoint_turned" not in tiny_method(method__rotation_augmentation=False)(batch(), 0)


def test_an_untrained_classifier_costs_as_much_as_guessing():
    method = tiny_method(method__labels_from="classifier")
    torch.nn.init.zeros_(method.viewpoints.head.weight)
    assert float(method(batch(), 0)["viewpoint"].detach()) == pytest.approx(math.log(24))


def test_ssr_starts_from_scratch_or_from_its_own_weights_only(tmp_path):
    save_file({"unet.weight": torch.ones(2)}, tmp_path / "foreign.safetensors")
    for source, said in (("imagenet", "scratch"), (str(tmp_path / "foreign.safetensors"), "no weights of SSR")):
        with pytest.raises(UserError, match=said):
            tiny_method().initialise(source)
    weights = {name: value for name, value in tiny_method().state_dict().items() if isinstance(value, torch.Tensor)}
    save_file(weights, tmp_path / "own.safetensors")
    other = tiny_method()
    torch.nn.init.zeros_(other.decoder.bias.weight)
    assert "decoder" in other.initialise(str(tmp_path / "own.safetensors"))
    assert_close(other.decoder.bias.weight.detach(), weights["decoder.bias.weight"].detach())


@pytest.mark.parametrize("setting", ["cycle=0", "cycle_views=25", "cycle_views=-1"])
def test_a_cycle_that_makes_no_sense_is_refused(setting):
    leaf, value = setting.split("=")
    with pytest.raises(UserError, match=rf"method\.{leaf} {value}"):
        tiny_method(**{f"method__{leaf}": int(value)})


def test_labels_come_back_from_their_json_state_exactly():
    labels = PseudoLabels()
    found = ViewpointLabels(
        torch.tensor([3, 4, 5]), torch.tensor([0.1 + 0.2, 1 / 3, 0.9]), torch.tensor([True, False, True])
    )
    numbers = labels.add(found, torch.tensor([3, 4, 6]), step=2, others={})
    assert numbers["coverage"] == pytest.approx(2 / 3)
    assert numbers["accuracy"] == 0.5
    again = PseudoLabels()
    again.set_extra_state(labels.get_extra_state())
    for mine, theirs in zip((*again.labels, again.given_by), (*labels.labels, labels.given_by), strict=True):
        kept = labels.labels.accepted
        assert_close(mine[kept], theirs[kept].to(mine.dtype))
    assert again.get_extra_state() == labels.get_extra_state()
    assert labels.table(torch.tensor([3, 4, 6]), ["a", "b", "c"]) == {
        "pass": [1],
        "object": ["a", "c"],
        "view": [3, 6],
        "viewpoint": [3, 5],
        "confidence": found.confidence[[0, 2]].tolist(),
        "right": [True, False],
    }


def test_a_pass_that_accepts_nothing_has_no_accuracy():
    labels = PseudoLabels()
    nothing = ViewpointLabels(torch.zeros(2, dtype=torch.int64), torch.zeros(2), torch.zeros(2, dtype=torch.bool))
    assert labels.add(nothing, torch.zeros(2, dtype=torch.int64), step=1, others={}) == {
        "coverage": 0.0,
        "new_coverage": 0.0,
    }
    assert labels.passes == 1


def test_a_refused_pass_keeps_the_labels_and_counts_as_none():
    labels, truth = PseudoLabels(), torch.tensor([3, 4])
    assert labels.keep(truth, step=1, others={"voxel_iou": 0.5}) == {"coverage": 0.0, "voxel_iou": 0.5}
    assert labels.passes == 0
    found = ViewpointLabels(torch.tensor([3, 5]), torch.tensor([0.9, 0.8]), torch.tensor([True, False]))
    labels.add(found, truth, step=2, others={})
    again = PseudoLabels()
    again.set_extra_state(labels.get_extra_state())
    assert again.keep(truth, step=3, others={})["coverage"] == 0.5
    assert again.labels.accepted.tolist() == [True, False]
    assert again.passes == 1
    assert [entry["step"] for entry in again.history] == [1.0, 2.0, 3.0]


def test_labels_of_the_last_pass_only_are_withdrawn_by_the_next():
    truth = torch.tensor([3, 4, 5])

    def found(accepted):
        return ViewpointLabels(torch.tensor([3, 5, 0]), torch.full((3,), 0.9), torch.tensor(accepted))

    kept, fresh = PseudoLabels(), PseudoLabels()
    for labels, how in ((kept, "forever"), (fresh, "last_pass")):
        labels.add(found([True, True, False]), truth, 1, {}, how)
        labels.add(found([False, False, True]), truth, 2, {}, how)
    assert kept.labels.accepted.tolist() == [True, True, True]
    assert fresh.labels.accepted.tolist() == [False, False, True]
    assert fresh.given_by.tolist() == [0, 0, 2]
    assert kept.latest() == pytest.approx(
        {
            "coverage": 1.0,
            "accuracy": 1 / 3,
            "accuracy_within_one_view": 2 / 3,
            "new_coverage": 1 / 3,
            "new_accuracy": 0.0,
            "new_accuracy_within_one_view": 0.0,
        }
    )
    again = PseudoLabels()
    again.set_extra_state(fresh.get_extra_state())
    assert again.labels.accepted.tolist() == [False, False, True]
    again.keep(truth, 3, {})
    assert again.latest() == fresh.latest()


def accepting(experiment, **changes):
    """Whatever the networks say is accepted, so that labels come in a run of four steps."""
    return override(experiment, {"method.rule": "released", "method.cycle": 1, **changes})


class Eager(SSR):
    """Scores lie above the threshold from the start."""

    def __init__(self, experiment, sources=None):
        super().__init__(experiment, sources)
        with torch.no_grad():
            self.viewpoints.head.bias.fill_(9.0)


def state_of(run_folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    path = weights_file(run_folder)
    return load_file(path), read_state(path.parent)["extra"]


def run_here(method, experiment, folder: Path):
    folder.mkdir()
    said = folder / "progress.log"
    fit(method, experiment, TrainingContext(run_folder=folder))
    return said.read_text()


@pytest.mark.slow
def test_a_run_labels_learns_from_the_labels_and_says_so(renders, tmp_path):
    experiment = accepting(tiny_experiment("ssr", renders, tmp_path), **{"schedule.steps": 3})
    said = run_here(Eager, experiment, tmp_path / "run")
    assert "labelling 1 at step 1: 120 images, coverage 1.000" in said
    assert "labelling 2 at step 2" in said
    _, extra = state_of(tmp_path / "run")
    (labels,) = extra.values()
    assert len(labels["image"]) == SSR.sources(experiment)["unlabelled"].table.num_rows == 120
    assert [entry["step"] for entry in labels["history"]] == [1.0, 2.0]
    assert re.search(
        r"evaluation at step 3 .*  label_coverage 1 .*  label_new_accuracy_within_one_view \(%\) [\d.]+", said
    )
    assert "test of " in said


def test_the_shapes_of_a_pass_are_those_that_an_evaluation_finds_at_its_step(renders, tmp_path):
    experiment = accepting(tiny_experiment("ssr", renders, tmp_path), **{"schedule.steps": 3, "run.evaluate_every": 1})
    views = {"method.cycle_views": experiment.data.evaluation_views, "data.chosen_on": "evaluation_split"}
    said = run_here(Eager, override(experiment, views), tmp_path / "run")
    (labels,) = state_of(tmp_path / "run")[1].values()
    evaluated = [
        float(share) / 100 for share in re.findall(r"evaluation at step \d+ .*?voxel_iou \(%\) ([\d.]+)", said)
    ]
    assert len(evaluated) == 3
    assert [entry["voxel_iou"] for entry in labels["history"]] == pytest.approx(evaluated[:2], abs=1e-3)


def test_a_network_that_is_wrong_about_labelled_images_labels_nothing(renders, tmp_path):
    experiment = accepting(tiny_experiment("ssr", renders, tmp_path), **{"method.gate": 1.0, "schedule.steps": 2})
    assert "no labelling at step 1: accuracy" in run_here(Eager, experiment, tmp_path / "run")
    (labels,) = state_of(tmp_path / "run")[1].values()
    assert labels["image"] == []
    (entry,) = labels["history"]
    assert entry == {"step": 1.0, "coverage": 0.0, "voxel_iou": entry["voxel_iou"]}
    assert 0 <= entry["voxel_iou"] <= 1


def test_the_shapes_of_a_cycle_are_seen_from_all_around_and_change_nothing_that_is_learnt(renders, tmp_path):
    assert SSR.Config().cycle_views == 4
    experiment = accepting(tiny_experiment("ssr", renders, tmp_path), **{"method.gate": 1.0, "schedule.steps": 3})
    run_here(Eager, experiment, tmp_path / "seen")
    run_here(Eager, override(experiment, {"method.cycle_views": 0}), tmp_path / "unseen")
    seen, unseen = (state_of(tmp_path / name)[0] for name in ("seen", "unseen"))
    for key, value in unseen.items():
        assert_close(seen[key], value, rtol=0, atol=0)


def test_with_all_objects_labelled_there_is_nothing_to_label(renders, tmp_path):
    changes = {"data.labelled": 0, "schedule.steps": 2}
    said = run_here(Eager, accepting(tiny_experiment("ssr", renders, tmp_path), **changes), tmp_path / "run")
    assert "labelling" not in said


class Killed(Eager):
    """Its process 1 dies once, in the middle of the second labelling pass."""

    def label(self, sources, passes):
        marker = Path(self.experiment.run.storage) / "killed"
        if self.pseudo_labels.passes == 1 and torch.distributed.get_rank() == 1 and not marker.exists():
            next(iter(passes.batches(sources["unlabelled"])))
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().label(sources, passes)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_worker_killed_in_the_middle_of_a_labelling_pass_leaves_labels_and_weights_as_they_would_have_been(
    renders, tmp_path, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    exact = {"run.precision": "float64", "optim.kind": "sgd", "optim.lr": 1e-3}
    exact |= {"run.checkpoint_every": 1, "schedule.steps": 3}
    experiment = accepting(tiny_experiment("ssr", renders, tmp_path), **exact)
    run_here(Eager, experiment, tmp_path / "alone")
    said = []
    result = train(Killed, override(experiment, {"run.workers": 2, "run.name": "killed-run"}), say=said.append)
    assert (tmp_path / "killed").exists()
    assert any("resuming from step 2" in line for line in said), said
    weights, extra = state_of(result.run_folder)
    expected, expected_extra = state_of(tmp_path / "alone")
    for key, value in expected.items():
        assert_close(weights[key], value, rtol=1e-7, atol=1e-9, msg=lambda text, key=key: f"{key}: {text}")
    (ours,), (theirs,) = extra.values(), expected_extra.values()
    assert [ours[name] for name in ("image", "viewpoint", "pass")] == [
        theirs[name] for name in ("image", "viewpoint", "pass")
    ]
    np.testing.assert_allclose(ours["confidence"], theirs["confidence"], rtol=1e-9)
    assert ours["history"] == [pytest.approx(entry, rel=1e-9) for entry in theirs["history"]]
