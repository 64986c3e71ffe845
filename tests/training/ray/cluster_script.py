"""A Ray cluster of several nodes on this machine, and runs on it that meet trouble: a process of its own, for tests.

Reads the name of a case from each line of standard input and answers with a line of JSON. The head has one CPU, for reading
data; each node has two, which is what one worker asks for, so two workers need two nodes.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil
from ray._raylet import GcsClient
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import DrainNodeReason

from sem3d.training.ray.launch import train
from tests.methods.tiny import tiny_experiment
from tests.quiet_agent import leave_agents_out
from tests.training.ray.trouble import STEPS, TROUBLE, experiment_in_trouble
from tests.training.toy_method import ToyMethod
from tests.warm_process import WarmProcess
from tests.warm_workers import SCRIPT

NODE = {"object_store_memory": 100 * 2**20, "setup_worker_path": SCRIPT}
"""Of every node."""
WATCHED = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "1"}
"""As users have it: a process more for each group of workers."""
SECONDS = 200.0
HELD = TROUBLE + 6
"""The step that runs wait before, beyond the checkpoint after the trouble."""


class Nodes:
    def __init__(self) -> None:
        head = {"num_cpus": 1, "include_dashboard": False, **NODE}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.started = 1
        self.alive: list = []

    def add(self) -> None:
        self.started += 1
        self.alive.append(
            self.cluster.add_node(num_cpus=2, node_ip_address=f"127.0.0.{self.started}", wait=True, **NODE)
        )

    def remove(self) -> None:
        self.cluster.remove_node(self.alive.pop(), allow_graceful=False)

    def have(self, count: int) -> None:
        self.alive = [node for node in self.alive if node.any_processes_alive() and not node.dead_processes()]
        while len(self.alive) < count:
            self.add()
        while len(self.alive) > count:
            self.remove()

    def drain(self, seconds: int) -> None:
        """Say that a node will be taken away, which Ray then ends."""
        preemption, deadline = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"), time.time_ns() // 10**6
        client = GcsClient(address=self.cluster.address)
        node = self.alive.pop()
        accepted, why = client.drain_node(node.node_id, preemption, "spot", deadline + 1000 * seconds)
        assert accepted, why


class Run:
    """A driver process and the progress it makes, with the time at which each line was seen."""

    drivers: ClassVar[list[WarmProcess]] = []
    """All that were started."""

    def __init__(self, address: str, folder: Path, name: str, watched: bool = False, **settings: dict):
        self.folder, self.hold = folder / name, Path()
        self.command = ["tests.training.ray.cluster_script", "drive", folder, json.dumps({"name": name, **settings})]
        self.environment = {**os.environ, **(WATCHED if watched else {}), "RAY_ADDRESS": address}
        self.lines: list[tuple[float, str]] = []
        self.met = 0
        """Lines up to the last that was waited for."""
        self.start()

    @classmethod
    def held(cls, address: str, folder: Path, name: str, step: int, watched: bool = False, **settings: dict) -> "Run":
        """A run that waits before ``step`` until it is let go: the trouble cannot come too late."""
        hold = folder / f"{name}.hold"
        hold.touch()
        method = {"hold": str(hold), "hold_step": step, **settings.pop("method", {})}
        run = cls(address, folder, name, watched, method=method, **settings)
        run.hold = hold
        return run

    def until_resumed(self) -> None:
        self.until(lambda line: line.startswith("resuming from step"))

    def let_go(self) -> None:
        """Let a held run end once it has resumed."""
        self.until_resumed()
        self.hold.unlink()

    def start(self) -> None:
        self.driver = WarmProcess(*self.command, environment=self.environment)
        Run.drivers.append(self.driver)

    def look(self) -> None:
        log = self.folder / "progress.log"
        whole = log.read_text().split("\n")[:-1] if log.is_file() else []
        self.lines += [(time.monotonic(), line) for line in whole[len(self.lines) :]]

    def until(self, condition: Callable[[str], bool], seconds: float = SECONDS) -> float:
        """Time at which a line after the last one that was waited for meets the condition."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            for number, (moment, line) in enumerate(self.lines[self.met :], self.met + 1):
                if condition(line):
                    self.met = number
                    return moment
            if self.driver.poll() is not None:
                raise RuntimeError(f"the driver ended with {self.driver.returncode}: {self.text()}")
            time.sleep(0.05)
        raise TimeoutError(self.text())

    def until_step(self, step: int) -> float:
        return self.until(lambda line: line.startswith(f"step {step}/"))

    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def finish(self, trouble_at: float = 0.0) -> dict:
        if trouble_at:
            back = self.until(lambda line: line.startswith("step "))
        code = self.driver.wait(SECONDS)
        self.look()
        result = json.loads((self.folder / "result.json").read_text())
        facts = {"code": code, "lines": [line for _, line in self.lines], "steps": result["steps"]}
        facts |= {"weights": str(Path(result["checkpoint_last"]) / "weights.safetensors")}
        return facts | ({"recovery_seconds": back - trouble_at} if trouble_at else {})


