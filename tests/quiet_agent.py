"""Stand-in for the agent that Ray starts beside each node for metrics, logs and jobs: it says that it serves nothing.

Nobody asks the agents of test clusters, and each takes 3 s of CPU to start and 1 % of a core from then on. Ray has no setting
that leaves them out; what this one writes is what Ray's own writes where it is installed without them.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

SERVICES = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")


def leave_agents_out(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Have nodes that this process starts from now on come without agent, pages, autoscaler and what passes on logs.

    ``put`` puts something in the place of a function of Ray, as pytest's ``monkeypatch.setattr`` does.
    """
    from ray._private import services
    from ray._private.node import Node
    from ray._private.ray_constants import PROCESS_TYPE_DASHBOARD_AGENT

    interpreter = services._build_python_executable_command_memory_profileable

    def command(component: str, *arguments: Any, **options: Any) -> list[str]:
        if component == PROCESS_TYPE_DASHBOARD_AGENT:
            return [sys.executable, "-I", "-S", __file__]
        return interpreter(component, *arguments, **options)

    put(services, "_build_python_executable_command_memory_profileable", command)
    for process in ("start_log_monitor", "start_monitor", "start_api_server"):
        put(Node, process, lambda _, **__: None)


def main() -> None:
    """Say where each service listens, nowhere, and end with the node."""
    options = dict(word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("--") and "=" in word)
    for service in SERVICES:
        path = os.path.join(options["session-dir"], f"{service}_{options['node-id']}")
        with open(f"{path}.new", "w") as file:
            file.write("-1")
        os.rename(f"{path}.new", path)
    node = int(os.environ["RAY_RAYLET_PID"])
    while os.getppid() == node:
        time.sleep(0.5)


if __name__ == "__main__":
    main()
