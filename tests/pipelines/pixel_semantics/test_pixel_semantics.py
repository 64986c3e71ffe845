"""The pipeline from a picture to meanings of its pixels, with tiny networks and with the truth in their place."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs import evaluate, predict
from sem3d.datasets.sketched_views import sketched_sources
from sem3d.errors import UserError
from sem3d.evaluation.keypoints import LocatedKeypoints
from sem3d.geometry.object_camera import FOCAL_SHARE
from sem3d.pipelines.pixel_semantics.networks import load_networks, usual_distance
from sem3d.pipelines.pixel_semantics.prediction import cut_square
from sem3d.pipelines.pixel_semantics.program import NOT_AVAILABLE, ScoringOptions, way_rows
from sem3d.pipelines.pixel_semantics.understanding import Given, understand
from sem3d.pipelines.pixel_semantics.views import known_views, pairs_of
from sem3d.pipelines.pixel_semantics.ways import PIPELINE, VIEWPOINT, WAYS, Scored, by_meaning, same_keypoints, score
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
    return list(known_views(tested, 0))


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
    one = understand(networks, views[0].image, options, Given(voxels=np.zeros((16, 16, 16), bool)))
    places, seen = one.located(32)
    assert np.isnan(places).all()
    assert not seen.any()
    assert not one.pixels(8)[1].any()
    scored = score([one], views[:1])
    assert way_rows({PIPELINE: scored}, (0.1,))[0]["PCK 0.1"] == 0


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
    path = Path(options.storage) / "pixel_semantics" / "figures" / "pixel_semantics.png"
    assert np.asarray(Image.open(path)).std() > 5


def test_a_run_of_another_method_is_refused(options):
    with pytest.raises(UserError, match="is a run of viewpoint: name one of reconstruction"):
        load_networks(replace(options, shape=options.view), CPU)


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


def test_a_prediction_is_written_and_its_pixels_are_of_the_whole_picture(
    runs, picture, options, tmp_path, monkeypatch, capsys
):
    made = tmp_path / "made"
    asked = words(runs, image=picture, out=made / "chair.npz", run__storage=options.storage, steps=2)
    code, told, _ = outcome(predict.main, monkeypatch, capsys, "pixel_semantics", *asked)
    assert code == 0
    assert "in sight" in told
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