def train_workers() -> set[psutil.Process]:
    """Workers of Ray Train of this lane of tests: forks of the process that this one is forked from, as its watcher is."""
    watcher = psutil.Process().parent()
    lane = watcher and watcher.parent()
    assert lane
    return {process for process in lane.children() if process.name().startswith("ray::RayTrain")}


def stop_drivers() -> None:
    for driver in Run.drivers:
        driver.kill()


def pretraining(nodes: Nodes, folder: Path) -> dict:
    nodes.have(2)
    return Run(nodes.cluster.address, folder, "pretraining", rooms=sys.argv[2]).finish()


def troubled(nodes: Nodes, folder: Path) -> dict:
    """A worker is killed, then a node is removed and replaced, then the driver is killed and started again."""
    nodes.have(2)
    others = train_workers()
    run = Run.held(nodes.cluster.address, folder, "troubled", HELD)
    run.until_step(TROUBLE)
    workers = train_workers() - others
    next(iter(workers)).kill()
    run.until_resumed()
    run.until_step(HELD - 1)
    nodes.remove()
    nodes.add()
    run.until_resumed()
    run.until_step(HELD)
    run.driver.kill()
    killed_at = time.monotonic()
    finished_then = (run.folder / "result.json").exists()
    run.start()
    run.let_go()
    return {**run.finish(killed_at), "workers_then": len(workers), "finished_then": finished_then}


def joining_node(nodes: Nodes, folder: Path) -> dict:
    nodes.have(1)
    settings = {"min_workers": 1, "resize_every": 2.0, "checkpoint_every": 1000}
    run = Run(nodes.cluster.address, folder, "joining_node", method={"pause_alone": 1.5}, run=settings)
    run.until_step(3)
    nodes.add()
    joined_at = time.monotonic()
    run.until_resumed()
    return run.finish(joined_at)


def preempted_node(nodes: Nodes, folder: Path) -> dict:
    nodes.have(2)
    settings = {"checkpoint_every": 1000, "max_failures": 0}
    slowly = {"pause": 0.5}
    run = Run.held(
        nodes.cluster.address, folder, "preempted_node", STEPS - 2, watched=True, method=slowly, run=settings
    )
    run.until_step(TROUBLE)
    nodes.drain(seconds=6)
    drained_at = time.monotonic()
    nodes.add()
    run.let_go()
    return run.finish(drained_at)


CASES = {case.__name__: case for case in (joining_node, preempted_node, pretraining, troubled)}


def drive(storage: Path, settings: dict) -> None:
    if "rooms" in settings:
        leaves = {"run__workers": 2, "run__cpus_per_worker": 2.0, "run__name": settings["name"]}
        train("pri3d", tiny_experiment("pri3d", Path(settings["rooms"]), storage, **leaves))
    else:
        train(ToyMethod, experiment_in_trouble(storage, **settings))


def main(folder: Path) -> None:
    nodes = Nodes()
    try:
        for line in sys.stdin:
            start = time.monotonic()
            try:
                facts = CASES[line.strip()](nodes, folder)
            except Exception as error:
                facts = {"error": f"{type(error).__name__}: {error}"}
                stop_drivers()
            print(json.dumps({**facts, "seconds": time.monotonic() - start}), flush=True)
    finally:
        stop_drivers()
        nodes.cluster.shutdown()


if __name__ == "__main__":
    if sys.argv[1] == "drive":
        drive(Path(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        leave_agents_out()
        main(Path(sys.argv[1]))
