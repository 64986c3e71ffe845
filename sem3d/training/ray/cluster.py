"""Connecting to Ray: the cluster that is named, or a quiet local one of our own."""

import logging
import os

import ray

from sem3d.ray_internals.cluster import cpus_of_this_machine


def connect(cpus: int, dashboard: bool = False) -> None:
    """Connect to the cluster of ``RAY_ADDRESS``, else starts a local one with at least ``cpus`` logical CPUs.

    A local one has as many as Ray counts here, which heeds a container's limit, or ``cpus`` if these are more. Does nothing
    where this process is connected already. A local cluster listens on all interfaces and asks for the token that Ray makes,
    unless ``RAY_AUTH_MODE`` says otherwise (it must be set before Ray is imported). What workers print stays in Ray's logs:
    see :mod:`sem3d.runs.progress` for what the user sees.
    """
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address != "local":
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        return
    ray.init(
        address="local",
        num_cpus=max(cpus_of_this_machine(), cpus),
        include_dashboard=dashboard,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
