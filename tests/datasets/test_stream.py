"""The order of samples, the split over workers, resuming, and rows that cannot be used."""

import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from sem3d.datasets import stream
from sem3d.datasets.stream import Order, Samples, stream_batches, stream_once
from sem3d.errors import BadSample, UserError


def load(row, rng):
    if row["value"] == 13:
        raise BadSample("row 13", "unlucky")
    return {"value": np.array(row["value"]), "draw": rng.random(2), "ragged": np.zeros((row["value"], 2), np.float32)}


def collate(loaded):
    whole = [item for item in loaded if item is not None]
    return {
        "value": np.array([-1 if item is None else item["value"] for item in loaded]),
        "draw": np.stack([np.zeros(2) if item is None else item["draw"] for item in loaded]),
        "ragged": np.concatenate([item["ragged"] for item in whole] or [np.zeros((0, 2), np.float32)]),
    }


def numbers(count: int) -> Samples:
    return Samples(pa.table({"value": list(range(count))}), load, collate, "numbers")


def collected(
    samples: Samples, world_size: int, accumulate: int = 1, first_step: int = 0
) -> list[dict[str, np.ndarray]]:
    """Global batches put together again from all ranks."""
    ranks = [
        list(
            stream_batches(
                samples,
                seed=5,
                batch_size=4,
                accumulate=accumulate,
                rank=rank,
                world_size=world_size,
                first_step=first_step,
                last_step=4,
            )
        )
        for rank in range(world_size)
    ]
    return [
        {name: np.concatenate([share.columns[name] for share in shares]) for name in shares[0].columns}
        for shares in zip(*ranks, strict=True)
    ]


def assert_same(ours, theirs):
    for batch, other in zip(ours, theirs, strict=True):
        for name in batch:
            assert_array_equal(batch[name], other[name])


def test_two_workers_see_the_same_samples_in_the_same_steps_as_one(ray_cluster):
    one = collected(numbers(7), 1)
    assert_same(one, collected(numbers(7), 2))
    assert len({tuple(batch["value"]) for batch in one}) > 1


def test_a_stream_that_starts_at_a_later_step_equals_the_tail(ray_cluster):
    assert_same(collected(numbers(7), 1)[2:], collected(numbers(7), 1, first_step=2))


def test_micro_batches_put_together_are_the_batch(ray_cluster):
    whole = np.concatenate([batch["value"] for batch in collected(numbers(7), 1)])
    parts = np.concatenate([batch["value"] for batch in collected(numbers(7), 1, accumulate=2)])
    assert_array_equal(whole, parts)


def test_an_epoch_visits_every_row_once_and_epochs_differ():
    order = Order(50, seed=3)
    epochs = [[order.at(position)[1] for position in range(50 * k, 50 * (k + 1))] for k in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(50))
    assert epochs[0] != epochs[1]


def test_a_row_that_cannot_be_used_keeps_its_place_and_is_named(ray_cluster):
    batches = list(stream_once(numbers(15), batch_size=4, rank=0, world_size=1))
    values = np.concatenate([batch.columns["value"] for batch in batches])
    assert_array_equal(values, [*range(13), -1, 14])
    assert [fault for batch in batches for fault in batch.failures] == [{"source": "row 13", "reason": "unlucky"}]


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
def test_one_pass_deals_every_row_once_whatever_the_number_of_workers(ray_cluster, world_size):
    seen = [
        value
        for rank in range(world_size)
        for batch in stream_once(numbers(11), batch_size=4, rank=rank, world_size=world_size)
        for value in batch.columns["value"].tolist()
    ]
    assert sorted(seen) == list(range(11))


@pytest.mark.filterwarnings("default")
def test_a_row_that_kills_the_process_that_loads_it_is_an_error_on_one_line(ray_cluster, monkeypatch):
    monkeypatch.setattr(stream, "TRIES_AGAIN", 1)

    def killing(row: dict, rng: np.random.Generator) -> dict:
        os._exit(1)

    dying = replace(numbers(4), load=killing)
    with pytest.raises(UserError, match=r"^the process that loads a batch died 2 times, of memory or .*\Z"):
        list(stream_once(dying, batch_size=2, rank=0, world_size=1))


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="does not divide"):
        next(
            stream_batches(
                numbers(7), seed=0, batch_size=5, accumulate=1, rank=0, world_size=2, first_step=0, last_step=1
            )
        )
