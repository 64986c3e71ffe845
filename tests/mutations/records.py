"""Readers of what runs, sweeps and their trackers leave on disk, and of what servers answer."""

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from sem3d.config import flatten
from sem3d.doctor.authentication import token_source
from sem3d.doctor.data import data as check_data
from sem3d.doctor.ray_cluster import job_server
from sem3d.doctor.storage import file_system, server
from sem3d.methods import method_class
from sem3d.methods.initial_parts import start_image_network
from sem3d.networks.encoders import Encoder
from sem3d.networks.initial_weights import load_encoder
from sem3d.reporting.budget_curve import csv_text, curve_rows
from sem3d.reporting.page.gallery import small
from sem3d.runs.checkpoint import CheckpointStore, weights_file
from sem3d.runs.checkpoint_files import problem, write_checkpoint, write_reduced
from sem3d.runs.load import build_method
from sem3d.runs.quarantine import Quarantine, quarantine_report
from sem3d.runs.ray_job import JOB_VARIABLE, submitted_revision
from sem3d.runs.requests import STOP
from sem3d.runs.run_folder import open_run_folder, read_result, write_result
from sem3d.runs.stored_run import stored_experiment
from sem3d.sweeps.estimate import Pace, read_pace
from sem3d.sweeps.evidence import evidence_table, read_evidence
from sem3d.sweeps.model_card import data_of_run
from sem3d.sweeps.records import PretrainingRecord, read_searches, write_record
from sem3d.sweeps.report import CHAMPION_FILE, trial_rows, write_report
from sem3d.sweeps.results import read_review
from sem3d.sweeps.search import ArmSearch, _points
from sem3d.sweeps.spent import spent_in_all
from sem3d.tracking.registry import _is_whole
from sem3d.tracking.run import SPOOL_NAME, MlflowTracker, write_what_waits
from sem3d.tracking.spool import Spool
from sem3d.tracking.store import LockedStore, store_client
from sem3d.training.ray.launch import _result
from sem3d.training.ray.worker import first_error
from sem3d.training.training_state import Counters, TrainingState
from tests.methods.tiny import tiny_experiment
from tests.mutations.containers import put_in_checkpoint, put_png, take_png
from tests.mutations.scans import index, text
from tests.mutations.trials import Parser, emptied
from tests.sweeps.fake_sweep import fake_sweep, fake_trial
from tests.training.toy_method import toy_experiment

TRIAL = "scratch-0.2-0"


class TinyEncoder(Encoder):
    """An encoder whose weights are some hundred bytes."""

    classifier = ("fc.",)

    def __init__(self):
        super().__init__()
        self.name = "resnet18"
        self.channels = (1, 1, 1, 1)
        self.conv1, self.bn1 = nn.Conv2d(3, 2, 1, bias=False), nn.BatchNorm2d(2)


class TinyNetwork(nn.Module):
    """What holds an encoder."""

    def __init__(self):
        super().__init__()
        self.unet = nn.Module()
        self.unet.encoder = TinyEncoder()


def run_settings(folder: Path) -> Path:
    return open_run_folder("toy", toy_experiment(folder / "runs"), "data") / "config.json"


def result(folder: Path) -> Path:
    paths = dict.fromkeys(("checkpoint_best", "checkpoint_last"), str(folder / "step-00000004"))
    outcome = {"metrics": {"error": 0.5}, "steps": 4, "mlflow_run_id": "0" * 32, "seconds": {"training": 1.5}}
    write_result(folder, outcome | paths)
    return folder / "result.json"


def finished(folder: Path) -> None:
    """Takes the result of a run as the command does that finds it finished, and those who make sums of it."""
    outcome = read_result(folder)
    if outcome is not None:
        ended = _result(folder, outcome)
        write_what_waits("", ended.mlflow_run_id, folder)
        (ended.checkpoint_last / "weights", ended.checkpoint_best / "weights", ended.steps + 1)
        sum([*ended.metrics.values(), *ended.seconds.values()])


