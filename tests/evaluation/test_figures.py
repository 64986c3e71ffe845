import numpy as np
import pytest
from PIL import Image

from sem3d.errors import UserError
from sem3d.evaluation.figures import (
    DrawnBoxes,
    DrawnScene,
    box_sheet,
    draw_before_and_after,
    draw_matches,
    feature_sheet,
    pca_features,
    prediction_sheet,
    seen_from_above,
)
from sem3d.evaluation.figures.canvas import legend

PALETTE = np.array([[0, 0, 0], [200, 10, 10], [10, 200, 10], [10, 10, 200]], dtype=np.uint8)
NAMES = ["unlabelled", "wall", "floor", "chair"]


def is_picture(array):
    return array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and min(array.shape[:2]) > 100


def has_colour(picture, colour, tolerance=0):
    return bool((np.abs(picture.astype(int) - np.asarray(colour)).max(axis=2) <= tolerance).any())


def grey(height, width, level=128):
    return np.full((height, width, 3), level, dtype=np.uint8)


def test_matches_are_drawn_where_they_are():
    pixels = np.array([[10.0, 20.0]])
    picture = draw_matches(grey(48, 64), grey(48, 64), pixels, pixels, correct=np.array([True]))
    assert is_picture(picture)
    top, left, scale = 40, 8, 10
    start = picture[round(top + 20.5 * scale), round(left + 10.5 * scale)]
    end = picture[round(top + 20.5 * scale), round(left + 640 + 8 + 10.5 * scale)]
    assert start.tolist() == end.tolist() == [0, 190, 90]


def test_right_matches_are_green_and_wrong_ones_red():
    pixels = np.array([[10, 20], [40, 30]])
    green, red = (0, 190, 90), (225, 40, 50)
    pictures = [
        draw_matches(grey(48, 64), grey(48, 64), pixels, pixels, correct=np.array(correct))[40:520]
        for correct in ([True, True], [False, False])
    ]
    assert [has_colour(picture, green, 20) for picture in pictures] == [True, False]
    assert [has_colour(picture, red, 20) for picture in pictures] == [False, True]


def test_networks_are_shown_one_above_the_other_on_the_same_pair():
    pixels = np.array([[10.0, 20.0]])
    whole = draw_matches(grey(48, 64), grey(48, 64), pixels, pixels)
    found = {"before": (pixels + 20, np.array([False])), "after": (pixels, np.array([True]))}
    picture = draw_before_and_after(grey(48, 64), grey(48, 64), pixels, found)
    upper, lower = np.array_split(picture, 2)
    assert picture.shape[0] > 2 * whole.shape[0]
    assert has_colour(upper[:-40, 700:], (225, 40, 50), 40)
    assert not has_colour(lower[40:, 700:-40], (225, 40, 50), 40)
    assert has_colour(lower[40:, 700:], (0, 190, 90), 40)


def test_neighbouring_anchors_share_a_hue_and_distant_ones_do_not():
    ends = np.array([[5, 5], [5, 6], [60, 40]])
    picture = draw_matches(grey(48, 64), grey(48, 64), ends, ends).astype(int)
    colours = [picture[round(40 + 10 * (v + 0.5)), round(8 + 10 * (u + 0.5))] for u, v in ends]
    assert np.abs(colours[0] - colours[1]).max() < 60 < np.abs(colours[0] - colours[2]).max()


def test_no_more_matches_than_the_limit_are_drawn():
    pixels = np.stack([np.full(100, 32), np.linspace(2, 45, 100)], axis=1)
    few, many = (
        (draw_matches(grey(48, 64), grey(48, 64), pixels, pixels, limit=limit) != 128).any(axis=2)[40:520].sum()
        for limit in (2, 100)
    )
    assert few < many / 5


@pytest.mark.parametrize("correct", [None, np.zeros(0, dtype=bool)])
def test_a_pair_without_matches_and_with_two_sizes_is_still_a_picture(correct):
    none = np.zeros((0, 2))
    assert is_picture(draw_matches(grey(48, 64), grey(90, 60), none, none, correct=correct))


