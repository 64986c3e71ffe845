"""Workers of Ray and programs of tests that are forked from a process which has imported what they all import.

A worker of Ray Train imports torch, MLflow and Ray for 8 s of CPU, and tests start more than a hundred. Ray lets a script set
up the environment of a worker before it starts the worker's own (``setup_worker_path``); here that script hands arguments,
environment and streams over to a process that forks. What is forked is a process like any other, with a pid of its own, and
can be killed. Jobs that tests start in processes of their own, without a cluster, start their workers as Ray does, so that this
is tried as well. Programs that tests kill are started by :mod:`tests.warm_process`; commands that users type are not.
"""

import atexit
import gc
import json
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

IMPORTED = (
    "torch.distributed",
    "torch.utils.data",
    "torch._dynamo",
    "torchvision",
    "pandas",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna",
    "jaxtyping",
    "jsonschema",
    "pydantic",
    "requests",
    "PIL.Image",
    "google.protobuf.json_format",
)
"""Not Ray itself, which reads the settings of its process from the environment and seeds its random names as it is imported.
Optimisers import PyTorch's compiler (``torch._dynamo``), which takes 1.6 s of CPU."""
ADDRESS = "SEM3D_TESTS_WARM_WORKERS"
LONGEST_MESSAGE = 1 << 20
SCRIPT = str(Path(__file__).resolve())
"""What is given to Ray as ``setup_worker_path``."""


@contextmanager
def warm_workers(folder: Path) -> Iterator[None]:
    """Keep a process that forks workers; clusters whose ``setup_worker_path`` is this file find it by the environment."""
    address = str(folder / f"warm-{os.getpid()}")
    command = [sys.executable, SCRIPT, "serve", address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        os.environ[ADDRESS] = address
        yield
        del os.environ[ADDRESS]
        server.communicate()


def serve(address: str) -> None:
    """Import, say so, and fork a worker for each message until standard input ends."""
    atexit.register(leave)  # first, so that it is done last
    for name in IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()  # else each fork copies all of it when it looks for garbage
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(address)
    server.listen(64)
    print("ready", flush=True)
    while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
        client, _ = server.accept()
        with client:
            message, streams, _, _ = socket.recv_fds(client, LONGEST_MESSAGE, 3)
            if message and not os.fork():
                server.close()
                told = json.loads(message)
                if told.get("watched"):
                    watch(client, streams)
                client.close()
                become(told, streams)
        for stream in streams:
            os.close(stream)


def watch(client: socket.socket, streams: list[int]) -> None:
    """Fork, and return in the child; tell the client its number, and how it ended once it has, and end then too."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        for stream in (0, 1, *streams):
            os.close(stream)
        client.send(str(child).encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(BrokenPipeError):
            client.send(str(code).encode())
        os._exit(0)


def become(told: dict, streams: list[int]) -> None:
    """Run a program in this process, and end it as Python does: ``module`` as by ``-m``, else the script of its arguments."""
    os.setsid()  # a job ends with its process group
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(told["environment"])
    os.chdir(told["folder"])
    sys.argv = told["arguments"]
    module = told.get("module")
    place = told["folder"] if module else str(Path(sys.argv[0]).parent)
    sys.path[:1] = [place, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        if module:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
        sys.exit()
    except SystemExit as end:
        Ending.code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except BaseException as error:
        Ending.code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
        raise


class Ending:
    """How this process ends, as its parent sees it: with a code, or by a signal if negative."""

    code: int = 0


def leave() -> None:
    """End this process where Python has done all but free its memory, which takes a fork 0.4 s of CPU."""
    sys.stdout.flush()
    sys.stderr.flush()
    if Ending.code < 0:
        signal.signal(-Ending.code, signal.SIG_DFL)
        os.kill(os.getpid(), -Ending.code)
    os._exit(Ending.code)


def hand_over() -> None:
    """Stand in for Ray's script that sets up a worker; one that wants more than a folder and variables gets Ray's own."""
    given = [word for word in sys.argv[1:] if not word.startswith(("--serialized-runtime-env-context=", "--language="))]
    options = dict(word[2:].split("=", 1) for word in sys.argv[1:] if word not in given)
    context = json.loads(options.get("serialized-runtime-env-context") or "{}")
    prefix = context.get("command_prefix") or ["cd", shlex.quote(str(Path.cwd())), "&&"]
    plain = context.get("py_executable", sys.executable) == sys.executable and options.get("language") == "PYTHON"
    if not plain or len(prefix) != 3 or (prefix[0], prefix[2]) != ("cd", "&&"):
        own = Path(given[0]).with_name("setup_worker.py")
        os.execv(sys.executable, [sys.executable, str(own), *sys.argv[1:]])
    told = {
        "environment": dict(os.environ) | (context.get("env_vars") or {}),
        "folder": shlex.split(prefix[1])[0],
        "arguments": given,
    }
    ask_warm(told, [0, 1, 2]).close()


def ask_warm(told: dict, streams: list[int]) -> socket.socket:
    """Ask the warm process for a fork that runs what is told with these streams; return the line to it."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(os.environ[ADDRESS])
    socket.send_fds(client, [json.dumps(told).encode()], streams)
    return client


def patch_new_clusters() -> None:
    """Have nodes that this process starts from now on set their workers up by this file."""
    from ray._private.parameter import RayParams

    fill = RayParams.update_if_absent

    def with_this_file(params: RayParams, **absent: Any) -> None:
        fill(params, **{name: SCRIPT if name == "setup_worker_path" else value for name, value in absent.items()})

    RayParams.update_if_absent = with_this_file


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    elif sys.argv[1] == "start":
        from ray._private.node import Node
        from ray.scripts.scripts import main

        patch_new_clusters()
        Node.start_ray_client_server = lambda _: None  # another interpreter, which no test asks
        main()
    else:
        hand_over()