def checkpoint(name: str) -> Callable[[Path], Path]:
    """A file of a small checkpoint of SSR, with its optimiser, and a pointer to it."""

    def make(folder: Path) -> Path:
        store, experiment = (
            CheckpointStore(folder / "checkpoints"),
            tiny_experiment("ssr", folder / "d", folder / "runs"),
        )
        torch.manual_seed(0)
        method, _ = build_method(method_class("ssr"), experiment, None)
        optimizer = method.optimizers()["main"]
        sum(parameter.square().sum() for parameter in method.parameters()).backward()
        optimizer.step()
        settings = json.loads(json.dumps(flatten(experiment), default=str))
        state = {"step": 4, "method": "ssr", "counters": {}, "experiment": settings, "metrics": {}}
        if not store.path(4).is_dir():
            write_checkpoint(store.path(4), method.state_dict(), {"main": optimizer.state_dict()}, state)
        store.mark_best(4, "voxel_iou", 0.5)
        return (
            (folder if name == "best.json" else store.path(4)).joinpath(name)
            if name != "best.json"
            else store.folder / name
        )

    return make


def resumed(folder: Path) -> None:
    """Takes a checkpoint as a run does that goes on."""
    store = CheckpointStore(folder / "checkpoints", warn=lambda _: None)
    newest = store.best_or_latest()
    store.prune()
    if newest is not None:
        problem(newest)
        stored_experiment(newest)


def trained_on(folder: Path) -> None:
    """Takes the pointer to the best checkpoint as a training does before it prunes."""
    state = object.__new__(TrainingState)
    state.store = CheckpointStore(folder / "checkpoints", keep=1, warn=lambda _: None)
    state.method, state.counters = object.__new__(method_class("ssr")), Counters(best=0.5, best_step=4)
    state.mark_best()
    assert state.store.named_best() == state.store.path(4)
    resumed(folder)


def evaluated(folder: Path) -> None:
    """Takes a checkpoint as ``jobs.evaluate`` does."""
    name, experiment = stored_experiment(folder)
    method, _ = build_method(method_class(name), experiment, None)
    method.initialise(str(weights_file(folder)))


def quarantine_lines(folder: Path) -> Path:
    quarantine = Quarantine(folder, 0, 0.5)
    (folder / "quarantine-rank0.jsonl").unlink(missing_ok=True)
    quarantine.add("training", 1, [{"source": "a", "reason": "blank depth"}, {"source": "b", "reason": "blank"}])
    return quarantine.path


RECORDS = {
    "metrics": {"points": [("train/loss", 0.5, 3, 3), ("train/error", 1.5, 3, 3)]},
    "value": {"name": "evaluation/names.json", "content": {"a": [1, None]}},
    "file": {"folder": "weights/last"},
}


def waiting_record(kind: str) -> Callable[[Path], Path]:
    """A record that waits, with one of tags behind it."""

    def make(folder: Path) -> Path:
        (folder / "weights.txt").write_text("weights")
        spool = Spool(folder / "kept")
        spool.add({"kind": kind, **RECORDS[kind]}, folder / "weights.txt" if kind == "file" else None)
        spool.add({"kind": "tags", "values": {"device": "cpu"}})
        return spool.entries[0] / "record.json"

    return make


@functools.cache
def mlflow_run() -> tuple[TemporaryDirectory[str], str, str]:
    """A store with a run, made once."""
    place = TemporaryDirectory()
    store = LockedStore(Path(place.name), f"sqlite:///{place.name}/mlflow.db")
    client = store_client(store.uri)
    return place, store.uri, client.create_run(store.experiment_id(client, "sem3d")).info.run_id


def sent(folder: Path) -> None:
    """Sends what waits to a store, as a run does: nothing damaged may stay and block what is behind it."""
    shutil.copytree(folder / "kept", emptied(folder / "run") / SPOOL_NAME)
    _, uri, run = mlflow_run()
    tracker = MlflowTracker(uri, run, folder / "run")
    tracker.flush()
    tracker.writer.shutdown()
    log = folder / "run" / "progress.log"
    assert tracker.spool.is_empty(), log.read_text() if log.exists() else "no line"


