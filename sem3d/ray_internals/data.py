"""The scheduler of Ray Data, and how often it tries again."""

import time
import warnings
from collections.abc import Callable
from typing import Any

from ray.data import Dataset
from ray.data._internal.execution.execution_callback import ExecutionCallback


class PauseBetweenSteps(ExecutionCallback):
    """A rest for Ray Data's scheduler between two looks.

    While a finished task must wait for its reader, which is so whenever data come sooner than training needs them, the
    scheduler of Ray 2.60 looks again at once: it took 0.45 of a core from training.
    """

    seconds = 0.005

    def on_execution_step(self, executor: Any) -> None:  # noqa: ARG002 -- Ray's signature
        """Sleep; Ray calls this after every step of the scheduler."""
        time.sleep(self.seconds)


def mapped(dataset: Dataset, call: Callable[[dict[str, Any]], dict[str, Any]], tries_again: int, **how: Any) -> Dataset:
    """Return ``dataset`` with ``call`` done to each row, or to batches of a ``batch_size``, by tasks that are tried again so
    many times where they die.

    Ray 2.60 tries for ever unless told so by an argument of those that it deprecates without another in their place.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated", DeprecationWarning)
        return (dataset.map_batches if how else dataset.map)(call, max_retries=tries_again, **how)
