"""Two workers of Ray Train that are started once and serve the trainings of several tests, one after the other.

A group of workers costs some ten interpreters. What is checked stays the same: ``train`` hands its settings to the workers of
this group instead of starting others, and they do with them what they do with those of Ray.
"""

import asyncio
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ray
import ray.train

from sem3d.training.ray.elastic import ElasticTrainer
from sem3d.training.ray.worker import worker_loop

WORKERS = 2
LONGEST_CALL = 240.0
SECONDS_BETWEEN_LOOKS = 2.0


@ray.remote(num_cpus=0)
class Mailbox:
    """Calls of the driver and answers of the workers; those who wait for one are answered once it is there."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any] | None] = []
        self.answers: dict[tuple[int, int], Any] = {}
        self.changed = asyncio.Condition()

    async def put(self, settings: dict[str, Any] | None) -> int:
        async with self.changed:
            self.calls.append(settings)
            self.changed.notify_all()
        return len(self.calls) - 1

    async def take(self, number: int) -> dict[str, Any] | None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.calls) > number)
        return self.calls[number]

    async def answer(self, number: int, rank: int, words: Any) -> None:
        async with self.changed:
            self.answers[number, rank] = words
            self.changed.notify_all()

    async def answered(self, number: int) -> list[Any]:
        places = [(number, rank) for rank in range(WORKERS)]
        async with self.changed:
            await self.changed.wait_for(lambda: all(place in self.answers for place in places))
        return [self.answers[place] for place in places]


class TrainGroup:
    """The workers, started by the first call."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.thread: threading.Thread | None = None

    def __call__(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Returns what process 0 makes of a run's settings; fails with the traceback of the workers that raised."""
        if self.thread is None:
            self.mailbox = Mailbox.remote()
            self.thread = threading.Thread(target=self.fit, name="group", daemon=True)
            self.thread.start()
        number, deadline = ray.get(self.mailbox.put.remote(settings)), time.monotonic() + LONGEST_CALL
        answered = self.mailbox.answered.remote(number)
        while not ray.wait([answered], timeout=SECONDS_BETWEEN_LOOKS)[0]:
            assert time.monotonic() < deadline, "the workers do not answer"
            assert self.thread.is_alive(), "the workers have ended"
        answers = ray.get(answered)
        failures = [answer for went_well, answer in answers if not went_well]
        assert not failures, "\n".join(failures)
        return answers[0][1]

    def fit(self) -> None:
        ElasticTrainer(
            serve,
            train_loop_config={"mailbox": self.mailbox},
            scaling_config=ray.train.ScalingConfig(num_workers=WORKERS, resources_per_worker={"CPU": 0.01}),
            run_config=ray.train.RunConfig(
                name="group",
                storage_path=str(self.folder),
                logging_config=ray.train.LoggingConfig(log_level="ERROR"),
            ),
            sizes=(),
            run_folder=self.folder,
        ).fit()

    def stop(self) -> None:
        if self.thread is not None:
            ray.get(self.mailbox.put.remote(None))
            self.thread.join(30)

    def trainer(self, loop: Any, *, train_loop_config: dict[str, Any], **_: Any) -> ElasticTrainer:
        """Stands in the place of Ray's trainer: its ``fit`` has the run done by this group."""
        assert loop is worker_loop
        return HandedOn(lambda: self(train_loop_config))


class HandedOn(ElasticTrainer):
    """A trainer whose run is done elsewhere."""

    def __init__(self, run: Callable[[], dict[str, Any]]):
        self.run = run

    def fit(self) -> Any:
        return SimpleNamespace(return_value=self.run())


def serve(config: dict[str, Any]) -> None:
    """Runs on each worker: answers calls until one is empty."""
    mailbox, rank, number = config["mailbox"], ray.train.get_context().get_world_rank(), 0
    while True:
        call = ray.get(mailbox.take.remote(number))
        if call is None:
            return
        try:
            answer = (True, worker_loop(call))
        except Exception:
            answer = (False, traceback.format_exc())
        ray.get(mailbox.answer.remote(number, rank, answer))
        number += 1