def sweep(name: str) -> Callable[[Path], Path]:
    """A file of a sweep of two arms that has finished."""

    def make(folder: Path) -> Path:
        place = folder / "sweeps" / "demo"
        if not place.is_dir():
            fake_sweep(folder, budgets=(0.2,), seeds=1)
            write_record(place, PretrainingRecord(key="before", method="pri3d", arm="pri3d", seed=0))
            write_record(place / "search" / "scratch", fake_trial(folder, "scratch", 0.2, 9, 0.5))
            (place / "spent").mkdir()
            (place / "spent" / "whole.json").write_text(
                json.dumps({"seconds": 9.5, "cpu_hours": 0.1, "gpu_hours": 0.0})
            )
            champion = {"name": "sem3d-pri3d", "version": "1", "score": "0.5", "run": "x"}
            (place / CHAMPION_FILE).write_text(json.dumps(champion))
        return folder / name

    return make


def reported(folder: Path) -> None:
    write_report(folder / "sweeps" / "demo", emptied(folder / "report"))


def reviewed(folder: Path) -> None:
    """Reads all that a report shows, without its curves, which take long to draw."""
    place = folder / "sweeps" / "demo"
    review = read_review(place)
    for picture in review.pictures:
        small(picture)
    for rows in (curve_rows(review.scores, review.arms, review.metric), trial_rows(place)):
        csv_text(rows).encode()
    read_searches(place)
    spent_in_all(place, "whole")


def weights(name: str, prefix: str = "") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        torch.manual_seed(0)
        tensors = {f"{prefix}{key}": value for key, value in TinyEncoder().state_dict().items()}
        if name.endswith(".safetensors"):
            from safetensors.torch import save_file

            save_file(tensors, folder / name)
        else:
            torch.save({"state_dict": tensors, "epoch": 3}, folder / name)
        return folder / name

    return make


def error_of_a_worker(folder: Path) -> Path:
    (folder / "rank-00000.json").write_text(json.dumps("the toy is broken: fix it"))
    return folder / "rank-00000.json"


def known_pace(folder: Path) -> Path:
    (folder / "pace.json").write_text(json.dumps(asdict(Pace(start=3.0, step=0.5, evaluation=2.0))))
    return folder / "pace.json"


def evidence(folder: Path) -> Path:
    words = dict.fromkeys(("space", "size", "command", "day", "revision", "hardware", "data", "metric"), "word")
    row = {"budget": "20 %", "arm": "pri3d", "paper": 61.7, "scores": [0.075, 0.081], "p": 0.03, "floor": 0.05}
    content = words | {
        "mode": "max",
        "seconds": 1.5,
        "cpu_hours": 0.1,
        "gpu_hours": 0.0,
        "rows": [row],
        "marks": ["floor 5.0"],
    }
    return text("evidence.json", json.dumps(content))(folder)


def begun_point(folder: Path) -> Path:
    place = folder / "search" / "scratch" / "points"
    place.mkdir(parents=True, exist_ok=True)
    (place / "one.json").write_text(json.dumps({"optim.lr": 0.1, "optim.kind": "sgd"}))
    return place / "one.json"


def begun_points(folder: Path) -> None:
    """Reads the points of a search of which only the place is known."""
    search = object.__new__(ArmSearch)
    for name, value in {"folder": folder, "arm": "scratch"}.items():
        object.__setattr__(search, name, value)
    _points(search)


def run_settings_of(folder: Path) -> Path:
    return next((folder / "runs").glob("*/config.json"))


def registered(folder: Path) -> None:
    """Takes a checkpoint for the registry, and one from its cache."""
    place = folder / "checkpoints" / "step-00000004"
    if problem(place) is None:
        write_reduced(place, emptied(folder / "reduced"))
    _is_whole(place, "0" * 64)


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({name: before} if before is not None else {})


def revision(folder: Path) -> None:
    content = (folder / "job.json").read_bytes().replace(b"\0", b"")
    with variable(JOB_VARIABLE, os.fsdecode(content)[:100_000]):
        submitted_revision()


def token(folder: Path) -> None:
    with variable("RAY_AUTH_TOKEN", ""), variable("RAY_AUTH_TOKEN_PATH", str(folder / "token")):
        token_source()


