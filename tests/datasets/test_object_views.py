"""Pairs of views under a label budget, images to label, held-out views, and what pseudo-labels add."""

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from sem3d.datasets.object_views import (
    OBJECT_SCHEMA,
    ObjectRenders,
    object_rows,
    object_sources,
    reference_images,
    with_pseudo_labels,
)
from sem3d.datasets.objects.nmr import RENDER_SCHEMA, load_views
from sem3d.datasets.stream import Samples
from sem3d.errors import UserError
from tests.datasets.objects.tiny_renders import OBJECTS, write_tiny_renders

VIEWS = 24


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    return str(tmp_path_factory.mktemp("storage"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return str(write_tiny_renders(tmp_path_factory.mktemp("renders")))


def loaded(samples, row, seed=0):
    return samples.load(samples.table.slice(row, 1).to_pylist()[0], np.random.default_rng(seed))


def test_every_training_object_is_either_labelled_or_to_be_labelled(root, storage):
    config = ObjectRenders(root=root, labelled=2)
    sources = object_sources(config, storage)
    pairs, images = sources["train"], sources["unlabelled"]
    known, unknown = set(pairs.table["object"].to_pylist()), set(images.table["object"].to_pylist())
    assert len(known) == 2
    assert known | unknown == set(range(OBJECTS["train"]))
    assert not known & unknown
    assert images.table["number"].to_pylist() == list(range((OBJECTS["train"] - 2) * VIEWS))


def test_a_smaller_budget_is_part_of_a_larger_one_and_released_takes_the_first(root, storage):
    def chosen(**settings):
        return set(object_sources(ObjectRenders(root=root, **settings), storage)["train"].table["object"].to_pylist())

    assert chosen(labelled=2, budget_seed=3) < chosen(labelled=5, budget_seed=3) < chosen(budget_seed=3)
    assert chosen(labelled=2, labelled_order="first") == {0, 1}
    assert chosen(labelled=0) == set(range(OBJECTS["train"]))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labelled": 10}, "10 labelled objects.*has 9"),
        ({"labelled": -1}, "data.labelled -1"),
        ({"category": "sofa"}, "no class 'sofa'"),
    ],
)
def test_a_budget_that_cannot_be_had_is_refused(root, storage, settings, said):
    with pytest.raises(UserError, match=said):
        object_sources(ObjectRenders(root=root, **settings), storage)["train"]


def test_a_pair_is_two_different_views_with_their_true_viewpoints(root, storage):
    samples = object_sources(ObjectRenders(root=root, labelled=2), storage)["train"]
    row = samples.table.slice(1, 1).to_pylist()[0]
    whole = load_views(samples.load.folder, row["class"], "train", row["object"])
    seen = set()
    for seed in range(30):
        pair = loaded(samples, 1, seed)
        first, second = pair["viewpoint"].tolist()
        assert first != second
        np.testing.assert_array_equal(pair["image"], whole[[first, second]])
        seen |= {first, second}
    assert len(seen) > 15


def test_held_out_views_are_spread_around_every_object_and_bring_its_voxels(root, storage):
    samples = object_sources(ObjectRenders(root=root, evaluation_views=4), storage)["held_out"]
    assert sorted(set(samples.table["view"].to_pylist())) == [0, 6, 12, 18]
    assert samples.table.num_rows == 4 * OBJECTS["test"]
    assert len(set(samples.table["object"].to_pylist()[: OBJECTS["test"]])) == OBJECTS["test"]
    item = loaded(samples, 0)
    assert item["voxels"].shape == (32, 32, 32)
    assert item["image"].shape == (1, 4, 64, 64)
    with pytest.raises(UserError, match="evaluation_views"):
        object_sources(ObjectRenders(root=root, evaluation_views=25), storage)["held_out"]


def test_released_takes_test_objects_from_the_val_file(root, storage):
    released = object_sources(ObjectRenders(root=root, protocol="released"), storage)["tested"].table
    assert set(released["split"].to_pylist()) == {"val"}
    assert set(released["object"].to_pylist()) == {1, 2}


