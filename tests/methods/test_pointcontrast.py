"""PointContrast: its two losses, its evaluation, and what it hands on."""

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from sem3d.methods.method import Found
from sem3d.methods.pointcontrast import PointContrastBatch
from tests.methods.synthetic_batches import BATCHES
from tests.methods.tiny import build_tiny, tiny_experiment


def built(tmp_path, **changes):
    return build_tiny("pointcontrast", tiny_experiment("pointcontrast", tmp_path, tmp_path, **changes))


@pytest.fixture
def batch():
    return PointContrastBatch(**BATCHES["pointcontrast"]())


@pytest.mark.parametrize("negatives", ["item", "batch"])
def test_the_loss_is_the_surprise_of_each_voxel_about_its_match(tmp_path, batch, negatives):
    method = built(tmp_path, method__negatives=negatives).double().eval()
    with torch.no_grad():
        loss = method(batch, 0)["point_info_nce"]
        rows = torch.nn.functional.normalize(method.features(batch), dim=1)[batch.match_voxel]
    items = rows.flatten(0, 1)[None] if negatives == "batch" else rows
    surprise = [-((one[:, 0] @ one[:, 1].T) / 0.1).log_softmax(1).diagonal().mean() for one in items]
    assert_close(loss, torch.stack(surprise).mean())


@pytest.mark.parametrize("loss", ["point_info_nce", "hardest_contrastive"])
def test_both_losses_learn_and_reach_every_parameter(tmp_path, batch, loss):
    method = built(tmp_path, method__loss=loss)
    optimizer, curve = method.optimizers()["main"], []
    for step in range(8):
        value = method(batch, step)[loss]
        method.zero_grad()
        value.backward()
        optimizer.step()
        curve.append(value.item())
    assert not [name for name, value in method.named_parameters() if value.grad is None]
    assert curve[-1] < 0.97 * curve[0], curve


def test_features_of_places_find_every_match(tmp_path, batch, monkeypatch):
    method = built(tmp_path).eval()
    features = torch.randn(len(batch.voxel), 8)
    anchors, positives = batch.match_voxel.flatten(0, 1).T
    for anchor, positive in zip(anchors, positives, strict=True):  # the last match of an anchor stands
        features[anchor] = features[positive]
    last = {int(anchor): int(positive) for anchor, positive in zip(anchors, positives, strict=True)}
    kept = torch.tensor([[[a, last[int(a)]] for a in pair[:, 0]] for pair in batch.match_voxel])
    monkeypatch.setattr(method, "features", lambda given: features)
    columns = BATCHES["pointcontrast"]() | {"match_voxel": kept}
    found = method.summarise(method.evaluate(PointContrastBatch(**columns)))
    assert found["match_rate"] == 1
    assert found["match_distance_m"] == 0
    assert 0 < found["match_rate_by_chance"] < 0.5


def test_ppkt_and_segmentation_start_from_its_network(tmp_path):
    source = tmp_path / "weights.safetensors"
    save_file(built(tmp_path).state_dict(), source)
    for name in ("ppkt", "semantic_segmentation_3d"):
        shape = {"method__voxel_input": "occupancy"}
        other = build_tiny(name, tiny_experiment(name, tmp_path, tmp_path, **shape))
        assert other.initialise(str(source)).startswith("loaded sparse_unet (")


def test_an_evaluation_without_one_match_says_so(tmp_path, caplog):
    sums = {"pairs": torch.tensor(3.0), "match_matched": torch.tensor(0.0), "loss_point_info_nce": torch.tensor(0.0)}
    assert built(tmp_path).summarise(Found(sums)) == {"loss_point_info_nce": 0.0, "match_matched": 0.0}
    (line,) = caplog.messages
    assert line.startswith("none of the 3 held-out pairs has a voxel of one frame near one of the other")
