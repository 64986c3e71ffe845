"""Ways to find keypoints as trials of a sweep: shares of right keypoints, the floor below them, what a sweep makes of them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import train, tune
from sem3d.config import override
from sem3d.datasets.sketched_views import sketched_sources
from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class
from sem3d.methods.method import TESTED
from sem3d.pipelines.pixel_semantics.comparison import Compared, frozen_scores, shares
from sem3d.pipelines.pixel_semantics.mean_places import marks, mean_places
from sem3d.pipelines.pixel_semantics.views import known_views, pairs_of
from sem3d.pipelines.pixel_semantics.ways import IN_2D, PIPELINE, WAYS
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.sweeps.plan import Request, plan
from sem3d.sweeps.space import read_space
from tests.jobs.outcome import outcome

NAME = "pixel_semantics"


@pytest.fixture(scope="module")
def experiment(sketched, tmp_path_factory):
    changes = {"data.root": str(sketched), "data.size": 32, "data.voxels": 16, "data.evaluation_views": 0}
    storage = str(tmp_path_factory.mktemp("storage"))
    return override(method_class(NAME).presets["laptop"](), changes | {"run.storage": storage, "run.device": "cpu"})


@pytest.fixture(scope="module")
def sources(experiment):
    return method_class(NAME).sources(experiment)


@pytest.fixture(scope="module")
def compared(sources):
    views = known_views(sources[TESTED], 0)[0]
    return Compared(views, pairs_of(views, seed=3))


def test_shares_are_those_of_a_count_keypoint_by_keypoint(compared):
    rng = np.random.default_rng(0)
    places = [view.places + rng.normal(0, 0.08 * view.side, view.places.shape) for view in compared.views]
    found = shares(places, compared)

    def right(number: int, keypoint: int) -> bool:
        view = compared.views[number]
        left, top, right, bottom = view.box
        distance = float(np.hypot(*(places[number][keypoint] - view.places[keypoint])))
        return distance <= 0.1 * max(right - left, bottom - top)

    every = [right(n, k) for n, view in enumerate(compared.views) for k in np.flatnonzero(view.visible)]
    assert found["pck"] == pytest.approx(np.mean(every))
    counted: dict[str, list[bool]] = {"near": [], "far": []}
    for pair, number in compared.pairs:
        meanings = compared.views[number].meanings.tolist()
        counted[pair.group] += [right(number, meanings.index(int(name))) for name in pair.names]
    assert found["pck_of_pairs"] == pytest.approx(np.mean(counted["near"] + counted["far"]))
    for group, own in counted.items():
        assert found.get(f"pck_{group}", -1) == pytest.approx(np.mean(own) if own else -1)
    assert found["pck_alpha_0.05"] < found["pck"] < found["pck_alpha_0.15"]
    assert (found["views"], found["pairs"]) == (9, len(compared.pairs))


def test_the_floor_knows_where_keypoints_are_in_training_pictures_on_average(sources, experiment, sketched):
    means = mean_places(sources["train"])
    trained = {**sketched_sources(experiment.data, experiment.run.storage, ("image", "sketch", "viewpoint", "voxel"))}
    assert set(means) == set(mean_places(trained["train"]))
    assert all((place > 0).all() and (place < 1).all() for place in means.values())
    floor = marks(experiment, sources).floor
    assert {"pck", "pck_of_pairs"} <= set(floor)
    assert 0 < floor["pck"] < 1
    views = known_views(sources[TESTED], 0)[0]
    known = [(view, place) for view in views for place in np.flatnonzero(view.visible)]
    right = [
        np.hypot(*(means[int(view.meanings[place])] * view.side - 0.5 - view.places[place]))
        <= 0.1 * max(view.box[2] - view.box[0], view.box[3] - view.box[1])
        for view, place in known
    ]
    assert floor["pck"] == pytest.approx(np.mean(right))


def test_means_are_over_the_views_that_see_a_keypoint(sources):
    """The same by the views of test objects, whose places are checked against the sketches elsewhere."""
    views = known_views(sources[TESTED], 0)[0]
    means = mean_places(sources[TESTED])
    for meaning, mean in means.items():
        own = [(view.places[view.meanings == meaning][0] + 0.5) / view.side for view in views if sees(view, meaning)]
        np.testing.assert_allclose(mean, np.mean(own, axis=0), atol=1e-6)


def sees(view, meaning: int) -> bool:
    return bool(view.visible[view.meanings == meaning].any())


def test_transfer_in_2d_is_scored_on_pairs_alone(experiment):
    found = {}
    for way in IN_2D:
        changes = {"method.way": way, "run.seed": 3, "data.evaluation_views": 1}
        found[way] = frozen_scores(TrainedRun(Path("."), NAME, override(experiment, changes)))
        assert 0 <= found[way]["pck_of_pairs"] <= 1
        assert found[way]["pairs"] == 3
    assert "pck" not in found[next(iter(IN_2D))]


@pytest.mark.parametrize("level", [-1e9, 1e9])
def test_a_way_by_shape_is_scored_beside_visibility_and_viewpoints_and_leaves_a_picture(
    level, experiment, runs, tmp_path, monkeypatch
):
    """With silhouettes that are the whole picture, and with empty ones, of which the second have no answer at all."""
    monkeypatch.setattr("sem3d.networks.sketch_network.SILHOUETTE", level)
    made = {f"method.{leaf}": run for leaf, run in runs.items()}
    changes = {"method.way": "true shape", "method.steps": 1, "method.points": 200, "data.evaluation_views": 1}
    found = frozen_scores(TrainedRun(tmp_path, NAME, override(experiment, made | changes)))
    assert {"pck", "pck_of_pairs", "visibility_accuracy"} <= set(found)
    assert (found["views"], found["without_surface"], found["without_object"]) == (3, 0, 3 * (level > 0))
    assert ("viewpoint_error_degrees" in found) == (level < 0)
    if level > 0:
        assert (found["pck_alpha_0.15"], found["pck_of_pairs"], found["visibility_accuracy"]) == (0, 0, 0)
    (sheet,) = (tmp_path / "figures").iterdir()
    assert sheet.name.startswith("true-shape-full-seed-0-")
    assert np.asarray(Image.open(sheet)).std() > 5


def test_unusable_test_views_are_counted_named_and_too_many_of_them_refused(experiment, sketched, tmp_path, caplog):
    copy = tmp_path / "sketched"
    shutil.copytree(sketched, copy)
    photo = next(iter(sorted((copy / "test").glob("*/photo/*.png"))))
    photo.write_bytes(photo.read_bytes()[:80])
    way = {"method.way": next(iter(IN_2D)), "data.root": str(copy), "data.quarantine_limit": 0.2}
    found = frozen_scores(TrainedRun(Path("."), NAME, override(experiment, way)))
    assert found["unusable_views"] == 1
    assert f"1 test views cannot be used: {photo}" in caplog.text
    with pytest.raises(UserError, match=rf"1 of 9 items cannot be used, more than the limit of 5% allows: {photo}"):
        frozen_scores(TrainedRun(Path("."), NAME, override(experiment, way | {"data.quarantine_limit": 0.05})))


def test_what_is_made_of_trained_runs_is_not_trained(monkeypatch, capsys):
    assert NAME not in METHODS
    code, _, error = outcome(train.main, monkeypatch, capsys, NAME)
    assert (code, error.count("\n")) == (2, 1)
    assert "python -m jobs.tune pixel_semantics" in error
    for option in (("--frozen",), ("--search", "2")):
        with pytest.raises(UserError, match=f"leave out {option[0]}"):
            tune.tune([NAME, *option])


def test_its_sweep_trains_each_stage_once_a_seed_in_order_and_scores_every_way():
    space = read_space(NAME)
    asked = Request(
        space=space,
        arms=tuple(arm.name for arm in space.arms),
        budgets=(1.0,),
        seeds=(0, 1),
        settings={"data.root": "/data"},
    )
    whole = plan(asked)
    assert all(trial.frozen for trial in whole.trials)
    ways = {trial.experiment.method.way for trial in whole.trials}
    assert ways == {*WAYS, *IN_2D}
    waves = [[one.name for one in wave if one.seed == 0] for wave in whole.waves]
    assert [sorted(wave) for wave in waves] == [
        ["keypoint_embedding", "reconstruction_naturalness", "reconstruction_sketches", "viewpoint"],
        ["completion"],
        ["reconstruction"],
    ]
    assert all(one.experiment.data.root == "/data" for one in whole.pretrainings)
    (first,) = [one for one in whole.trials if (one.arm, one.seed) == (PIPELINE, 1)]
    assert {leaf: one.method for leaf, one in first.starts.items()} == {
        "method.shape": "reconstruction",
        "method.view": "viewpoint",
        "method.meaning": "keypoint_embedding",
    }