def test_a_prediction_sheet_paints_labels_in_their_colours_and_names_only_classes_that_appear():
    labels = np.full((2, 30, 40), 1)
    predictions = np.full((2, 30, 40), 2, dtype=np.uint8)
    sheet = prediction_sheet([grey(60, 80)] * 2, labels, predictions, PALETTE, NAMES)
    assert is_picture(sheet)
    assert sheet[100, 8 + 320 + 8 + 100].tolist() == PALETTE[1].tolist()
    assert sheet[100, 8 + 2 * (320 + 8) + 100].tolist() == PALETTE[2].tolist()
    assert not has_colour(sheet, PALETTE[3])
    assert not has_colour(sheet, PALETTE[0])


def test_a_prediction_sheet_grows_by_a_row_an_image():
    labels = np.zeros((3, 30, 40), dtype=np.int64)
    images = np.stack([grey(60, 80)] * 3)
    one, three = (prediction_sheet(images[:n], labels[:n], labels[:n], PALETTE, NAMES) for n in (1, 3))
    assert three.shape[0] - one.shape[0] == 2 * (240 + 8)
    assert one.shape[1] == three.shape[1]


def test_an_id_without_a_name_is_refused():
    labels = np.full((1, 30, 40), 7)
    with pytest.raises(UserError, match="label ids span 7 to 7, but colours and names exist for 0 to 3"):
        prediction_sheet([grey(60, 80)], labels, labels, PALETTE, NAMES)


def test_a_long_legend_wraps_instead_of_being_cut_off():
    entries = [((1, 2, 3), f"class number {index}") for index in range(30)]
    narrow, wide = legend(entries, 400), legend(entries, 6000)
    assert narrow.height > 5 * wide.height
    margin = np.asarray(narrow)[:, -4:]
    assert (margin == 255).all()


def test_pca_colours_do_not_depend_on_the_sign_of_the_eigenvectors_or_the_run():
    features = np.random.default_rng(0).normal(size=(8, 12, 16))
    first, again = pca_features([features])[0], pca_features([features.copy()])[0]
    np.testing.assert_array_equal(first, again)
    mirrored = pca_features([np.flip(features, axis=2).copy()])[0]
    np.testing.assert_array_equal(mirrored, first[:, ::-1])


def test_pca_is_joint_so_equal_features_of_different_maps_share_a_colour():
    random = np.random.default_rng(1)
    first, second = random.normal(size=(6, 10, 10)), random.normal(size=(6, 4, 5))
    second[:, 2, 3] = first[:, 7, 1]
    colours = pca_features([first, second])
    assert [part.shape for part in colours] == [(10, 10, 3), (4, 5, 3)]
    np.testing.assert_array_equal(colours[0][7, 1], colours[1][2, 3])


def test_pca_puts_the_strongest_direction_in_red_with_its_largest_loading_positive():
    ramp = np.linspace(0.0, 1.0, 100).reshape(10, 10)
    features = np.stack([0.01 * np.sin(40 * ramp), -5.0 * ramp])
    red = pca_features([features])[0][..., 0].astype(int).flatten()
    assert red[0] == 255
    assert red[-1] == 0
    assert (np.diff(red) <= 0).all()


def test_one_outlying_cell_does_not_flatten_the_others():
    features = np.random.default_rng(2).normal(size=(3, 20, 20))
    features[:, 0, 0] = 1e4
    assert pca_features([features])[0].reshape(-1, 3).std(axis=0).min() > 30


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_few_dimensions_constant_features_and_broken_cells_still_give_colours(dim):
    features = np.ones((dim, 6, 7), dtype=np.float32)
    assert (pca_features([features])[0] == 128).all()
    features[:, 2, 3] = np.nan
    colours = pca_features([features])[0]
    assert colours[2, 3].tolist() == [0, 0, 0]
    assert colours[0, 0].tolist() == [128, 128, 128]


