import numpy as np
import pytest
import torch
from torch.testing import assert_close

from sem3d.evaluation.novel_views import psnr, ssim
from tests.reference import view_scores


def pictures(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    truth = rng.random((2, 11, 9, 3))
    return torch.from_numpy(np.clip(truth + rng.normal(0, 0.2, truth.shape), 0, 1)), torch.from_numpy(truth)


@pytest.mark.parametrize("seed", range(2))
def test_scores_are_those_of_loops(seed: int):
    found, truth = pictures(seed)
    pairs = list(zip(found.numpy(), truth.numpy(), strict=True))
    assert_close(psnr(found, truth), torch.tensor([view_scores.psnr(*pair) for pair in pairs], dtype=torch.float64))
    assert_close(ssim(found, truth), torch.tensor([view_scores.ssim(*pair) for pair in pairs], dtype=torch.float64))


def test_an_error_of_a_tenth_everywhere_is_20_db():
    truth = torch.full((1, 8, 8, 3), 0.5)
    assert psnr(truth + 0.1, truth).item() == pytest.approx(20, abs=1e-4)
    assert psnr(truth, truth).item() == 100


def test_a_picture_is_like_itself_and_its_negative_is_unlike_it():
    _, truth = pictures(0)
    assert_close(ssim(truth, truth), torch.ones(2, dtype=torch.float64))
    assert (ssim(1 - truth, truth) < 0).all()


def test_a_constant_shift_leaves_the_structure_and_changes_the_mean():
    truth = torch.full((1, 7, 7, 1), 0.5, dtype=torch.float64)
    expected = (2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4)
    assert ssim(truth + 0.1, truth).item() == pytest.approx(expected)


def test_pictures_smaller_than_a_window_are_refused():
    with pytest.raises(ValueError, match="no window"):
        ssim(torch.zeros(1, 6, 9, 3), torch.zeros(1, 6, 9, 3))
