"""Rows to batches through Ray Data, in an order that depends on the seed alone.

The order of a run is one endless sequence: epoch after epoch, each a permutation of the rows drawn from (seed, epoch).
Step ``s`` takes positions ``s * batch_size`` to ``(s + 1) * batch_size``, each worker its part of every micro-batch.
Where the rows are of several groups (labelled and unlabelled), positions go to the groups in turn, each with such a sequence
of its own, so that every batch of an even size holds as many rows of one as of another.
So any number of workers sees the same samples in the same steps, and a run that resumes at step ``s`` starts at its
position without replaying anything. What a sample looks like (augmentation, sampled matches) is drawn from
(seed, epoch, row), never from a worker's own state.

Each worker opens its own Ray Data pipeline over batch numbers, not over rows: a task loads, augments, matches and
collates one whole batch, so that the training process only copies arrays into tensors. ``ray.train``'s own split is not
used because it drops remainders and deals rows by timing.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import ray
from ray.exceptions import OutOfMemoryError, RayError, WorkerCrashedError

from sem3d.errors import BadSample, UserError

BATCHES_PER_PIPELINE = 1000
"""Batches of one Ray Data execution; bounds its bookkeeping in runs of many steps."""
TRIES_AGAIN = 10
"""Times that the task of a batch is tried again where it dies, of its data or with its node; Ray Data would try for ever."""
BATCHES_WORTH_A_PROCESS = 50
"""Batches from which on Ray Data's scheduler gets a process of its own."""

ORDER_STREAM, SAMPLE_STREAM = 0, 1
"""First words of the seeds of the two random streams, so that they never meet."""


@dataclass(frozen=True)
class Samples:
    """Rows of a source: a table of rows and how a row becomes arrays.

    ``load(row, rng)`` decodes, augments and matches one row (in a Ray Data worker) and may raise
    :class:`sem3d.errors.BadSample`; ``collate(loaded)`` joins loaded rows into the numpy columns of a batch, where
    ``None`` stands for a row that could not be used and must become the method's empty case.
    """

    table: pa.Table
    load: Callable[[dict[str, Any], np.random.Generator], dict[str, np.ndarray]]
    collate: Callable[[list[dict[str, np.ndarray] | None]], dict[str, np.ndarray]]
    digest: str
    described: str = ""
    """One line on what the rows come from and how much of it cannot be used."""
    left_out: Path | None = None
    """JSON file that names what preparation left out and why."""
    groups: tuple[int, ...] = ()
    """Numbers of rows of the groups that follow each other in the table and share each batch; empty: all rows are one group."""
    reference: ray.ObjectRef | None = field(default=None, compare=False)
    """These samples in Ray's object store, where all processes of a node read the table without a copy of their own."""

    def shared(self) -> "Samples":
        """Return the samples with a reference to them, put into Ray's object store unless they are there."""
        return self if self.reference is not None else replace(self, reference=ray.put(self))

    def order(self, seed: int | None) -> "Order":
        """Return the order in which these rows come."""
        return Order(self.table.num_rows, seed, self.groups)


@dataclass(frozen=True)
class StreamedBatch:
    """One worker's share of one (micro-)batch, and the rows of it that could not be used."""

    step: int
    columns: dict[str, np.ndarray]
    failures: list[dict[str, str]]


@dataclass(frozen=True)
class Order:
    """Order of rows by position; without a seed it is the table's own order, whatever the groups."""

    rows: int
    seed: int | None
    groups: tuple[int, ...] = ()

    def at(self, position: int) -> tuple[int, int]:
        """Return epoch and row number at a position of the endless sequence."""
        if self.seed is None:
            return divmod(position, self.rows)
        groups = self.groups or (self.rows,)
        turn, group = divmod(position, len(groups))
        epoch, offset = divmod(turn, groups[group])
        return epoch, sum(groups[:group]) + int(permutation(groups[group], self.seed, epoch, group)[offset])


@lru_cache(maxsize=8)
def permutation(rows: int, seed: int, epoch: int, group: int = 0) -> np.ndarray:
    """Return order of a group's rows in one epoch."""
    words = [ORDER_STREAM, seed, epoch, group] if group else [ORDER_STREAM, seed, epoch]
    return np.random.default_rng(words).permutation(rows)


@lru_cache(maxsize=4)
def fetched(reference: ray.ObjectRef) -> Samples:
    """Return the samples behind a reference, kept by each Ray Data process."""
    return ray.get(reference)


def load_batch(samples: Samples, order: Order, positions: range) -> tuple[dict[str, np.ndarray], list[dict[str, str]]]:
    """Return columns of the batch at ``positions`` and the rows of it that could not be used, by name and reason."""
    loaded: list[dict[str, np.ndarray] | None] = []
    failures: list[dict[str, str]] = []
    for position in positions:
        epoch, number = order.at(position)
        row = samples.table.slice(number, 1).to_pylist()[0]
        rng = np.random.default_rng([SAMPLE_STREAM, order.seed or 0, epoch, number])
        try:
            loaded.append(samples.load(row, rng))
        except BadSample as fault:
            loaded.append(None)
            failures.append({"source": fault.source, "reason": fault.reason})
        except OSError as error:
            loaded.append(None)
            failures.append({"source": str(error.filename or f"row {number}"), "reason": str(error.strerror or error)})
    return samples.collate(loaded), failures


