"""The size of machines and clusters, as Ray counts it."""

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
