"""Ray Train's controller and its workers: scaling decisions, and notices of preemption."""

import math

from ray.train.v2._internal.execution.context import get_train_context
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy, NoopDecision, ResizeDecision

__all__ = ["ElasticScalingPolicy", "NoopDecision", "ResizeDecision", "reclaim_time"]


def reclaim_time() -> float | None:
    """Return when a node of this run will be taken away, in seconds since 1970.

    Infinity if Ray does not say when, ``None`` if none will. Reads this worker's own copy: Ray's public
    ``get_preemption_info`` waits for all workers through an actor, 3 ms a call.
    """
    info = get_train_context().preemption_context.preemption_info
    if info is None:
        return None
    return math.inf if info.deadline_ms is None else info.deadline_ms / 1000
