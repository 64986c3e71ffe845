"""Trainings that are played by a function, for tests of what a sweep makes of them."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sem3d.config import Experiment
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.methods.pri3d import Pri3D
from sem3d.runs.run_folder import open_run_folder, run_folder, write_result
from sem3d.runs.sources import data_digest
from sem3d.sweeps import marks, publish, search, stages, trial
from sem3d.training.ray.launch import TrainingResult


@dataclass(frozen=True)
class Effect:
    before: dict[str, float]
    after: dict[str, float]
    basis: str = ""
    picture: None = None


@dataclass(frozen=True)
class PlayedRun:
    """A checkpoint without weights."""

    weights: Path
    method: str
    experiment: Experiment


class Trainings:
    """Plays ``train`` and Tune: every training ends at once with a number made from what it was given."""

    def __init__(self, monkeypatch):
        self.begun: list[str] = []
        self.given: dict[str, Experiment] = {}
        self.faults: dict[str, Exception] = {}
        self.darkness: list[str] = []
        monkeypatch.setattr(trial, "train", self.train)
        monkeypatch.setattr(marks, "TrainedRun", PlayedRun)
        for path in Pri3D.effects.values():
            monkeypatch.setattr(path.replace(":", "."), self.effect)
        monkeypatch.setattr(stages, "run_all", self.run_all)
        monkeypatch.setattr(search, "search", self.search)
        monkeypatch.setattr(publish, "publish", lambda folder: [f"published {folder.name}"])

    def train(self, method, experiment, *, say, **_):
        folder = run_folder(method, experiment)
        self.begun.append(folder.name)
        self.given[folder.name] = experiment
        say("step 1/1")
        for part, fault in self.faults.items():
            if part in folder.name or part == method:
                raise fault
        open_run_folder(method, experiment, data_digest(method_class(method), experiment))
        checkpoint = folder / "checkpoints" / "step-00000001"
        checkpoint.mkdir(parents=True, exist_ok=True)
        score = experiment.data.budget if hasattr(experiment.data, "budget") else 0.0
        score += 0.1 * ("pri3d" in experiment.init) + 0.01 * experiment.run.seed
        metrics, seconds = {"miou_scannet": score, "loss_cross_entropy": 1 - score}, {"training": 1.5}
        paths = {"checkpoint_best": str(checkpoint), "checkpoint_last": str(checkpoint)}
        write_result(folder, {**paths, "metrics": metrics, "steps": 1, "mlflow_run_id": "run", "seconds": seconds})
        return TrainingResult(folder, checkpoint, checkpoint, metrics, "run", 1, seconds)

    def effect(self, _run: PlayedRun, _init: str) -> Any:
        if self.darkness:
            raise RuntimeError(self.darkness[0])
        return Effect({"match_rate_5px": 0.1}, {"match_rate_5px": 0.2})

    def search(self, work, name_of, terms, _folder, _concurrent, watcher):
        fresh = [{"optim.lr": 0.003 * (1 + number)} for number in range(terms.trials)]
        for point in [*terms.unfinished, *fresh][: terms.trials]:
            watcher.started(name_of(point), point)
            with suppress(UserError):
                work(name_of(point), point, [])
            watcher.ended(name_of(point), point, {}, "")

    def run_all(self, work, keys, _folder, _concurrent, watcher, _holds):
        for key in keys:
            watcher.started(key, {"key": key})
            work(key)
            watcher.ended(key, {"key": key}, {}, "")
