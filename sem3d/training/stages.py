"""Clock of a run: seconds by stage, of one attempt."""

import time
from collections.abc import Callable


class Stages:
    """A clock that is told when a stage ends; stages may come again and add up.

    ``start``: from the call of ``train`` to the first line on process 0. ``build``: data table, network, optimisers, weights.
    ``first_batch``: waiting for it. ``training``: optimiser steps, what a method does between them, and waiting for later
    batches. ``evaluation``: evaluations, pictures, checkpoints. ``test``: of the best checkpoint, where other data chose it.
    ``finish``: the last writes to MLflow. ``close``: ending the workers and the MLflow run.
    """

    def __init__(self, launched: float, clock: Callable[[], float] = time.time):
        self.clock = clock
        self.since = launched
        self.seconds: dict[str, float] = {}

    def ends(self, stage: str) -> None:
        """Count all time since the last end as ``stage``."""
        now = self.clock()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.since
        self.since = now
