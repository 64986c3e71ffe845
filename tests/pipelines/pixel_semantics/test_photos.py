"""Keypoints of photographs by the pipeline: places in squares, embeddings that move them, and the command beside 2D transfer."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs import evaluate
from sem3d.datasets.photos import keypointnet_ids
from sem3d.datasets.photos.keypoint_images import KeypointImage, KeypointPair
from sem3d.datasets.photos.keypointnet_ids import GENERATED_NAMES, KEYPOINTNET_IDS
from sem3d.datasets.sketched_views import sketched_sources
from sem3d.geometry.object_camera import FOCAL_SHARE
from sem3d.pipelines.pixel_semantics.networks import PipelineOptions, load_networks
from sem3d.pipelines.pixel_semantics.photos import (
    SeenPhoto,
    by_semantic_ids,
    cut_photo,
    moved,
    same_place_of_the_box,
)
from sem3d.pipelines.pixel_semantics.squares import Square, cut_out, cut_square
from sem3d.pipelines.pixel_semantics.understanding import Given, understand
from sem3d.pipelines.pixel_semantics.views import known_views
from sem3d.worlds.shapes.register import FAMILIES, mirror_name
from tests.datasets.photos.official_photos import write_pf_willow, write_spair
from tests.jobs.outcome import outcome

NAME = "pixel_semantics_photos"


@pytest.fixture(scope="module")
def options(runs, tmp_path_factory):
    storage = str(tmp_path_factory.mktemp("storage"))
    return PipelineOptions(**runs, storage=storage, points=600, refine="none", device="cpu")


def words(runs: dict[str, str], options: PipelineOptions, **others: object) -> list[str]:
    given = {"run.device": "cpu", "run.storage": options.storage, "steps": 1, "points": 200}
    given |= runs | {name.replace("__", "."): value for name, value in others.items()}
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def test_places_of_a_square_come_back_and_a_box_fills_as_much_of_it_as_an_object_of_length_1():
    square = Square.around((10.0, 20.0, 50.0, 40.0), 2.4)
    assert 40 / square.side == pytest.approx(FOCAL_SHARE / 2.4)
    np.testing.assert_allclose(square.in_cut(np.array([[29.5, 29.5]]), 32), [[16, 16]])
    places = np.random.default_rng(0).normal(30, 20, (5, 2))
    np.testing.assert_allclose(square.in_picture(square.in_cut(places, 48), 48), places)


def test_a_cut_goes_on_beyond_the_picture_and_is_white_around_what_is_masked():
    ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], (10, 1, 3))
    square = Square(-5.0, -3.0, 30.0)
    wide = np.asarray(cut_out(Image.fromarray(ramp), square, white=False))
    assert wide.shape == (30, 30, 3)
    expected = ramp[0, np.clip(np.arange(30) - 5, 0, 19), 0]
    assert (wide == expected[None, :, None]).all()
    white = np.asarray(cut_out(Image.fromarray(ramp), square, white=True))
    assert (white[3:13, 5:25] == ramp).all()
    assert white.sum() == ramp.sum() + 255 * 3 * (900 - 200)
    away = np.asarray(cut_out(Image.fromarray(ramp), Square(500.0, 0.0, 8.0), white=False))
    assert (away == 255).all()


def test_a_picture_without_a_mask_is_taken_whole(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    cut, square = cut_square(tmp_path / "photo.png", 2.4)
    assert square == (0, -10, 40)
    assert (np.asarray(cut)[10:30] == pixels).all()
    assert (np.asarray(cut)[:10] == pixels[:1]).all()


def test_keypoints_of_a_cut_are_at_the_same_pixels_of_the_photograph(tmp_path: Path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[12, 33] = 255
    Image.fromarray(pixels).save(tmp_path / "dot.png")
    image = KeypointImage("dot.png", (40, 60), {"a": (33.0, 12.0)}, (20.0, 5.0, 40.0, 25.0), "object")
    photo = cut_photo(tmp_path, image, 2.4)
    inside = photo.as_image("cut.png")
    brightest = np.unravel_index(np.asarray(photo.cut)[..., 0].argmax(), photo.cut.size)
    np.testing.assert_allclose(inside.keypoints["a"], brightest[::-1], atol=0.6)
    assert inside.size == photo.cut.size
    widths = [box[2] - box[0] for box in (inside.box, image.box)]
    assert widths[0] / photo.cut.width == pytest.approx(widths[1] / photo.square.side)


@pytest.fixture(scope="module")
def seen(options):
    """Views of one test object, with the truth in every place and places of the surface as their embedding."""
    networks = load_networks(options, torch.device("cpu"))
    data = networks.reconstruction.experiment.data
    tested = sketched_sources(data, options.storage, ("image", "sketch", "viewpoint", "voxel"))["tested"]
    views = known_views(tested, 0)[0]
    own = [view for view in views if view.name == views[0].name]
    found = []
    for view in own:
        one = understand(networks, view.image, options, view.truth)
        one = replace(
            one, embedding=one.cloud, meanings=view.meanings, keypoints=one.cloud[one.nearest.query(view.xyz)[1]]
        )
        found.append(SeenPhoto.of(one, Square(0.0, 0.0, float(view.side)), view.side))
    return own, found


def test_where_an_embedding_tells_every_point_keypoints_move_to_where_they_are(seen):
    views, photos = seen
    errors, chance = [], []
    for number, source in enumerate(views):
        for other, target in enumerate(views):
            both = source.visible & target.visible & (number != other)
            if both.any():
                places = moved(photos[number], photos[other], source.places[both])
                errors += (np.linalg.norm(places - target.places[both], axis=1) / target.side).tolist()
                chance += (np.linalg.norm(source.places[both] - target.places[both], axis=1) / target.side).tolist()
    assert len(errors) > 5
    assert np.median(errors) < 0.1  # neither the distance nor the way off the middle is known
    assert np.median(errors) < 0.7 * np.median(chance)


def test_semantic_ids_name_keypoints_and_others_are_nowhere(seen):
    (view, *_), (photo, *_) = seen
    asked = [*view.meanings[:3].tolist(), 99]
    places = by_semantic_ids(photo, asked)
    assert np.isnan(places[3]).all()
    assert np.median(np.linalg.norm(places[:3] - view.places[:3], axis=1)) < 0.1 * view.side


def test_a_photograph_without_an_answer_moves_nothing(seen, options):
    (view, *_), (photo, *_) = seen
    networks = load_networks(options, torch.device("cpu"))
    nothing = understand(networks, view.image, options, Given(sketch=np.zeros_like(view.truth.sketch)))
    empty = SeenPhoto.of(nothing, Square(0.0, 0.0, 64.0), 64)
    for source, target in ((empty, photo), (photo, empty)):
        assert np.isnan(moved(source, target, view.places)).all()
    assert np.isnan(by_semantic_ids(empty, view.meanings.tolist())).all()


def test_the_same_place_of_the_box_knows_nothing_else():
    source = KeypointImage("a", (40, 60), {"k": (15.0, 30.0)}, (10.0, 20.0, 30.0, 40.0), "keypoints")
    target = KeypointImage("b", (40, 60), {"k": (1.0, 2.0)}, (0.0, 0.0, 40.0, 10.0), "keypoints")
    np.testing.assert_allclose(same_place_of_the_box(KeypointPair(source, target, "car", ("k",))), [[10, 5]])
    flat = replace(source, box=(10.0, 30.0, 30.0, 30.0))
    np.testing.assert_allclose(same_place_of_the_box(KeypointPair(flat, target, "car", ("k",))), [[10, 5]])


@pytest.mark.parametrize("level", [-1e9, 1e9])
def test_the_command_scores_photographs_beside_2d_transfer(level, runs, options, tmp_path, monkeypatch, capsys):
    """Untrained networks, which take every pixel for the object, or none: then nothing by a shape is right."""
    monkeypatch.setattr("sem3d.networks.sketch_network.SILHOUETTE", level)
    write_pf_willow(tmp_path, images=3)
    damaged = tmp_path / "PF-dataset-WILLOW" / "car(0)" / "car_2.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    asked = words(runs, options, data__root=tmp_path, data__groups="car", quarantine_limit=0.4)
    code, printed, _ = outcome(evaluate.main, monkeypatch, capsys, NAME, *asked)
    assert code == 0
    assert "2 pairs of 2 photographs" in printed
    assert re.search(r"0 annotations and 1 photographs cannot be used: \S*car_2.png: ", printed)
    rows = {
        line.split("  ")[0]: line for line in printed.splitlines() if line.startswith(("2D", "same", "fixed", "pipe"))
    }
    assert set(rows) == {
        "2D transfer",
        "2D transfer, checked",
        "2D transfer (of the squares)",
        "2D transfer, checked (of the squares)",
        "same place of the box",
        "fixed template",
        "pipeline",
    }
    counts = [int(number) for number in rows["pipeline"].split()[-2:]]
    assert counts == ([2, 0] if level > 0 else [0, 0])
    if level > 0:
        assert {float(number) for number in rows["pipeline"].split()[1:-2]} == {0.0}
    for name in ("photos", "transfer"):
        assert np.asarray(Image.open(Path(options.storage) / NAME / "figures" / f"{name}.png")).std() > 5


def test_both_tables_of_semantic_ids_name_the_same_side_of_the_same_keypoints():
    """KeypointNet's ids of chairs are in pairs of mirror images: 0 and 1, 2 and 3, 4 and 5, 17 and 20, 18 and 19."""
    mirrored = {0: 1, 2: 3, 4: 5, 17: 20, 18: 19}
    assert KEYPOINTNET_IDS.keys() == GENERATED_NAMES.keys()
    for key, names in GENERATED_NAMES.items():
        ids = KEYPOINTNET_IDS[key]
        assert ids.keys() == names.keys()
        for one, name in names.items():
            assert name in FAMILIES[key[1]].vocabulary.keypoints
            (other,) = [each for each, own in names.items() if own == mirror_name(name)]
            assert ids[other] == (mirrored | {right: left for left, right in mirrored.items()})[ids[one]]