def test_objects_with_two_accepted_labels_join_as_a_second_group_that_takes_turns(root, storage):
    config = ObjectRenders(root=root, labelled=2)
    sources = object_sources(config, storage)
    pairs, images = sources["train"], sources["unlabelled"]
    objects = images.table["object"].to_numpy()
    one, two = sorted(set(objects.tolist()))[:2]
    accepted = np.zeros(len(objects), dtype=bool)
    accepted[np.flatnonzero(objects == one)[:1]] = True
    accepted[np.flatnonzero(objects == two)[[3, 9, 11]]] = True
    joined = with_pseudo_labels(pairs, images, np.arange(len(objects)) % 7, accepted)
    assert joined.groups == (2, 1)
    row = joined.table.to_pylist()[-1]
    assert (row["object"], row["labelled"], row["views"]) == (two, 0, [3, 9, 11])
    assert row["viewpoints"] == (np.flatnonzero(objects == two)[[3, 9, 11]] % 7).tolist()
    turns = [joined.order(seed=5).at(position)[1] for position in range(12)]
    assert set(turns[1::2]) == {2}
    assert sorted(turns[0:4:2]) == sorted(turns[4:8:2]) == [0, 1]
    assert joined.digest != pairs.digest


def row_by_row(views, viewpoints, labelled):
    """What ``object_rows`` says, one view after the other."""
    rows = {}
    for view, viewpoint in zip(views.to_pylist(), viewpoints.tolist(), strict=True):
        row = {name: view[name] for name in ("class", "split", "object", "name")}
        row = rows.setdefault(view["object"], row | {"labelled": int(labelled), "views": [], "viewpoints": []})
        row["views"].append(view["view"])
        row["viewpoints"].append(viewpoint)
    return [rows[number] for number in sorted(rows)]


def made_up_views(objects: int, views: int) -> pa.Table:
    number = np.repeat(np.random.default_rng(0).permutation(objects), views).astype(np.int32)
    names = pa.array([f"object {number}" for number in range(objects)]).take(number)
    rows = len(number)
    columns = [pa.array(["chair"] * rows), pa.array(["train"] * rows), number, names]
    columns += [np.tile(np.arange(views, dtype=np.int32), objects), np.zeros(rows)]
    return pa.table(columns, schema=RENDER_SCHEMA)


def test_rows_of_objects_are_those_of_one_view_after_the_other():
    views = made_up_views(30, 4)
    rng = np.random.default_rng(1)
    views = views.take(rng.permutation(views.num_rows)[:70])
    viewpoints = rng.integers(0, 24, views.num_rows)
    rows = object_rows(views, viewpoints, labelled=True)
    assert rows.schema == OBJECT_SCHEMA
    assert rows.to_pylist() == row_by_row(views, viewpoints, labelled=True)
    assert object_rows(views.slice(0, 0), viewpoints[:0], labelled=False).num_rows == 0


def test_pseudo_labels_of_a_hundred_thousand_objects_join_within_a_second():
    images = Samples(made_up_views(100_000, 2), load=len, collate=len, digest="images")
    labelled = replace(images, table=object_rows(made_up_views(3, 2), np.zeros(6, np.int64), labelled=True))
    accepted = np.random.default_rng(2).random(images.table.num_rows) < 0.9
    start = time.process_time()
    joined = with_pseudo_labels(labelled, images, np.zeros(len(accepted), np.int64), accepted)
    assert time.process_time() - start < 1
    assert joined.groups == (3, int((accepted.reshape(-1, 2).sum(1) == 2).sum()))


def test_without_two_labels_of_one_object_only_labelled_pairs_remain(root, storage):
    config = ObjectRenders(root=root, labelled=2)
    sources = object_sources(config, storage)
    pairs, images = sources["train"], sources["unlabelled"]
    accepted = np.zeros(images.table.num_rows, dtype=bool)
    accepted[0] = True
    assert with_pseudo_labels(pairs, images, np.zeros(len(accepted), dtype=np.int64), accepted) is pairs


def test_a_row_that_cannot_be_used_is_marked_and_black(root, storage):
    samples = object_sources(ObjectRenders(root=root), storage)["held_out"]
    columns = samples.collate([loaded(samples, 0), None])
    assert columns["usable"].tolist() == [1, 0]
    assert not columns["image"][1].any()
    assert columns["voxels"].shape == (2, 32, 32, 32)


def test_references_are_the_images_of_their_rows(root, storage):
    labelled = object_sources(ObjectRenders(root=root, labelled=2), storage)["references"]
    images, viewpoints = reference_images(labelled, [30, 3])
    assert viewpoints.tolist() == [6, 3]
    assert images.shape == (2, 4, 64, 64)
    assert not np.array_equal(images[0], images[1])
