import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.functional import jacobian

from sem3d.losses.info_nce import point_info_nce_of_items
from tests.reference.info_nce import info_nce

FORMS = ("released", "one_sided", "paper")


def random_pair(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=draw, dtype=dtype), torch.randn(*shape, generator=draw, dtype=dtype)


def point_info_nce(anchor, positive, temperature=0.4, form="released", valid=None) -> torch.Tensor:
    """The loss of one item."""
    mask = None if valid is None else valid[None]
    return point_info_nce_of_items(anchor[None], positive[None], temperature, form, mask)


@pytest.mark.parametrize("form", FORMS)
def test_value_and_gradient_are_those_of_the_loops(form):
    anchor, positive = random_pair(7, 5)
    expected = info_nce(anchor.numpy(), positive.numpy(), 0.4, form)
    loss = point_info_nce(anchor, positive, 0.4, form)
    torch.testing.assert_close(loss.item(), expected, rtol=1e-9, atol=1e-9)

    slope = jacobian(lambda a: point_info_nce(a, positive, 0.4, form), anchor)
    step = 1e-6 * torch.eye(35, dtype=torch.float64).reshape(35, 7, 5)
    for i, s in enumerate(step):
        above, below = (info_nce((anchor + sign * s).numpy(), positive.numpy(), 0.4, form) for sign in (1, -1))
        assert slope.flatten()[i].item() == pytest.approx((above - below) / 2e-6, abs=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_gradcheck_with_rows_that_are_not_valid(form):
    anchor, positive = (features.requires_grad_() for features in random_pair(2, 4, 3))
    valid = torch.tensor([[True, False, True, True], [False, False, False, False]])
    torch.autograd.gradcheck(lambda a, p: point_info_nce_of_items(a, p, 0.4, form, valid), (anchor, positive))


@pytest.mark.parametrize("count", [1, 2, 16])
@pytest.mark.parametrize("temperature", [0.04, 0.4, 1.0])
def test_orthonormal_matches_have_the_closed_form(count, temperature):
    features = torch.eye(16, dtype=torch.float64)[:count]
    expected = math.log(1 + (count - 1) * math.exp(-1 / temperature))
    for form in ("released", "one_sided"):
        assert point_info_nce(features, 3 * features, temperature, form).item() == pytest.approx(expected)
    assert point_info_nce(features, features, temperature, "paper").item() == pytest.approx(count * expected)


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=10)
def test_neither_the_order_of_matches_nor_a_rotation_of_features_matters(form, seed):
    anchor, positive = random_pair(6, 4, seed=seed)
    loss = point_info_nce(anchor, positive, 0.4, form)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(point_info_nce(anchor[order], positive[order], 0.4, form), loss)
    rotation = torch.linalg.qr(random_pair(4, 4, seed=seed)[0])[0]
    torch.testing.assert_close(point_info_nce(anchor @ rotation, positive @ rotation, 0.4, form), loss)


def test_only_the_released_form_is_symmetric():
    anchor, positive = random_pair(6, 4)
    torch.testing.assert_close(point_info_nce(anchor, positive), point_info_nce(positive, anchor))
    one_way, other_way = (
        point_info_nce(*roles, form="one_sided") for roles in ((anchor, positive), (positive, anchor))
    )
    assert abs(one_way - other_way) > 1e-3
    torch.testing.assert_close((one_way + other_way) / 2, point_info_nce(anchor, positive))


@pytest.mark.parametrize("form", FORMS)
def test_items_are_averaged_and_an_empty_item_counts_as_zero(form):
    anchor, positive = random_pair(3, 5, 4)
    valid = torch.tensor([[True] * 5, [True, False, True, True, False], [False] * 5])
    items = [point_info_nce(anchor[i][valid[i]], positive[i][valid[i]], 0.4, form) for i in range(2)]
    loss = point_info_nce_of_items(anchor, positive, 0.4, form, valid)
    torch.testing.assert_close(loss, sum(items) / 3)
    halves = [
        point_info_nce_of_items(anchor[i : i + 1], positive[i : i + 1], 0.4, form, valid[i : i + 1]) for i in range(3)
    ]
    torch.testing.assert_close(sum(halves) / 3, loss)


@pytest.mark.parametrize("shape", [(0, 4), (3, 4)])
@pytest.mark.parametrize("form", FORMS)
def test_without_a_valid_match_the_loss_is_a_zero_with_a_graph(form, shape):
    anchor, positive = random_pair(*shape, dtype=torch.float32)
    anchor = anchor.fill_(torch.nan).requires_grad_()
    loss = point_info_nce(anchor, positive, 0.4, form, torch.zeros(shape[0], dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    torch.testing.assert_close(anchor.grad, torch.zeros(shape))


def test_bfloat16_features_under_autocast_are_compared_in_float32():
    anchor, positive = (features.bfloat16() for features in random_pair(64, 32))
    with torch.autocast("cpu", torch.bfloat16):
        loss = point_info_nce(anchor, positive)
    assert loss.dtype == torch.float32
    expected = info_nce(np.asarray(anchor.float()), np.asarray(positive.float()), 0.4, "released")
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_float32_agrees_with_the_loops_at_the_lowest_temperature_of_the_papers():
    anchor, positive = random_pair(40, 16, dtype=torch.float32)
    positive = anchor + positive
    loss = point_info_nce(anchor, positive, 0.04, "one_sided").item()
    assert loss == pytest.approx(info_nce(anchor.numpy(), positive.numpy(), 0.04, "one_sided"), rel=1e-5)


def test_an_unknown_form_is_refused():
    with pytest.raises(Exception, match="form"):
        point_info_nce(*random_pair(2, 2), 0.4, "printed")
