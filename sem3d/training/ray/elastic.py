"""As many workers as the cluster has room for: the part of Ray Train's elasticity that sem3d decides itself.

Ray counts the workers that fit. That number may not divide the micro-batch, and may leave no CPU for Ray Data, which then
hangs; so it is rounded down here to the next size that works. And where Ray would restart the workers at once from a
checkpoint that may be old, they are first asked for a new one.
"""

import time
from pathlib import Path
from typing import Any, cast

import ray
from ray.train.torch import TorchTrainer

from sem3d.ray_internals.train import UNUSED_CALLBACKS, ElasticScalingPolicy, NoopDecision, ResizeDecision
from sem3d.runs.requests import CHECKPOINT

LONGEST_WAIT = 120.0
"""Seconds a resize waits for its checkpoint: a step and the writing of it. Where a method works longer than that between two
steps, the resize goes on from the checkpoint before."""


class UsableSizes(ElasticScalingPolicy):
    """Sizes among ``sizes`` that fit the cluster beside one CPU for reading data; a resize follows upon a checkpoint."""

    def __init__(self, scaling_config: Any, sizes: tuple[int, ...], run_folder: Path):
        super().__init__(scaling_config)
        self.sizes = sizes
        self.run_folder = run_folder
        self.announced: ResizeDecision | None = None
        self.announced_at = 0.0

    def _count_possible_workers(self, reserved_resources: Any) -> int:
        cpus = cast(float, self.scaling_config._resources_per_worker_not_none["CPU"])
        beside_data = int((ray.cluster_resources().get("CPU", 0.0) - 1) // cpus)
        most = min(super()._count_possible_workers(reserved_resources), beside_data)
        return max((size for size in self.sizes if size <= most), default=0)

    def make_decision_for_non_running_worker_group(self) -> Any:
        """Return Ray's decision; an announced resize is moot, as the group ended otherwise."""
        self.announced = None
        CHECKPOINT.clear(self.run_folder)
        return super().make_decision_for_non_running_worker_group()

    def make_decision_for_running_worker_group(self, worker_group_state: Any, worker_group_status: Any) -> Any:
        """Return Ray's decision, the first time announced to the workers, carried out once they have written a checkpoint."""
        if self.announced is None:
            decision = super().make_decision_for_running_worker_group(worker_group_state, worker_group_status)
            if not isinstance(decision, ResizeDecision):
                return decision
            self.announced, self.announced_at = decision, time.monotonic()
            CHECKPOINT.make(self.run_folder)
        waited = time.monotonic() - self.announced_at
        if CHECKPOINT.is_made(self.run_folder) and waited < LONGEST_WAIT:
            return NoopDecision()
        decision, self.announced = self.announced, None
        return decision


class ElasticTrainer(TorchTrainer):
    """Ray's trainer, which takes :class:`UsableSizes` for its own rule if it is given ``sizes``; Ray has no public way to.

    Two actors that Ray starts for each run are left out, an interpreter each: the manager of data sets, of which Ray Train is
    given none, and the cleaner of what a dead controller held, which :mod:`sem3d.training.ray.attempts` gives back.
    """

    def __init__(self, *arguments: Any, sizes: tuple[int, ...], run_folder: Path, **options: Any):
        super().__init__(*arguments, **options)
        self.sizes = sizes
        self.run_folder = run_folder

    def _create_default_callbacks(self) -> list[Any]:
        return [each for each in super()._create_default_callbacks() if not isinstance(each, UNUSED_CALLBACKS)]

    def _initialize_and_run_controller(self, **options: Any) -> Any:
        if self.sizes:
            options["scaling_policy"] = UsableSizes(self.scaling_config, self.sizes, self.run_folder)
        return super()._initialize_and_run_controller(**options)
