"""Two processes in one gloo group, started once for all tests that compare two workers with one."""

import multiprocessing
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

LONGEST_CALL = 120.0
"""Seconds after which a call has failed, and the processes are started anew for the next one."""
IMPORTED = ("torch.distributed", "tests.methods.two_processes", "tests.contract.two_processes", "sem3d.methods.pri3d")
"""What one process imports before both are forked from it."""


class Pair:
    """Calls a function of a module in both processes, each with its rank."""

    def __init__(self) -> None:
        self.processes: list[multiprocessing.Process] = []
        self.pipes: list[Connection] = []

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Returns what ``function(rank, *arguments)`` returned in each; fails with the first traceback if one raised."""
        if not self.processes:
            self.start()
        for pipe in self.pipes:
            pipe.send((function, arguments))
        answers = [pipe.recv() if pipe.poll(LONGEST_CALL) else (False, "no answer") for pipe in self.pipes]
        failures = [answer for went_well, answer in answers if not went_well]
        if failures:
            self.stop()
            raise AssertionError("\n".join(failures))
        return [answer for _, answer in answers]

    def start(self) -> None:
        server, folder = multiprocessing.get_context("forkserver"), tempfile.mkdtemp()
        server.set_forkserver_preload([*IMPORTED])
        for rank in range(2):
            ours, theirs = server.Pipe()
            process = server.Process(target=serve, args=(rank, folder, theirs), daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)
            self.pipes.append(ours)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        self.processes, self.pipes = [], []


def serve(rank: int, folder: str, pipe: Connection) -> None:
    """Answers calls until the pipe is closed."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(folder) / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=60))
    with suppress(EOFError):
        while True:
            function, arguments = pipe.recv()
            try:
                pipe.send((True, function(rank, *arguments)))
            except BaseException:
                pipe.send((False, traceback.format_exc()))
