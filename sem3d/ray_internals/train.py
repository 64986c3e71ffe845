"""Ray Train's controller and its workers: scaling decisions, and notices of preemption."""

import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import ray
from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.context import get_train_context
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy, NoopDecision, ResizeDecision
from ray.util.placement_group import PlacementGroup, remove_placement_group

__all__ = [
    "UNUSED_CALLBACKS",
    "ElasticScalingPolicy",
    "NoopDecision",
    "ResizeDecision",
    "orphaned_workers",
    "reclaim_time",
    "remove_what_it_held",
]
WORKER = "RayTrainWorker"
UNUSED_CALLBACKS = (DatasetsCallback, PlacementGroupCleanerCallback)
TABLES: Any = import_module("ray.core.generated.gcs_pb2")


def reclaim_time() -> float | None:
    """Return when a node of this run will be taken away, in seconds since 1970.

    Infinity if Ray does not say when, ``None`` if none will. Reads this worker's own copy: Ray's public
    ``get_preemption_info`` waits for all workers through an actor, 3 ms a call.
    """
    info = get_train_context().preemption_context.preemption_info
    if info is None:
        return None
    return math.inf if info.deadline_ms is None else info.deadline_ms / 1000


def remove_what_it_held(controller: str) -> None:
    """Give back the room that a dead controller held for its workers, which ends them; Ray itself would do so with its driver."""
    from ray._private.state import state

    for row in state._connect_and_get_accessor().get_placement_group_table():
        group = TABLES.PlacementGroupTableData.FromString(row)
        if group.creator_actor_id.hex() == controller:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))


def orphaned_workers() -> int:
    """Return how many of this driver's workers of Ray Train live though the controller that made them does not."""
    alive = list(_living_actors())
    owners = {(actor.address.ip_address, actor.address.port) for actor in alive}
    workers = [actor for actor in alive if actor.class_name.rpartition(".")[2] == WORKER]
    return sum((actor.owner_address.ip_address, actor.owner_address.port) not in owners for actor in workers)


def _living_actors() -> Iterator[Any]:
    from ray._private.state import state

    job = ray.JobID.from_hex(ray.get_runtime_context().get_job_id())
    for row in state._connect_and_get_accessor().get_actor_table(job, "ALIVE"):
        yield TABLES.ActorTableData.FromString(row)
