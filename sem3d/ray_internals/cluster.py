"""The size of machines and clusters, as Ray counts it, and this machine's part in them."""

from importlib import import_module

import ray


def cpus_of_this_machine() -> int:
    """Return the number of CPUs as Ray counts them, which heeds a container's limit."""
    from ray._private.utils import get_num_cpus

    return int(get_num_cpus(override_docker_cpu_warning=True))


def largest_resources() -> dict[str, float]:
    """Return what the connected cluster has, or may grow to where it scales by itself."""
    from ray._private.state import state

    now = ray.cluster_resources()
    most = state.get_max_resources_from_cluster_config() or {}
    return {name: max(now.get(name, 0.0), most.get(name, 0.0)) for name in ("CPU", "GPU")}


def has_a_node_here() -> bool:
    """Return whether a node of some cluster runs on this machine: a driver needs one, and Ray would wait a minute for it."""
    from ray._private.services import find_node_ids

    return bool(find_node_ids())


def head_of_this_machine() -> str:
    """Return the address that Ray takes for ``auto``; raises :class:`ConnectionError` where no head runs here, or several."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    return canonicalize_bootstrap_address_or_die("auto")


def look_for_the_token_again() -> None:
    """Have Ray forget that it found no token."""
    import_module("ray._raylet").AuthenticationTokenLoader.instance().reset_cache()