def test_keypoints_by_meaning_are_those_that_are_mapped_and_the_run_must_know_one(
    runs, options, tmp_path, monkeypatch, capsys
):
    write_spair(tmp_path, kps_ids=["8", "12"])
    asked = words(runs, options, data__root=tmp_path, by="generated")
    code, printed, _ = outcome(evaluate.main, monkeypatch, capsys, NAME, *asked)
    assert code == 0
    assert "1 pairs of 2 photographs" in printed
    assert "keypoints by semantic ids of generated shapes" in printed
    monkeypatch.setitem(keypointnet_ids.SPAIR_CHAIR, "8", 99)
    asked = words(runs, options, data__root=tmp_path, by="keypointnet")
    code, _, error = outcome(evaluate.main, monkeypatch, capsys, NAME, *asked)
    assert (code, error.count("\n")) == (2, 1)
    assert "knows none of the semantic ids of these keypoints, [99]" in error


def test_groups_that_are_not_there_are_refused_in_a_line(runs, options, tmp_path, monkeypatch, capsys):
    write_pf_willow(tmp_path)
    asked = words(runs, options, data__root=tmp_path, data__groups="duck")
    code, _, error = outcome(evaluate.main, monkeypatch, capsys, NAME, *asked)
    assert (code, error.count("\n")) == (2, 1)
    assert "no group of photographs begins with 'duck': name some of car(0)" in error
