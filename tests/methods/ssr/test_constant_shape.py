"""The floor of single-view reconstruction: one shape for every image."""

import numpy as np
import pytest

from sem3d.evaluation.reconstruction import voxel_iou
from sem3d.methods.ssr.constant_shape import best_constant, marks
from sem3d.methods.ssr.method import SSR
from tests.methods.tiny import tiny_experiment


def test_the_constant_is_cut_where_it_fits_the_labelled_shapes_best():
    shapes = np.zeros((5, 4, 4, 4), bool)
    shapes[:, :2] = True
    shapes[0, 3] = True
    np.testing.assert_array_equal(best_constant(shapes), shapes[1])
    np.testing.assert_array_equal(best_constant(shapes[:1]), shapes[0])


def test_the_floor_lies_between_nothing_and_the_shapes_themselves(renders, tmp_path):
    experiment = tiny_experiment("ssr", renders, tmp_path)
    sources = SSR.sources(experiment)
    found = marks(experiment, sources)
    held_out = sources["held_out"]
    rows = held_out.table.to_pylist()
    voxels = np.stack([held_out.load(row, np.random.default_rng(0))["voxels"] for row in rows])
    whole = np.ones(voxels.shape, bool)
    assert float(voxel_iou(whole, voxels).mean()) < found.floor["voxel_iou"] < 1
    assert (found.bound, found.never_shown, found.basis) == ({}, (), "")
    one = marks(
        tiny_experiment("ssr", renders, tmp_path, data__labelled=1),
        SSR.sources(tiny_experiment("ssr", renders, tmp_path, data__labelled=1)),
    )
    assert one.floor["voxel_iou"] != pytest.approx(found.floor["voxel_iou"])
