"""A Ray head of a test's own, and the commands that a user types to hand jobs in to it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.warm_workers import ADDRESS, SCRIPT

ROOT = Path(__file__).parents[2]
PORTS = (
    "port",
    "dashboard-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "runtime-env-agent-port",
    "metrics-export-port",
)


@dataclass(frozen=True)
class LocalHead:
    """A running head: the addresses of its job server and of itself, and the environment of a client that may use it."""

    address: str
    gcs: str
    environment: dict[str, str]
    folder: Path

    def ray(self, *arguments: str, cwd: Path = ROOT, **changes: str) -> subprocess.CompletedProcess:
        """``ray <arguments>`` as a client types it; ``changes`` are variables of its environment."""
        command = [sys.executable, "-m", "ray.scripts.scripts", *arguments]
        environment = self.environment | {"RAY_API_SERVER_ADDRESS": self.address} | changes
        try:
            return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=900)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{command} goes on:\n{(late.stdout or b'').decode()[-4000:]}") from late


@contextlib.contextmanager
def local_head(cpus: int = 4, **variables: str) -> Iterator[LocalHead]:
    """Starts ``ray start --head`` with token authentication on ports of its own, and ends exactly what it started.

    Its workers are forked by the process of :mod:`tests.warm_workers`, which must run.
    """
    folder = Path(tempfile.mkdtemp(prefix="rj-", dir="/tmp"))
    token = folder / "token"
    token.write_text(uuid.uuid4().hex)
    token.chmod(0o600)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SEM3D_", "MLFLOW"))
    }
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    environment[ADDRESS] = os.environ[ADDRESS]
    command = [sys.executable, SCRIPT, "start", "--head", "--block", f"--num-cpus={cpus}"]
    command += ["--no-monitor", "--include-log-monitor=false"]
    command += [f"--temp-dir={folder / 'ray'}", "--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"]
    command += [f"--{name}={port}" for name, port in ports.items()]
    command += [
        "--min-worker-port=0",
        "--max-worker-port=0",
    ]  # any free ones: Ray's own range is the same for every head
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            command, cwd=folder, env=environment | variables, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_head(head, folder / "head.log", ports["dashboard-port"])
        yield LocalHead(
            f"http://127.0.0.1:{ports['dashboard-port']}", f"127.0.0.1:{ports['port']}", environment, folder
        )
    finally:
        end(head)
        shutil.rmtree(folder, ignore_errors=True)


def end(head: subprocess.Popen) -> None:
    """Ends the head and every process below it, first those that would start others again."""
    if head.poll() is None:
        below = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
        for process in below:
            below += [child for child in _children(process) if child not in below]
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(below[1:], timeout=10)
    head.wait(10)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        process.suspend()
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def free_ports(count: int) -> list[int]:
    """That many ports of the loopback interface that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_for_head(process: subprocess.Popen, log: Path, port: int, seconds: float = 90) -> None:
    """Returns once the head is up; fails with its log where it has ended or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if "runtime started" in log.read_text():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
        time.sleep(0.2)
    raise AssertionError(f"no Ray head:\n{log.read_text()[-3000:]}")


def fresh_clone(target: Path) -> Path:
    """The project as a new clone would have it, with what is not committed yet: no ignored file."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target
