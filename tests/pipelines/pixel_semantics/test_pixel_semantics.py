"""The pipeline from a picture to meanings of its pixels, with tiny networks and with the truth in their place."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs import evaluate, predict
from sem3d.config import override
from sem3d.datasets.sketched_views import sketched_sources
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.keypoints import LocatedKeypoints
from sem3d.geometry.object_camera import FOCAL_SHARE
from sem3d.geometry.viewpoint_bins import angle_between
from sem3d.pipelines.pixel_semantics.drawing import taken
from sem3d.pipelines.pixel_semantics.networks import check_classes, load_networks, trained, usual_distance
from sem3d.pipelines.pixel_semantics.program import NOT_AVAILABLE, ScoringOptions, unanswered_line, way_rows
from sem3d.pipelines.pixel_semantics.squares import cut_square
from sem3d.pipelines.pixel_semantics.understanding import Given, understand
from sem3d.pipelines.pixel_semantics.views import check_camera, known_views, pairs_of
from sem3d.pipelines.pixel_semantics.ways import (
    PIPELINE,
    VIEWPOINT,
    WAYS,
    Scored,
    by_meaning,
    degrees_off,
    same_keypoints,
    score,
)
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.rendering.fitted_viewpoint import ObjectCamera
from tests.jobs.outcome import outcome

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def options(runs, tmp_path_factory):
    storage = str(tmp_path_factory.mktemp("storage"))
    return ScoringOptions(**runs, storage=storage, points=300, steps=8, transfer=False, device="cpu")


@pytest.fixture(scope="module")
def networks(options):
    return load_networks(options, CPU)


@pytest.fixture(scope="module")
def views(networks, options):
    data = networks.reconstruction.experiment.data
    tested = sketched_sources(data, options.storage, ("image", "sketch", "viewpoint", "voxel"))["tested"]
    return known_views(tested, 0)[0]


def test_the_distance_is_that_of_the_training_views(networks, sketched):
    assert 2.4 * 0.85 < networks.distance < 2.4 * 1.15
    samples = sketched_sources(networks.viewpoint.experiment.data, "runs", ("image",))["train"]
    assert networks.distance == pytest.approx(usual_distance(samples))


def test_means_are_of_the_meanings_that_models_have(networks):
    assert len(networks.meanings) == len(networks.means) > 5
    assert np.isfinite(networks.means).all()


def test_with_the_truth_in_every_place_points_of_the_surface_fall_where_they_are_seen(networks, views, options):
    right, errors = [], []
    for view in views[:4]:
        one = understand(networks, view.image, replace(options, refine="none"), view.truth)
        places, seen = by_meaning(at_keypoints(one, view), view)
        errors.append(np.linalg.norm((places - view.places)[view.visible], axis=1) / view.side)
        right.append((seen == view.visible).mean())
    assert np.median(np.concatenate(errors)) < 0.08  # neither the distance nor the way off the middle is known
    assert np.mean(right) > 0.7


def test_refinement_finds_a_distance_that_is_far_off(networks, views, options):
    wrong = replace(networks, distance=3.4)
    errors: dict[str, list[np.ndarray]] = {"none": [], "distance": []}
    for view in views[:2]:
        for refine, found in errors.items():
            one = understand(wrong, view.image, replace(options, refine=refine, steps=20, rate=0.03), view.truth)
            places, _ = by_meaning(at_keypoints(one, view), view)
            found.append(np.linalg.norm((places - view.places)[view.visible], axis=1) / view.side)
    median = {refine: float(np.median(np.concatenate(found))) for refine, found in errors.items()}
    assert median["distance"] < 0.8 * median["none"]


def at_keypoints(one, view):
    """The same with the points of the surface next to the true keypoints as its own."""
    return replace(one, keypoints=one.cloud[one.nearest.query(view.xyz)[1]], meanings=view.meanings)


def test_keypoints_are_the_points_whose_embedding_is_nearest_to_a_meaning(networks, views, options):
    view = views[0]
    one = understand(networks, view.image, options, view.truth)
    chosen = [3, 100, 250]
    known = replace(networks, meanings=np.array([5, 2, 9]), means=one.embedding[chosen])
    again = understand(known, view.image, options, view.truth)
    np.testing.assert_allclose(
        again.embedding[again.nearest.query(again.keypoints)[1]], one.embedding[chosen], atol=1e-9
    )


def test_every_pixel_of_the_shape_has_the_embedding_of_the_surface_there(networks, views, options):
    one = understand(networks, views[0].image, options, views[0].truth)
    found, seen = one.pixels(16)
    assert seen.any()
    np.testing.assert_array_equal(np.isfinite(found).all(axis=0), seen)
    values = found[:, seen].T
    nearest = np.abs(values[:, None] - one.embedding[None]).sum(axis=2).min(axis=1)
    np.testing.assert_allclose(nearest, 0, atol=1e-9)


def test_without_a_surface_nothing_is_found_and_nothing_breaks(networks, views, options):
    nothing = Given(sketch=views[0].truth.sketch, voxels=np.zeros((16, 16, 16), bool))
    one = understand(networks, views[0].image, options, nothing)
    places, seen = one.located(32)
    assert np.isnan(places).all()
    assert not seen.any()
    assert not one.pixels(8)[1].any()
    scored = score([one], views[:1])
    assert way_rows({PIPELINE: scored}, (0.1,))[0]["PCK 0.1"] == 0
    assert (scored.without_object, scored.without_surface) == (0, 1)


def test_a_picture_in_which_no_object_is_found_has_no_answer_and_counts_as_wrong(networks, views, options):
    """Also where the shape is given: it would be the same for whatever picture."""
    empty = replace(views[0].truth, sketch=np.zeros_like(views[0].truth.sketch))
    one = understand(networks, views[0].image, options, empty)
    assert not one.object_found
    assert not len(one.faces)
    assert one.camera is one.predicted
    scored = score([one, understand(networks, views[1].image, options, views[1].truth)], views[:2])
    assert (scored.without_object, scored.without_surface, len(scored.degrees)) == (1, 0, 1)
    assert np.isnan(scored.located[0].found).all()
    predicted, true = scored.visible[0]
    assert (predicted == ~true).all()
    assert "no object found in 1 of 2 pictures, no surface in 0" in unanswered_line(scored, 2)
    alone = score([one], views[:1])
    row = way_rows({PIPELINE: alone}, (0.1,))[0]
    assert (row["PCK 0.1"], row["visibility right"], row["no object found"]) == (0, 0, 1)


def test_rows_are_shares_of_keypoints_and_differences_to_the_pipeline():
    size, box = (100, 100), (0.0, 0.0, 50.0, 40.0)
    true = np.zeros((4, 2))
    near, far = np.array([[4.0, 0], [0, 4], [6, 0], [0, 0]]), np.array([[4.0, 0], [9, 0], [9, 0], [np.nan, 0]])
    sight = [(np.array([True, False, True]), np.array([True, True, True]))]
    scored = {
        PIPELINE: Scored([LocatedKeypoints(far, true, size, box)], sight, [10.0]),
        VIEWPOINT: Scored([LocatedKeypoints(near, true, size, box)], sight, [0.0]),
    }
    first, second = way_rows(scored, (0.1,))
    assert (first["PCK 0.1"], second["PCK 0.1"]) == (25, 75)
    assert second["PCK over pipeline"] == "+50.0"
    assert second["paper"] == "+8.2"
    assert first["visibility right"] == pytest.approx(200 / 3)
    others = way_rows({way: scored[PIPELINE] for way in WAYS}, (0.1,))
    assert [row["paper"] for row in others if row["way"] not in (PIPELINE, VIEWPOINT)] == [NOT_AVAILABLE] * 5


def test_pairs_are_of_different_objects_and_told_apart_by_their_angle(views):
    pairs = pairs_of(views, seed=0)
    assert len(pairs) == len(views)
    assert {pair.group for pair, _ in pairs} <= {"near", "far"}
    for pair, place in pairs:
        assert pair.target.path == views[place].picture
        assert pair.source.path.split("/")[:2] != pair.target.path.split("/")[:2]
    assert [pair.source.path for pair, _ in pairs] != [pair.source.path for pair, _ in pairs_of(views, seed=1)]
    (located,) = same_keypoints([views[0].places + 3], views, [(pairs[0][0].names, 0)])
    names = [str(meaning) for meaning in views[0].meanings.tolist()]
    expected = [views[0].places[names.index(name)] for name in sorted(pairs[0][0].names, key=names.index)]
    np.testing.assert_allclose(located.true, expected)
    np.testing.assert_allclose(located.found, located.true + 3)


def words(runs: dict[str, str], **others: object) -> list[str]:
    """Arguments of a command on these runs."""
    given = runs | {"run.device": "cpu"} | {name.replace("__", "."): value for name, value in others.items()}
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def test_the_command_prints_every_way_beside_the_papers_gain(runs, options, monkeypatch, capsys):
    asked = words(runs, run__storage=options.storage, most_views=2, steps=1, points=200)
    code, told, _ = outcome(evaluate.main, monkeypatch, capsys, "pixel_semantics", *asked, "--no-transfer")
    assert code == 0
    assert all(way in told for way in WAYS)
    assert "+8.2" in told
    assert told.count(NOT_AVAILABLE) == 5
    assert "2 views of" in told
    assert "0 test views cannot be used\n" in told
    assert "no object found in 2 of 2 pictures" in told  # untrained networks find no pixel of it
    path = Path(options.storage) / "pixel_semantics" / "figures" / "pixel_semantics.png"
    assert np.asarray(Image.open(path)).std() > 5


def test_a_run_of_another_method_is_refused(options):
    with pytest.raises(UserError, match="is a run of viewpoint: name one of reconstruction"):
        load_networks(replace(options, shape=options.view), CPU)


def test_runs_of_different_classes_are_refused_and_unknown_classes_are_not(options):
    def of(name: str, category: str) -> TrainedRun:
        run = trained(options, getattr(options, name), load[name])
        return replace(run, experiment=override(run.experiment, {"data.category": category}))

    load = {"shape": "reconstruction", "view": "viewpoint", "meaning": "keypoint_embedding"}
    with pytest.raises(
        UserError, match="different classes, viewpoint '02691156', keypoint_embedding 'chair': name three"
    ):
        check_classes(of("shape", ""), of("view", "02691156"), of("meaning", "chair"))
    check_classes(of("shape", "my_chairs"), of("view", "Chair"), of("meaning", "03001627"))


def test_keypoints_that_hardly_any_model_has_are_refused_in_a_line(options, monkeypatch):
    monkeypatch.setattr("sem3d.pipelines.pixel_semantics.networks.LEAST_SHARE", 2.0)
    with pytest.raises(UserError, match="no keypoint is on 200% of the training models"):
        load_networks(options, CPU)


def test_lines_say_the_run_of_each_part_its_steps_and_sketches_that_were_never_trained(networks):
    shape, view, meaning = networks.told
    assert shape.startswith("reconstruction: shape")
    assert ", step 1, batches of 4" in shape
    assert shape.endswith("its 2.5D sketches are of random weights")
    assert "random" not in view + meaning


def test_the_error_of_a_viewpoint_counts_its_roll(views):
    azimuth, polar = views[0].truth.angles
    camera = ObjectCamera.at(azimuth, polar, 2.4)
    assert degrees_off(camera, views[0]) == pytest.approx(0, abs=1e-5)
    rolled = replace(camera, roll=torch.tensor(0.5, dtype=torch.float64))
    assert degrees_off(rolled, views[0]) == pytest.approx(np.rad2deg(0.5))
    turned = ObjectCamera.at(azimuth + 0.3, polar - 0.2, 2.4)
    true = [torch.tensor(value, dtype=torch.float64) for value in (azimuth, polar)]
    expected = np.rad2deg(float(angle_between(turned.azimuth, turned.polar, *true)))
    assert degrees_off(turned, views[0]) == pytest.approx(expected)


@pytest.fixture
def photo(views, sketched, tmp_path):
    """A copy of a test object's photo, of its sketches and of its camera."""
    picture = tmp_path / views[0].picture
    shutil.copytree((sketched / views[0].picture).parents[1], picture.parents[1])
    return picture