def quiet_ordered_context() -> None:
    """Set this process's Ray Data defaults: output in input order, no progress bars, all CPUs on a small machine.

    Ray's operator reservation lets one map task run at a time on 2 CPUs, which halves throughput.
    """
    from ray.data import DataContext  # two seconds with pandas, which whoever streams nothing need not wait for

    from sem3d.ray_internals.data import PauseBetweenSteps

    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    if PauseBetweenSteps not in context.custom_execution_callback_classes:
        context.custom_execution_callback_classes.append(PauseBetweenSteps)
    context.op_resource_reservation_enabled = ray.cluster_resources().get("CPU", 0) > 8
    logging.getLogger("ray.data").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Deal:
    """Positions of the sequence that one worker takes in each of its batches."""

    stride: int
    offset: int
    length: int
    limit: int

    def positions(self, number: int) -> range:
        """Return positions of this worker's batch ``number``."""
        start = number * self.stride + self.offset
        return range(start, min(start + self.length, self.limit))


@dataclass(frozen=True)
class LoadBatch:
    """The map function of the pipeline: a batch number becomes a batch."""

    samples: ray.ObjectRef
    order: Order
    deal: Deal
    first: int

    def __call__(self, item: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return one row that holds the whole batch as arrays."""
        number = self.first + int(item["id"][0])
        try:
            columns, failures = load_batch(fetched(self.samples), self.order, self.deal.positions(number))
        except UserError as error:
            return {"number": np.array([number]), "failures": np.array([json.dumps(str(error))])}
        names = {f"column:{name}": array[np.newaxis] for name, array in columns.items()}
        return {"number": np.array([number]), "failures": np.array([json.dumps(failures)]), **names}


def run_pipeline(
    samples: Samples, order: Order, deal: Deal, numbers: range, *, own_process: bool
) -> Iterator[tuple[int, dict[str, np.ndarray], list[dict[str, str]]]]:
    """Yield number, columns and failures of the batches ``numbers``, in order; a :class:`UserError` of a task comes out here.

    ``own_process`` puts Ray's scheduler of the pipeline into a process of its own, which takes a second to start: in a
    thread beside training it holds the interpreter lock often enough to slow small networks several times, which a short
    training does not notice.
    """
    import ray.data  # see above

    from sem3d.ray_internals.data import mapped

    quiet_ordered_context()
    reference = samples.shared().reference
    assert reference is not None
    for first in range(numbers.start, numbers.stop, BATCHES_PER_PIPELINE):
        count = min(BATCHES_PER_PIPELINE, numbers.stop - first)
        numbered = ray.data.range(count, override_num_blocks=count)
        pipeline = mapped(numbered, LoadBatch(reference, order, deal, first), TRIES_AGAIN, batch_size=1)
        source = pipeline.streaming_split(1, equal=False)[0] if own_process else pipeline
        blocks = source.iter_batches(
            batch_size=None,  # pyright: ignore[reportArgumentType]  # documented: whole blocks
            batch_format="numpy",
            prefetch_batches=2,
        )
        with deaths_of_tasks():
            for block in cast(Iterable[dict[str, np.ndarray]], blocks):
                failures = json.loads(str(block["failures"][0]))
                if isinstance(failures, str):
                    raise UserError(failures)
                columns = {
                    name.removeprefix("column:"): array[0]
                    for name, array in block.items()
                    if name.startswith("column:")
                }
                yield int(block["number"][0]), columns, failures


@contextmanager
def deaths_of_tasks() -> Iterator[None]:
    """Turn what Ray raises where all tries of a batch have died into a :class:`UserError`: another attempt would meet it too."""
    try:
        yield
    except RayError as error:
        if not isinstance(getattr(error, "cause", error), WorkerCrashedError | OutOfMemoryError):
            raise
        raise UserError(
            f"the process that loads a batch died {TRIES_AGAIN + 1} times, of memory or of a file that a library cannot "
            "take: let fewer load at a time (fewer CPUs), or prepare the data with --check"
        ) from error


def stream_batches(
    samples: Samples,
    *,
    seed: int,
    batch_size: int,
    accumulate: int,
    rank: int,
    world_size: int,
    first_step: int,
    last_step: int,
) -> Iterator[StreamedBatch]:
    """Yield endless shuffled epochs cut into global batches; yields this rank's share of steps first to last (excluded).

    ``accumulate`` items are yielded per step, in order. Raises :class:`ValueError` where ``batch_size`` is no multiple of
    ``accumulate * world_size``, or when there are no rows.
    """
    share, rest = divmod(batch_size, accumulate * world_size)
    if rest or not share:
        raise ValueError(
            f"batch size {batch_size} does not divide by {accumulate} micro-batches x {world_size} workers"
        )
    if not samples.table.num_rows:
        raise ValueError("there are no samples to stream")
    deal = Deal(stride=batch_size // accumulate, offset=rank * share, length=share, limit=sys.maxsize)
    numbers = range(first_step * accumulate, last_step * accumulate)
    for number, columns, failures in run_pipeline(
        samples, samples.order(seed), deal, numbers, own_process=len(numbers) >= BATCHES_WORTH_A_PROCESS
    ):
        yield StreamedBatch(number // accumulate, columns, failures)


def stream_once(samples: Samples, *, batch_size: int, rank: int, world_size: int) -> Iterator[StreamedBatch]:
    """Yield every row exactly once, in table order; batches are dealt whole, in turn, and the last may be short.

    A rank may get fewer batches than another, or none.
    """
    rows = samples.table.num_rows
    batches = -(-rows // batch_size)
    deal = Deal(stride=world_size * batch_size, offset=rank * batch_size, length=batch_size, limit=rows)
    order = Order(max(rows, 1), None)
    mine = max(0, -(-(batches - rank) // world_size))
    for number, columns, failures in run_pipeline(samples, order, deal, range(mine), own_process=False):
        yield StreamedBatch(number, columns, failures)
