import math

import numpy as np
import pytest
import torch

from sem3d.errors import UserError
from sem3d.evaluation.correspondence import chance_rate, match_rate, pixel_positions
from tests.reference.correspondence_metrics import chance_rate_by_loops, match_errors_by_loops

DIM, HEIGHT, WIDTH = 6, 7, 9


def random_features(seed, size=(HEIGHT, WIDTH)):
    return torch.randn(DIM, *size, generator=torch.Generator().manual_seed(seed))


def random_cells(seed, pairs, size=(HEIGHT, WIDTH)):
    random = np.random.default_rng(seed)
    return torch.tensor(np.stack([random.integers(0, size[1], pairs), random.integers(0, size[0], pairs)], axis=1))


def test_a_feature_map_finds_itself():
    cells = random_cells(0, 40)
    counts = match_rate(random_features(0), random_features(0), cells, cells, pixel_stride=2)
    assert counts.rate == 1.0
    assert counts.median_error == 0.0


def test_a_shifted_feature_map_finds_the_shifted_cells_whatever_their_length():
    anchor = random_features(1)
    positive = 7.5 * torch.roll(anchor, (2, 3), dims=(1, 2))
    cells = torch.tensor([[0, 0], [5, 4], [3, 1]])
    counts = match_rate(anchor, positive, cells, cells + torch.tensor([3, 2]), pixel_stride=4, threshold_px=0.0)
    assert counts.rate == 1.0


def test_a_cell_is_its_centre_at_full_resolution():
    torch.testing.assert_close(
        pixel_positions(torch.tensor([[0, 3]]), 4), torch.tensor([[1.5, 13.5]], dtype=torch.float64), rtol=0, atol=0
    )
    torch.testing.assert_close(
        pixel_positions(torch.tensor([[2, 5]]), 1), torch.tensor([[2.0, 5.0]], dtype=torch.float64)
    )


def test_the_threshold_is_inclusive_and_euclidean():
    anchor = random_features(2)
    cells = torch.tensor([[4, 3]])
    at_five_pixels = match_rate(anchor, anchor, cells, torch.tensor([[7, 7]]), pixel_stride=1, threshold_px=5.0)
    beyond = match_rate(anchor, anchor, cells, torch.tensor([[8, 7]]), pixel_stride=1, threshold_px=5.0)
    assert (int(at_five_pixels.correct), int(beyond.correct)) == (1, 0)
    assert at_five_pixels.median_error == 5.0


def test_a_true_match_may_lie_between_cells():
    anchor = random_features(3)
    counts = match_rate(anchor, anchor, torch.tensor([[4, 3]]), torch.tensor([[4.5, 3.0]]), pixel_stride=2)
    assert counts.median_error == 1.0


@pytest.mark.parametrize("tile", [1, 7, 1024])
def test_matches_agree_with_loops_over_cells(tile):
    anchor, positive = random_features(4), random_features(5, (5, 11))
    cells, truth = random_cells(6, 23), random_cells(7, 23, (5, 11))
    counts = match_rate(anchor, positive, cells, truth, pixel_stride=2, tile=tile)
    errors = match_errors_by_loops(anchor.numpy(), positive.numpy(), cells.tolist(), truth.tolist(), 2)
    assert int(counts.correct) == sum(error <= 5.0 for error in errors)
    assert int(counts.total) == 23
    np.testing.assert_allclose(counts.median_error, np.median(errors), atol=0.125)
    np.testing.assert_allclose(counts.chance_rate, chance_rate_by_loops(truth.tolist(), 5, 11, 2, 5.0), rtol=1e-12)


def test_counts_of_parts_add_up_to_those_of_the_whole():
    anchor, positive = random_features(8), random_features(9)
    cells, truth = random_cells(10, 30), random_cells(11, 30)
    whole = match_rate(anchor, positive, cells, truth, pixel_stride=2)
    first = match_rate(anchor, positive, cells[:11], truth[:11], pixel_stride=2)
    both = first + match_rate(anchor, positive, cells[11:], truth[11:], pixel_stride=2)
    assert (both.rate, both.median_error) == (whole.rate, whole.median_error)
    np.testing.assert_allclose(both.chance_rate, whole.chance_rate)


def test_no_pairs_give_zero_counts_and_no_rate():
    none = torch.zeros(0, 2, dtype=torch.int64)
    counts = match_rate(random_features(0), random_features(1), none, none, pixel_stride=2)
    assert (int(counts.correct), int(counts.total), float(counts.chance)) == (0, 0, 0.0)
    assert math.isnan(counts.rate)
    assert math.isnan(counts.median_error)


@pytest.mark.parametrize("stride", [1, 2, 3, 8])
def test_chance_agrees_with_counting_cells(stride):
    truth = torch.cat([random_cells(12, 9).double(), torch.tensor([[0.25, 3.5], [8.4, 0.0]], dtype=torch.float64)])
    wanted = chance_rate_by_loops(truth.tolist(), HEIGHT, WIDTH, stride, 5.0)
    np.testing.assert_allclose(chance_rate(truth, HEIGHT, WIDTH, pixel_stride=stride), wanted, rtol=1e-12)


def test_random_features_match_about_as_often_as_chance():
    size, pairs = (24, 32), 1500
    truth = random_cells(13, pairs, size)
    counts = match_rate(
        random_features(14, size), random_features(15, size), random_cells(16, pairs, size), truth, pixel_stride=2
    )
    assert abs(counts.rate - counts.chance_rate) < 4 * math.sqrt(counts.chance_rate / pairs)


def test_half_precision_features_are_compared_in_float32():
    cells = random_cells(17, 12)
    features = random_features(17).to(torch.bfloat16)
    assert match_rate(features, features, cells, cells, pixel_stride=2, threshold_px=0.0).rate == 1.0


def test_a_cell_outside_the_map_or_a_broken_feature_is_refused():
    features, cells = random_features(18), torch.tensor([[HEIGHT + 1, HEIGHT]])
    with pytest.raises(UserError, match=r"anchor cells must lie in a feature map of 9 x 7 cells"):
        match_rate(features, features, cells, cells, pixel_stride=2)
    with pytest.raises(UserError, match="not finite"):
        match_rate(features * math.nan, features, cells[:0], cells[:0], pixel_stride=2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_matches_on_the_gpu_equal_those_on_the_cpu():
    anchor, positive = random_features(19), random_features(20)
    cells, truth = random_cells(21, 50), random_cells(22, 50)
    there = match_rate(anchor.cuda(), positive.cuda(), cells.cuda(), truth.cuda(), pixel_stride=2)
    here = match_rate(anchor, positive, cells, truth, pixel_stride=2)
    assert (int(there.correct), there.median_error) == (int(here.correct), here.median_error)