def test_a_photo_of_another_size_or_camera_than_its_sketches_is_told(photo, views):
    side = views[0].side
    check_camera(photo, side)
    text = (photo.parents[1] / "intrinsics.txt").read_text()
    focal, rest = text.split(" ", 1)
    (photo.parents[1] / "intrinsics.txt").write_text(f"{1.3 * float(focal)} {rest}")
    with pytest.raises(BadSample, match=r"a focal length of 2\.125 sides, where the pipeline has 1\.634"):
        check_camera(photo, side)
    Image.open(photo).resize((side, side // 2)).save(photo)
    with pytest.raises(BadSample, match="beside sketches of"):
        check_camera(photo, side)


def test_what_is_not_taken_for_the_object_fades(networks, views, options):
    one = understand(networks, views[0].image, replace(options, refine="none"), views[0].truth)
    black = taken(np.zeros((240, 240, 3), np.uint8), one)
    assert (black[..., 0] == 0).mean() == pytest.approx(one.sketch[4].mean(), abs=0.02)
    assert set(np.unique(black)) == {0, 212}


@pytest.fixture
def picture(views, sketched, tmp_path):
    """An RGBA picture of a chair, moved off the middle of a wider one."""
    drawn = Image.open(sketched / views[0].picture.replace("photo", "rgb"))
    wide = Image.new("RGBA", (70, 50), (0, 0, 0, 0))
    wide.paste(drawn, (30, 5))
    wide.save(tmp_path / "chair.png")
    return tmp_path / "chair.png"


def test_a_picture_is_cut_so_that_its_object_is_as_large_as_in_renders(picture):
    cut, (left, top, side) = cut_square(picture, 2.4)
    alpha = np.asarray(Image.open(picture).getchannel("A")) >= 128
    rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    assert side == pytest.approx(longest * 2.4 / FOCAL_SHARE)
    assert left + side / 2 == pytest.approx((columns[0] + columns[-1] + 1) / 2)
    assert top + side / 2 == pytest.approx((rows[0] + rows[-1] + 1) / 2)
    assert cut.size == (round(side), round(side))
    assert (np.asarray(cut)[0] == 255).all()


def test_a_mask_is_as_good_as_an_alpha_channel(picture, tmp_path):
    drawn = Image.open(picture)
    drawn.getchannel("A").save(tmp_path / "mask.png")
    drawn.convert("RGB").save(tmp_path / "plain.png")
    cut, square = cut_square(tmp_path / "plain.png", 2.4, str(tmp_path / "mask.png"))
    expected, place = cut_square(picture, 2.4)
    assert square == place
    np.testing.assert_array_equal(np.asarray(cut), np.asarray(expected))


def test_pictures_that_show_nothing_and_masks_of_other_pictures_are_refused(picture, tmp_path):
    Image.new("RGB", (40, 30), (9, 90, 200)).save(tmp_path / "blue.png")
    with pytest.raises(UserError, match=r"blue.png shows nothing: it is of one colour everywhere"):
        cut_square(tmp_path / "blue.png", 2.4)
    with pytest.raises(UserError, match="a mask of 40 x 30, where the picture is 70 x 50"):
        cut_square(picture, 2.4, str(tmp_path / "blue.png"))


def test_a_picture_without_a_pixel_of_an_object_gives_no_numbers(runs, picture, options, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sem3d.networks.sketch_network.SILHOUETTE", 1e9)
    asked = words(runs, image=picture, out=tmp_path / "made" / "chair.npz", run__storage=options.storage, steps=2)
    code, _, error = outcome(predict.main, monkeypatch, capsys, "pixel_semantics", *asked)
    assert (code, error.count("\n")) == (2, 1)
    assert "no pixel is taken for the object" in error
    assert not (tmp_path / "made").exists()


def test_a_prediction_is_written_and_its_pixels_are_of_the_whole_picture(
    runs, picture, options, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("sem3d.networks.sketch_network.SILHOUETTE", -1e9)  # untrained networks find no pixel of it
    made = tmp_path / "made"
    asked = words(runs, image=picture, out=made / "chair.npz", run__storage=options.storage, steps=2)
    code, told, _ = outcome(predict.main, monkeypatch, capsys, "pixel_semantics", *asked)
    assert code == 0
    assert "in sight" in told
    assert "its 2.5D sketches are of random weights" in told
    content = json.loads((made / "chair.json").read_text())
    with np.load(made / "chair.npz") as stored:
        assert stored["embedding"].shape[1:] == (32, 32)
        assert stored["camera_from_object"].shape == (4, 4)
    assert (made / "chair.obj").stat().st_size > 100
    assert np.asarray(Image.open(made / "chair.png")).std() > 5
    square = content["square"]
    for keypoint in content["keypoints"]:
        if keypoint["visible"]:
            u, v = keypoint["pixel"]
            assert square["left"] - 0.5 <= u <= square["left"] + square["side"] - 0.5
            assert square["top"] - 0.5 <= v <= square["top"] + square["side"] - 0.5


def test_a_wrong_prediction_is_one_line(runs, picture, tmp_path, monkeypatch, capsys):
    other = words(runs, image=picture, out=tmp_path / "chair.txt")
    code, _, error = outcome(predict.main, monkeypatch, capsys, "pixel_semantics", *other)
    assert (code, error.count("\n")) == (2, 1)
    assert "must end in .npz" in error
