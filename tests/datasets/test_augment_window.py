"""Mirrored and resized images, and pixels that follow them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sem3d.datasets.augment_window import Window, WindowAugmentation, draw_window, whole_window

SIZE = (24, 32)


def numbered() -> np.ndarray:
    """An image in which each pixel has a colour of its own."""
    rows, columns = np.indices(SIZE)
    return np.stack([7 * rows, 7 * columns, rows + columns], axis=2).astype(np.uint8)


def every_pixel() -> np.ndarray:
    rows, columns = np.indices(SIZE)
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def seen_colours(window: Window, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the pixels that the window shows, before and in it."""
    moved, seen = window.pixels(every_pixel())
    before = image[every_pixel()[seen, 1], every_pixel()[seen, 0]]
    return before, window.image(image)[moved[seen, 1], moved[seen, 0]]


def test_the_whole_window_changes_nothing():
    assert_array_equal(whole_window(SIZE).image(numbered()), numbered())
    moved, seen = whole_window(SIZE).pixels(every_pixel())
    assert_array_equal(moved, every_pixel())
    assert seen.all()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (-2, 4), (-3, -6)])
def test_pixels_keep_their_colours_where_the_size_stays(mirrored, corner):
    window = Window(SIZE, SIZE, corner, mirrored)
    before, after = seen_colours(window, numbered())
    assert_array_equal(after, before)
    assert len(before) == (24 - abs(corner[0])) * (32 - abs(corner[1]))
    moved, seen = window.pixels(every_pixel())
    shown = np.zeros(SIZE, bool)
    shown[moved[seen, 1], moved[seen, 0]] = True
    assert not window.image(np.full_like(numbered(), 9))[~shown].any()


def test_an_asymmetric_image_is_mirrored_left_to_right():
    image = np.zeros((*SIZE, 3), np.uint8)
    image[2, 3] = 200
    mirrored = Window(SIZE, SIZE, (0, 0), True)
    assert_array_equal(np.argwhere(mirrored.image(image)[..., 0]), [[2, 28]])
    assert_array_equal(mirrored.pixels(np.array([[3, 2]]))[0], [[28, 2]])


@pytest.mark.parametrize("resized", [(48, 64), (18, 24), (29, 37)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pixels_of_a_smooth_image_keep_their_colours_where_it_is_resized(resized, mirrored):
    rows, columns = np.indices(SIZE)
    smooth = np.stack([5 * rows, 5 * columns, 0 * rows], axis=2).astype(np.uint8)
    corner = ((resized[0] - SIZE[0]) // 2, (resized[1] - SIZE[1]) // 2)
    before, after = seen_colours(Window(SIZE, resized, corner, mirrored), smooth)
    assert len(before) > 0.2 * smooth[..., 0].size
    assert np.abs(before.astype(int) - after).max() <= 7


@pytest.mark.parametrize("seed", range(20))
def test_a_drawn_window_lies_in_the_image_or_around_it(seed):
    window = draw_window(SIZE, WindowAugmentation(resize=0.3), np.random.default_rng(seed))
    assert window == draw_window(SIZE, WindowAugmentation(resize=0.3), np.random.default_rng(seed))
    for start, whole, side in zip(window.corner, window.resized, SIZE, strict=True):
        assert min(0, whole - side) <= start <= max(0, whole - side)
    assert window.image(numbered()).shape == (*SIZE, 3)
    assert window.pixels(every_pixel())[1].sum() > 100
