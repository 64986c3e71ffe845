"""PPKT: its teachers, its arms, and what it starts from."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.method import Found
from sem3d.methods.ppkt.method import PPKT, PPKTBatch
from sem3d.methods.ppkt.with_pointcontrast import PPKTPointContrastBatch
from sem3d.runs.load import build_method
from tests.methods.synthetic_batches import BATCHES
from tests.methods.tiny import build_tiny, tiny_experiment

JOINT, SEGMENTATION = "ppkt_pointcontrast", "semantic_segmentation_2d"


def usual_widths(tmp_path):
    """2D segmentation by the network that pseudo-labels come from."""
    return tiny_experiment(SEGMENTATION, tmp_path, tmp_path, method__unet__width=None, method__unet__dim=None)


def tiny(tmp_path, **changes):
    return tiny_experiment("ppkt", tmp_path, tmp_path, **changes)


def built(tmp_path, **changes):
    return build_tiny("ppkt", tiny(tmp_path, **changes))


@pytest.fixture
def batch():
    return PPKTBatch(**BATCHES["ppkt"]())


def test_the_teacher_has_published_weights_and_never_changes(tmp_path, batch):
    method = built(tmp_path, method__teacher__weights="imagenet")
    before = {name: value.clone() for name, value in method.teacher.network.state_dict().items()}
    optimizer = method.optimizers()["main"]
    sum(method.train()(batch, 0).values()).backward()
    optimizer.step()
    for name, value in method.teacher.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any("network" in name or "encoder" in name for name in method.state_dict())
    random = built(tmp_path).teacher.network.state_dict()
    assert any(not torch.equal(value, random[name]) for name, value in before.items())


def test_a_random_teacher_is_the_one_of_its_seed(tmp_path):
    one = built(tmp_path)
    torch.manual_seed(99)
    again = build_method(method_class("ppkt"), tiny(tmp_path), None)[0]
    other = built(tmp_path, run__seed=1)
    assert one.teacher.digest == again.teacher.digest != other.teacher.digest


def test_a_random_teacher_tells_pixels_apart(tmp_path, batch):
    maps = built(tmp_path).maps(batch)
    for one in maps:
        assert one.isfinite().all()
        assert one.std(dim=(0, 2, 3)).mean() > 0.05 * one.abs().mean()


def test_the_teacher_may_be_the_2d_network_of_a_run(tmp_path):
    pri3d = build_tiny("pri3d", tiny_experiment("pri3d", tmp_path, tmp_path))
    save_file({name: value for name, value in pri3d.state_dict().items()}, tmp_path / "weights.safetensors")
    method = built(tmp_path, method__teacher__weights=str(tmp_path / "weights.safetensors"))
    taught, theirs = method.teacher.network.encoder.state_dict(), pri3d.unet.encoder.state_dict()
    assert all(torch.equal(taught[name], value) for name, value in theirs.items())


def test_weights_that_do_not_fit_the_teacher_are_named(tmp_path):
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="holds no efficientnet_lite0"):
        built(tmp_path, method__teacher__weights=str(tmp_path / "other.safetensors"))


def test_the_3d_network_may_start_from_that_of_pri3d(tmp_path):
    pri3d = build_tiny("pri3d", tiny_experiment("pri3d", tmp_path, tmp_path))
    save_file(dict(pri3d.state_dict()), tmp_path / "weights.safetensors")
    shape = {"method__voxel_input": "occupancy"}
    method = built(tmp_path, **shape)
    line = method.initialise(str(tmp_path / "weights.safetensors"))
    assert line.startswith("loaded sparse_unet (")
    theirs = pri3d.sparse_unet.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in method.sparse_unet.state_dict().items())


@pytest.mark.parametrize("source", ["imagenet", "/no/such/file.pth"])
def test_a_start_without_a_3d_network_is_refused(tmp_path, source):
    with pytest.raises(UserError, match="no weights of a 3D network"):
        built(tmp_path).initialise(source)


@pytest.mark.parametrize(
    "arm",
    [
        {"method__loss": "distillation"},
        {"method__loss": "global"},
        {"method__loss": "pseudo_labels"},
        {"method__negatives": "batch"},
        {"method__upsampling": "none"},
        {"method__teacher__strides": (8,)},
        {"method__voxel_input": "occupancy"},
    ],
    ids=str,
)
def test_every_arm_learns_and_reaches_every_parameter(tmp_path, batch, arm):
    method = built(tmp_path, **arm)
    optimizer, curve = method.optimizers()["main"], []
    for step in range(8):
        loss = sum(method(batch, step).values())
        method.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    assert not [name for name, value in method.named_parameters() if value.grad is None]
    assert curve[-1] < 0.97 * curve[0], curve


def test_pseudo_labels_are_the_classes_that_a_run_of_2d_segmentation_gives_the_pixels(tmp_path, batch):
    segmentation = build_tiny(SEGMENTATION, usual_widths(tmp_path)).eval()
    save_file(segmentation.state_dict(), tmp_path / "weights.safetensors")
    changes = {"method__loss": "pseudo_labels", "method__teacher__weights": str(tmp_path / "weights.safetensors")}
    method = built(tmp_path, **changes)
    with torch.no_grad():
        named = segmentation.pixel_scores(batch.image).argmax(1)
        points = method.points(batch)
        loss = method(batch, 0)["pseudo_labels"]
    costs = [
        -scores.log_softmax(0)[label]
        for frame, pixels in enumerate(batch.pair_pixel.tolist())
        for scores, (u, v) in zip(points[frame], pixels, strict=True)
        if (label := int(named[frame, v, u]))
    ]
    assert len(costs) > 10
    assert_close(loss, torch.stack(costs).mean())


@pytest.mark.parametrize("weights", ["imagenet", "other.safetensors"])
def test_pseudo_labels_of_what_is_no_run_of_2d_segmentation_are_refused(tmp_path, weights):
    save_file({"unet.last.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    source = weights if weights == "imagenet" else str(tmp_path / weights)
    with pytest.raises(UserError, match="pseudo_labels wants a run of semantic_segmentation_2d"):
        built(tmp_path, method__loss="pseudo_labels", method__teacher__weights=source)


def test_ppkt_and_pointcontrast_together_have_the_losses_of_both(tmp_path):
    batch = PPKTPointContrastBatch(**BATCHES[JOINT]())
    method = build_tiny(JOINT, tiny_experiment(JOINT, tmp_path, tmp_path, method__contrast_weight=0.5)).double().eval()
    single = PPKTBatch(**{name: getattr(batch, name) for name in PPKTBatch.__dataclass_fields__})
    with torch.no_grad():
        losses, alone = method(batch, 0), PPKT.losses(method, method.voxel_features(single), single)
        embedded = torch.nn.functional.normalize(method.embedding(method.voxel_features(batch)), dim=1)
    assert losses.keys() == {"ppnce", "point_info_nce"}
    assert_close(losses["ppnce"], alone["ppnce"])
    anchor, positive = embedded[batch.match_voxel.flatten(0, 1)].unbind(1)
    surprise = -((anchor @ positive.T) / 0.1).log_softmax(1).diagonal().mean()
    assert_close(losses["point_info_nce"], 0.5 * surprise)


def test_presets_on_pairs_have_the_frames_of_ppkt_a_step():
    single, pairs = (method_class(name).presets["paper"]() for name in ("ppkt", JOINT))
    assert 2 * pairs.run.batch_size == single.run.batch_size
    assert pairs.data.points == single.data.points
    assert pairs.method.temperature == single.method.temperature


def test_the_loss_is_that_of_the_matched_rows(tmp_path, batch):
    method = built(tmp_path).double().eval()
    with torch.no_grad():
        loss = method(batch, 0)["ppnce"]
        points, pixels = method.points(batch), method.pixels(method.maps(batch), batch.pair_pixel, batch)
    surprise = []
    for a, b in zip(*(torch.nn.functional.normalize(each, dim=2) for each in (points, pixels)), strict=True):
        for row, point in enumerate(a):
            shares = torch.stack([(point * pixel).sum() / 0.04 for pixel in b]).softmax(0)
            surprise.append(-shares[row].log())
    assert_close(loss, torch.stack(surprise).mean())


def test_a_point_that_has_the_feature_of_its_pixel_is_found(tmp_path, batch, monkeypatch):
    method = built(tmp_path).eval()
    ahead = torch.randn(1, 8, 8, 11).expand(3, -1, -1, -1)
    cell = torch.tensor([[2, 3], [7, 5], [0, 0], [10, 7]])
    features = ahead[0, :, cell[:, 1], cell[:, 0]].T.expand(3, -1, -1)
    monkeypatch.setattr(method, "searched", lambda *given: ahead[0])
    monkeypatch.setattr(method, "points", lambda given: features)
    monkeypatch.setattr(method, "pixels", lambda *given: features)
    columns = BATCHES["ppkt"]() | {"pair_voxel": torch.zeros(3, 4).long(), "pair_pixel": (4 * cell).expand(3, -1, -1)}
    found = method.summarise(method.evaluate(PPKTBatch(**columns)))
    assert found["match_rate_5px"] == 1
    assert found["match_median_error_px"] == pytest.approx(1.5 * 2**0.5, abs=0.25)
    columns["pair_pixel"] = (4 * cell + 12).expand(3, -1, -1)
    assert method.summarise(method.evaluate(PPKTBatch(**columns)))["match_rate_5px"] == 0


def test_frames_without_a_pair_are_counted_and_warned_of_past_the_limit(tmp_path):
    method = built(tmp_path)
    columns = {"usable": np.array([1, 1, 0, 1]), "pair_valid": np.array([1, 0, 0, 0])}
    assert method.tally(columns) == {"frames": 3.0, "unmatched": 2.0}
    shares, warning = method.weigh({"frames": 10.0, "unmatched": 4.0})
    assert shares == {"unmatched_frames": 0.4}
    assert warning.startswith("4 of 10 training frames so far (40 %) show no point: nothing is learnt there.")
    assert method.weigh({"frames": 100.0, "unmatched": 1.0}) == ({"unmatched_frames": 0.01}, "")
    assert method.weigh({}) == ({}, "")


def test_an_evaluation_without_one_pair_says_so(tmp_path, caplog):
    sums = {"frames": torch.tensor(3.0), "matched": torch.tensor(0.0), "loss_ppnce": torch.tensor(0.0)}
    assert built(tmp_path).summarise(Found(sums)) == {"loss_ppnce": 0.0, "matched": 0.0}
    (line,) = caplog.messages
    assert line == "none of the 3 held-out frames has a pair of a point and a pixel"


def test_the_presets_are_those_of_the_papers_tables():
    presets = {name: preset() for name, preset in method_class("ppkt").presets.items()}
    assert sum(presets["paper"].method.sparse_unet.blocks) == 23
    assert sum(presets["paper18"].method.sparse_unet.blocks) == 16
    assert (presets["paper"].method.temperature, presets["slidr"].method.temperature) == (0.04, 0.07)
    assert presets["slidr"].data.matches * presets["slidr"].run.batch_size == 4096
