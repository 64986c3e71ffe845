"""SSR's pair loss against plain loops, closed forms, and batches that lack a kind of pair."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.losses.viewpoint_pairs import balanced_accuracy, viewpoint_pair_counts, viewpoint_pair_loss
from tests.reference import viewpoint_pairs as reference

CHOICES = ("all", "distinct_positives", "distinct")


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(images: int, seed: int, views: int = 3, objects: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logits = torch.randn(images, images, dtype=torch.float64, generator=draw(seed))
    labels = (torch.randint(most, (images,), generator=draw(seed + most)) for most in (views, objects))
    return logits, *labels


@pytest.mark.parametrize("choice", CHOICES)
@given(seed=st.integers(0, 1000), images=st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_loss_and_counts_equal_plain_loops(choice, seed, images):
    logits, viewpoints, objects = batch(images, seed)
    places = torch.rand(2, 4, dtype=torch.float64, generator=draw(seed)).numpy()
    expected = reference.pair_loss(logits.numpy(), viewpoints.tolist(), objects.tolist(), choice, places)
    loss = viewpoint_pair_loss(logits, viewpoints, objects, draw(seed), choice=choice, draws=4)
    assert float(loss) == pytest.approx(expected, rel=1e-9)

    kinds = reference.pairs(viewpoints.tolist(), objects.tolist(), choice)
    right = [sum((logits[pair] > 0) == (kind == 0) for pair in pairs) for kind, pairs in enumerate(kinds)]
    counts = viewpoint_pair_counts(logits, viewpoints, objects, choice)
    assert counts.tolist() == [[int(number), len(pairs)] for number, pairs in zip(right, kinds, strict=True)]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_gradient_passes_gradcheck(choice):
    logits, viewpoints, objects = batch(6, 1)
    assert torch.autograd.gradcheck(
        lambda values: viewpoint_pair_loss(values, viewpoints, objects, draw(0), choice=choice, draws=5),
        logits.requires_grad_(),
    )


def test_undecided_logits_cost_log_2_a_kind_and_a_share_for_the_hardest():
    _, viewpoints, objects = batch(12, 3)
    loss = viewpoint_pair_loss(torch.zeros(12, 12), viewpoints, objects, draw(0))
    assert float(loss) == pytest.approx(2 * math.log(2) * (1 + 1 / 32), rel=1e-6)


def test_the_hardest_pairs_weigh_one_in_draws():
    viewpoints, objects = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2])
    logits = torch.full((3, 3), -1000.0)
    logits[0, 1], logits[0, 2] = 1000.0, 64.0
    drawn = (torch.rand(2, 32, dtype=torch.float64, generator=draw(5))[1] < 0.5).double().mean()
    assert float(viewpoint_pair_loss(logits, viewpoints, objects, draw(5))) == pytest.approx(64 * (drawn + 1 / 32))


def test_only_one_triangle_is_read():
    logits, viewpoints, objects = batch(8, 2)
    logits.requires_grad_()
    viewpoint_pair_loss(logits, viewpoints, objects, draw(0)).backward()
    assert logits.grad.any()
    assert not logits.grad.tril().any()


def test_a_batch_without_pairs_of_a_kind_costs_the_other_kind_and_one_without_any_a_zero_with_a_graph():
    logits = torch.randn(4, 4, requires_grad=True)
    same, one = torch.zeros(4, dtype=torch.long), torch.zeros(4, dtype=torch.long)
    assert viewpoint_pair_loss(logits, same, torch.arange(4)) > 0
    assert viewpoint_pair_loss(logits, torch.arange(4), one) > 0
    for few, viewpoints in ((logits, same), (logits[:1, :1], same[:1]), (logits[:0, :0], same[:0])):
        loss = viewpoint_pair_loss(few, viewpoints, torch.zeros_like(viewpoints))
        assert loss.item() == 0
        assert loss.requires_grad
        loss.backward()
    assert not logits.grad.any()


def test_draws_are_those_of_the_generator_and_do_not_depend_on_the_batch():
    generator, spent = draw(7), draw(7)
    logits, viewpoints, objects = batch(8, 2)
    first = viewpoint_pair_loss(logits, viewpoints, objects, generator)
    assert torch.equal(first, viewpoint_pair_loss(logits, viewpoints, objects, draw(7)))
    viewpoint_pair_loss(logits[:0, :0], viewpoints[:0], objects[:0], spent)
    assert torch.equal(generator.get_state(), spent.get_state())


def test_extreme_logits_and_half_precision_are_finite():
    _, viewpoints, objects = batch(8, 2)
    loss = viewpoint_pair_loss(torch.full((8, 8), -3e4, dtype=torch.bfloat16), viewpoints, objects)
    assert loss.dtype == torch.float32
    assert loss.isfinite()


def test_balanced_accuracy_is_the_mean_of_both_shares_and_nan_without_one():
    assert balanced_accuracy(torch.tensor([[1, 2], [9, 9]])) == 0.75
    assert not balanced_accuracy(torch.tensor([[0, 0], [9, 9]])) > 0.99


@pytest.mark.parametrize("choice", CHOICES)
def test_counts_of_some_rows_add_up_to_those_of_all(choice):
    logits, viewpoints, objects = batch(8, 2)
    whole = viewpoint_pair_counts(logits, viewpoints, objects, choice)
    parts = [
        viewpoint_pair_counts(logits[first : first + 3], viewpoints, objects, choice, first) for first in (0, 3, 6)
    ]
    assert torch.equal(sum(parts), whole)
    assert whole[:, 1].all()
