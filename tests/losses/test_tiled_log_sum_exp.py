import pytest
import torch

from sem3d.losses import info_nce, tiled_log_sum_exp
from sem3d.losses.info_nce import point_info_nce_of_items
from sem3d.losses.tiled_log_sum_exp import row_tiles
from tests.losses.drawn import features
from tests.losses.largest_tensor import LargestTensor
from tests.reference.info_nce import info_nce as loops

FORMS = ("released", "one_sided", "paper")


@pytest.fixture
def tiles(monkeypatch):
    """Tiles of 16 numbers, and no item so small that it is compared whole."""
    monkeypatch.setitem(tiled_log_sum_exp.TILE, "cpu", 16)
    monkeypatch.setattr(info_nce, "WHOLE", 0)


def test_tiles_cover_every_row_once():
    for rows, columns in ((0, 4), (5, 1 << 30), (10_000, 1000)):
        parts = [range(rows)[part] for part in row_tiles(rows, columns, torch.device("cpu"))]
        assert [row for part in parts for row in part] == list(range(rows))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("tiles")
def test_tiles_give_the_value_of_the_loops(form):
    anchor, positive = features(1, 7, 5)
    expected = loops(anchor[0].detach().numpy(), positive[0].detach().numpy(), 0.4, form)
    assert point_info_nce_of_items(anchor, positive, 0.4, form).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("tiles")
def test_gradcheck_of_tiles_with_rows_that_are_not_valid(form):
    anchor, positive = features(3, 5, 3)
    valid = torch.tensor([[True, False, True, True, True], [False] * 5, [False, False, True, False, False]])
    torch.autograd.gradcheck(lambda a, p: point_info_nce_of_items(a, p, 0.4, form, valid), (anchor, positive))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("temperature", [0.04, 0.001])
def test_tiles_give_value_and_gradient_of_whole_matrices(form, temperature, monkeypatch):
    anchor, positive = features(2, 40, 8, seed=3)
    valid = torch.rand(2, 40, generator=torch.Generator().manual_seed(1)) < 0.8
    found = []
    for whole, tile in ((1000, 16), (0, 128)):
        monkeypatch.setattr(info_nce, "WHOLE", whole)
        monkeypatch.setitem(tiled_log_sum_exp.TILE, "cpu", tile)
        loss = point_info_nce_of_items(anchor, positive, temperature, form, valid)
        found.append((loss, *torch.autograd.grad(loss, (anchor, positive))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("tiles")
def test_tiles_without_a_valid_match_give_a_zero_with_a_graph():
    anchor, positive = features(2, 6, 4)
    loss = point_info_nce_of_items(anchor, positive, valid=torch.zeros(2, 6, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert not anchor.grad.any()


@pytest.mark.parametrize("form", FORMS)
def test_many_matches_are_never_a_matrix(form):
    matches = info_nce.WHOLE + 1000
    anchor, positive = (torch.randn(1, matches, 4).requires_grad_() for _ in range(2))
    with LargestTensor() as watch:
        point_info_nce_of_items(anchor, positive, 0.07, form).backward()
    assert matches < watch.numbers <= tiled_log_sum_exp.TILE["cpu"] < matches**2 / 10