def test_features_are_shown_at_the_size_of_their_image():
    features = [np.random.default_rng(seed).normal(size=(5, 8, 6)) for seed in range(2)]
    sheet = feature_sheet([grey(60, 80), grey(90, 80)], features)
    assert is_picture(sheet)
    assert sheet.shape == (8 + 24 + 8 + 240 + 8 + 360 + 8, 2 * 320 + 3 * 8, 3)


def test_real_frames_give_a_match_picture_at_their_own_resolution(shared_data):
    frames = [
        np.asarray(Image.open(shared_data / "rgbd_kitchen" / f"frame-{number:06d}.color.jpg").convert("RGB"))
        for number in (0, 60)
    ]
    pixels = np.array([[320, 240], [20, 30]])
    picture = draw_matches(*frames, pixels, pixels, correct=np.array([True, False]))
    assert picture.shape[1] == 2 * 640 + 3 * 8
    np.testing.assert_array_equal(picture[500, 8:500], frames[0][460, 0:492])


def test_a_scene_from_above_shows_what_lies_highest_below_the_cut():
    voxel = np.array([[0, 0, 0], [0, 0, 3], [0, 0, 9], [2, 1, -1], [1, 1, 4]])
    values = np.array([1, 2, 3, 4, 5], np.uint8)
    assert seen_from_above(voxel, values, cut=5.0).tolist() == [[0, 5, 4], [2, 0, 0]]
    colours = np.repeat(values[:, None], 3, axis=1)
    assert seen_from_above(voxel, colours, cut=100.0)[1, 0].tolist() == [3, 3, 3]


def test_boxes_are_outlined_where_they_are():
    voxel = np.array([[x, y, z] for x in range(20, 40) for y in range(-10, 0) for z in (0, 30)])
    color = np.where(voxel[:, 2:] > 0, 255, 128).repeat(3, 1).astype(np.uint8)  # the upper ones are cut away
    objects = DrawnBoxes(np.array([[3.0, -0.5, 0, 0.8, 0.4, 1, 0]]), np.array([1]))
    found = DrawnBoxes(np.array([[2.5, -0.5, 0, 0.4, 0.4, 1, np.pi / 4]]), np.array([2]))
    sheet = box_sheet([DrawnScene(voxel, color, objects, found)] * 2, 0.1, 1.8, PALETTE, NAMES)
    assert is_picture(sheet)
    top, left, gap, scale = 8 + 24 + 8, 8, 8, 16 / 0.1
    panel = sheet[top : top + 160, left + 320 + gap : left + 640 + gap]
    rows, columns = np.nonzero((panel == PALETTE[1]).all(2))
    assert abs(columns.min() - (3.0 - 0.4 - 2.0) * scale) <= 2
    assert abs(columns.max() - (3.0 + 0.4 - 2.0) * scale) <= 2
    assert abs(rows.min() - (0 - (-0.5 + 0.2)) * scale) <= 2
    assert abs(rows.max() - (0 - (-0.5 - 0.2)) * scale) <= 2
    assert not has_colour(panel, PALETTE[2])
    assert not has_colour(sheet[top : top + 160, left : left + 320], PALETTE[1])
    panel = sheet[top : top + 160, left + 640 + 2 * gap : left + 960 + 2 * gap]
    _, columns = np.nonzero((panel == PALETTE[2]).all(2))
    assert abs(columns.min() - (2.5 - 0.2 * np.sqrt(2) - 2.0) * scale) <= 3


def test_a_sheet_without_boxes_shows_the_scenes():
    voxel = np.array([[x, y, 0] for x in range(9) for y in range(9)])
    none = DrawnBoxes(np.zeros((0, 7)), np.zeros(0, int))
    assert is_picture(box_sheet([DrawnScene(voxel, grey(9, 9).reshape(81, 3), none, none)], 0.1, 1.8, PALETTE, NAMES))