def answered(ask: Callable[[str], object]) -> Callable[[Path], None]:
    """Asks a server that answers with the content of a file."""

    def read(folder: Path) -> None:
        content = (folder / "answer").read_bytes()

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *parts: Any) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Answer) as listening:
            listening.timeout = 1.0
            once = threading.Thread(target=listening.handle_request, daemon=True)
            once.start()
            ask(f"http://127.0.0.1:{listening.server_port}")
            once.join()

    return read


def mounts(folder: Path) -> Path:
    return text(
        "mounts", f"/dev/root / ext4 rw 0 0\nserver:/x {folder} nfs4 rw 0 0\ntmpfs /tmp/a\\040b tmpfs rw 0 0\n"
    )(folder)


ENCODER = TinyEncoder()
RUNS = (
    Parser("config.json", run_settings, lambda f: open_run_folder("toy", toy_experiment(f / "runs"), "data")),
    Parser("result.json", result, finished),
    Parser("best.json", checkpoint("best.json"), trained_on),
    Parser("manifest.json", checkpoint("manifest.json"), resumed),
    Parser("weights of a checkpoint", checkpoint("weights.safetensors"), resumed),
    Parser("state.json", checkpoint("state.json"), evaluated, put=put_in_checkpoint),
    Parser("weights of a foreign checkpoint", checkpoint("weights.safetensors"), evaluated, put=put_in_checkpoint),
    Parser("manifest of a model", checkpoint("manifest.json"), registered),
    Parser("quarantine lines", quarantine_lines, quarantine_report),
    *(Parser(f"waiting {kind}", waiting_record(kind), sent) for kind in RECORDS),
    Parser("request to a run", text(".stop", "asked\n"), STOP.is_made),
    Parser("error of a worker", error_of_a_worker, first_error),
)
SWEEPS = (
    Parser("sweep.json", sweep("sweeps/demo/sweep.json"), reviewed),
    Parser("trial", sweep(f"sweeps/demo/trials/{TRIAL}.json"), reviewed),
    Parser("pretraining", sweep("sweeps/demo/pretrainings/before.json"), reviewed),
    Parser("point of a search", sweep("sweeps/demo/search/scratch/trials/scratch-0.2-9.json"), reviewed),
    Parser("pace of a training", known_pace, lambda f: read_pace(f / "pace.json")),
    Parser("evidence", evidence, lambda f: evidence_table(read_evidence(f / "evidence.json"))),
    Parser("begun point", begun_point, begun_points),
    Parser("settings behind a model's card", run_settings, lambda f: data_of_run(run_settings_of(f))),
    Parser("spent", sweep("sweeps/demo/spent/whole.json"), reviewed),
    Parser("champion.json", sweep(f"sweeps/demo/{CHAMPION_FILE}"), reported),
    Parser("evaluation.json", sweep(f"run-{TRIAL}/evaluation.json"), reviewed),
    Parser(
        "picture of a trial", sweep(f"run-{TRIAL}/figures/step-00000080/predictions.png"), reviewed, take_png, put_png
    ),
)
WEIGHTS = (
    Parser(".pth", weights("w.pth"), lambda f: load_encoder(ENCODER, str(f / "w.pth"))),
    Parser(".safetensors", weights("w.safetensors"), lambda f: load_encoder(ENCODER, str(f / "w.safetensors"))),
    Parser(
        "weights of a run",
        weights("w.safetensors", "unet.encoder."),
        lambda f: start_image_network(TinyNetwork(), str(f / "w.safetensors")),
    ),
)
ANSWERS = (
    Parser("answer of a job server", text("answer", '{"ray_version": "2.60.0", "version": "4"}'), answered(job_server)),
    Parser("answer of MLflow", text("answer", '{"experiments": []}'), answered(server)),
    Parser("facts of a job", text("job.json", '{"runtime_env": {"working_dir": "gcs://_ray_pkg_1.zip"}}'), revision),
    Parser("token", text("token", "0123456789abcdef\n"), token),
    Parser("mounts", mounts, lambda f: file_system(f, f / "mounts")),
    Parser("index of the doctor", index("index.json"), lambda f: check_data(str(f / "index"), str(f / "runs"))),
    Parser(
        "quarantine of the doctor", index("quarantine.json"), lambda f: check_data(str(f / "index"), str(f / "runs"))
    ),
)
