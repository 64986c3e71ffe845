"""Connecting to Ray: the cluster that is named, or a quiet local one of our own."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from sem3d.doctor.authentication import keep_token
from sem3d.doctor.finding import Finding, refuse
from sem3d.doctor.ray_cluster import ADDRESS, PART, START, misnamed, unreachable
from sem3d.doctor.ray_folder import VARIABLE, ray_folder
from sem3d.errors import UserError
from sem3d.ray_internals.cluster import (
    cpus_of_this_machine,
    has_a_node_here,
    head_of_this_machine,
    look_for_the_token_again,
)

logger = logging.getLogger(__name__)


def connect(cpus: int, dashboard: bool = False) -> None:
    """Connect to the cluster of ``RAY_ADDRESS``, else starts a local one with at least ``cpus`` logical CPUs.

    A local one has as many as Ray counts here, which heeds a container's limit, or ``cpus`` if these are more. Does nothing
    where this process is connected already. A local cluster listens on all interfaces and asks for a token, unless
    ``RAY_AUTH_MODE`` says otherwise (it must be set before Ray is imported). What workers print stays in Ray's logs:
    see :mod:`sem3d.runs.progress` for what the user sees. Raises :class:`UserError` where a cluster cannot be reached or
    started.
    """
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if ray.is_initialized():
        return
    address = os.environ.get(ADDRESS) or "local"
    if address == "local":
        _start(cpus, dashboard)
    else:
        refuse(_unusable(address))
        with _one_line(f"Ray at {address} ({ADDRESS}) cannot be used"), _own_signals():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)


def _start(cpus: int, dashboard: bool) -> None:
    folder, why = ray_folder()
    if why:
        os.environ[VARIABLE] = str(folder)
        logger.warning(why)
    if why := keep_token():
        logger.warning(why)
    look_for_the_token_again()
    with _one_line("Ray does not start on this machine"), _own_signals():
        ray.init(
            address="local",
            num_cpus=max(cpus_of_this_machine(), cpus),
            include_dashboard=dashboard,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )


def _unusable(address: str) -> Iterator[Finding]:
    """Yield why a cluster cannot be used, before Ray tries it for a minute or without end."""
    if address == "auto":
        try:
            address = head_of_this_machine()
        except ConnectionError as error:
            yield Finding(PART, "FAIL", f"{ADDRESS}=auto: {str(error).split('. ')[0]}", START.format(ADDRESS))
            return
    if wrong := misnamed(address, ADDRESS) or unreachable(address, ADDRESS):
        yield wrong
    elif not has_a_node_here():
        fix = "run this on one of its nodes, or hand it in with 'ray job submit'"
        yield Finding(PART, "FAIL", f"no node of the cluster at {address} ({ADDRESS}) runs on this machine", fix)


@contextmanager
def _one_line(failure: str) -> Iterator[None]:
    """Turn what Ray raises, of many kinds, into one line."""
    try:
        yield
    except Exception as error:
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UserError(f"{failure} ({said.strip()[:300]}): python -m jobs.doctor looks for the reason") from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the program's handler of SIGTERM, in whose place Ray puts one of its own."""
    mine = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(mine) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, mine)
