"""A step waits for a GPU where it must, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sem3d.networks.sparse.coordinates import coarsen_indexed, index_voxels
from sem3d.networks.sparse.gather_table import strided_tables, submanifold_table
from sem3d.training.step import training_step
from tests.golden.regenerate import CASES
from tests.methods.synthetic_batches import BATCHES, SOURCES
from tests.methods.tiny import build_tiny, tiny_experiment
from tests.networks.test_sparse_convolution import random_voxels
from tests.training.host_waits import host_waits

OF_A_CPU = ("networks/sparse/kernel_map.py", "networks/sparse/coordinates.py")
"""Maps of the sparse backend of a CPU; :func:`test_the_voxels_of_a_batch_are_waited_for_once_a_stride` has those of a GPU."""
ALWAYS = {
    "training/distributed.py:all_sum": 1,  # whether losses and gradients are finite decides on the update
    "training/step.py:training_step": 1,  # reads the copy that all_sum has made
}
NEEDED = {
    "losses/valid_rows.py:valid_rows": 1,  # items of matches too many for one matrix have as many rows as are valid
    "losses/keypoint_contrastive.py:keypoint_contrastive": 1,  # pairs of one meaning: as many as there are
    "losses/keypoint_contrastive.py:_hardest": 1,  # and as many of others
    "methods/tasks/object_detection_3d.py:usable": 1,  # scenes that could be read
    "rendering/strips.py:visible_faces": 1,  # faces that show
    "rendering/strips.py:chunks_of": 2,  # their strips; the second where these are many
    "methods/ssr/losses.py:reconstruction_losses": 1,  # objects that could be read
    "methods/ssr/losses.py:viewpoint_losses": 1,  # an angle, drawn on the host
    "methods/ssr/losses.py:_of_rows": 2,  # labelled images of this worker, and of all
    "losses/viewpoint_pairs.py:<listcomp>": 4,  # pairs of equal viewpoints, and of others: plain and turned
    "losses/viewpoint_pairs.py:viewpoint_pair_loss": 4,
    "networks/pair_differences.py:backward": 2,  # pairs with a gradient, plain and turned
    "geometry/viewpoint_bins.py:<genexpr>": 8,  # one_hot of a CPU looks whether its input fits; that of a GPU does not
}
"""Places of sem3d that ask for values on a GPU in a step, and how often."""


@pytest.mark.parametrize("case", CASES)
def test_a_step_waits_for_a_gpu_only_where_it_must(case):
    name, changes, columns = CASES[case]
    experiment = tiny_experiment(name, Path("rooms"), Path("storage"), **changes)
    method = build_tiny(name, experiment, SOURCES.get(name))
    optimizers, batch = method.optimizers(), method.Batch(**BATCHES[name](), **columns)
    for step in range(2):  # what is looked up once a run is there from the first step on
        with host_waits() as found:
            training_step(method, method, optimizers, [lambda: batch], experiment, step)
    waits = {place: times for place, times in found.items() if not place.startswith(OF_A_CPU)}
    assert {place: times for place, times in waits.items() if times > (ALWAYS | NEEDED).get(place, 0)} == {}
    assert ALWAYS.items() <= waits.items()


def test_the_voxels_of_a_batch_are_waited_for_once_a_stride():
    voxels = random_voxels(200)
    with host_waits() as found:
        index = index_voxels(voxels, 1)
    assert found == {"networks/sparse/coordinates.py:box_of": 1, "networks/sparse/coordinates.py:index_voxels": 2}
    # of these two, one asks a CPU if it need sort
    with host_waits() as found:
        coarse, parents, above = coarsen_indexed(voxels, 2, index.box.coarser())
    assert found == {"networks/sparse/coordinates.py:coarsen_indexed": 1}
    with host_waits() as found:
        for level in (index, above):
            submanifold_table(level, 3)
        strided_tables(voxels, 1, parents, len(coarse))
    assert found == {}


def test_waits_are_found():
    values = torch.arange(4.0)
    asked = {
        "a number": lambda: float(values.sum()),
        "a truth": lambda: bool(values.any()),
        "values": values.tolist,
        "a mask": lambda: values[values > 1],
        "an update by a mask": lambda: values.index_put((values > 1,), torch.ones(2)),
        "places": lambda: values.nonzero(),
        "numbers from the host": lambda: values.new_tensor([1.0]),
        "an array": lambda: torch.as_tensor(np.ones(2), device="cpu"),
    }
    for what, call in asked.items():
        with host_waits(ROOM_OF_TESTS) as found:
            call()
        assert sum(found.values()) == 1, what
    for call in (lambda: values[values.long()], lambda: torch.where(values > 1, values, 0), lambda: values.sum()):
        with host_waits(ROOM_OF_TESTS) as found:
            call()
        assert not found


ROOM_OF_TESTS = Path(__file__).parent
