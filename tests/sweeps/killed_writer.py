"""Writers of a sweep's records that are killed inside their writes, or whose disk is full: a program of its own, for it forks.

``killed_writer.py FOLDER kills N`` starts N writers one after the other and kills each at a moment of its own. ``... levels N``
starts N writers, each on a disk with another amount of room: what FOLDER's own file system has, which is filled up to it, or,
with ``... files N``, as many bytes as a file may have. All fail where a sweep cannot be read, has lost a record that a writer had
told of, or has a row twice.
"""

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from sem3d.errors import UserError
from sem3d.sweeps.records import (
    PretrainingRecord,
    SweepRecord,
    TrialRecord,
    read_pretrainings,
    read_sweep,
    read_trials,
    write_record,
    write_sweep,
)
from sem3d.sweeps.spent import clocked, spent_in_all

KEYS = 20
BLOCK = 4096


def write_everything(folder: Path, first: int, tell: int = -1) -> None:
    """Writes the records of a sweep again and again, and tells of each trial that it has written."""
    for number in range(first, first + 1_000_000):
        key = f"trial-{number % KEYS:02d}"
        with clocked(folder, key, cpus=1.0):
            write_sweep(folder, sweep(number))
            growing = {"note": "x" * (300 * (number % 1000))}
            write_record(
                folder, TrialRecord(key=key, method="toy", arm="a", budget=1, seed=0, settings=growing, steps=number)
            )
            write_record(folder, PretrainingRecord(key=f"pre-{number % 3}", method="toy", arm="a", seed=0))
        if tell >= 0:
            os.write(tell, b"%d\n" % number)


def sweep(number: int) -> SweepRecord:
    spent = {"trials": float(number)}
    return SweepRecord(name="s", space="p", metric="m", mode="max", arms=["a"], budgets=[1], seeds=[0], spent=spent)


def check(folder: Path, told: dict[str, int]) -> None:
    """Reads the sweep as its command and its report do, and every JSON file of it as any program would."""
    assert read_sweep(folder).name == "s"
    trials = {trial.key: trial.steps for trial in read_trials(folder)}
    assert len(trials) == len(read_trials(folder)) <= KEYS, "a row stands twice"
    lost = {key: (steps, trials.get(key)) for key, steps in told.items() if trials.get(key, -1) < steps}
    assert not lost, f"written and lost: {lost}"
    assert len(read_pretrainings(folder)) <= 3
    assert spent_in_all(folder, "trial-00")["cpu_hours"] >= 0
    for path in folder.rglob("*.json"):
        if not path.name.startswith("."):
            json.loads(path.read_text())


def kill_writers(folder: Path, kills: int) -> dict[str, int]:
    """Kills that many writers; returns how many left something unfinished, and what lay there at the end."""
    rng, told, facts, number = random.Random(0), {}, Counter(), 0
    write_sweep(folder, sweep(0))
    for _ in range(kills):
        pipe, tell = os.pipe()
        writer = os.fork()
        if not writer:
            write_everything(folder, number, tell)
        os.close(tell)
        time.sleep(rng.uniform(0.005, 0.05))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        with os.fdopen(pipe) as lines:
            for line in lines:
                number = int(line) + 1
                told[f"trial-{int(line) % KEYS:02d}"] = int(line)
        facts["left unfinished"] += any(path.name.startswith(".") for path in folder.rglob("*"))
        for path in folder.rglob(".*"):
            os.utime(path, (1e9, 1e9))
        check(folder, told)
    return dict(facts) | {"records": number, "leftovers": sum(path.name.startswith(".") for path in folder.rglob("*"))}


def fill_disk(folder: Path) -> None:
    """Writes until nothing more can be written, which must be one line, and reads everything then."""
    told: dict[str, int] = {}
    pipe, tell = os.pipe()
    line = ""
    try:
        write_everything(folder, 0, tell)
    except UserError as error:
        line = str(error)
    os.close(tell)
    assert line.startswith("no room in ") or "cannot be written: File too large" in line, line
    with os.fdopen(pipe) as lines:
        for number in lines:
            told[f"trial-{int(number) % KEYS:02d}"] = int(number)
    if told or (folder / "sweep.json").exists():
        check(folder, told)
    assert not [path for path in folder.rglob(".*")] if folder.exists() else True


def fill_disks(folder: Path, levels: int, of_files: bool) -> dict[str, int]:
    """Fills that many disks, each in a process of its own; returns how many sweeps had trials then."""
    with_trials = 0
    for level in range(levels):
        place, ballast = folder / f"level-{level}", folder / "ballast"
        if not of_files:
            room = os.statvfs(folder)
            ballast.write_bytes(b"0" * max(room.f_bavail * room.f_frsize - level * BLOCK, 0))
        writer = os.fork()
        if not writer:
            if of_files:
                resource.setrlimit(resource.RLIMIT_FSIZE, (level * 97, level * 97))
            fill_disk(place)
            os._exit(0)
        assert os.waitpid(writer, 0)[1] == 0, f"level {level}"
        with_trials += bool(read_trials(place))
        ballast.unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
    return {"levels": levels, "with trials": with_trials}


if __name__ == "__main__":
    place, task, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    print(json.dumps(kill_writers(place, count) if task == "kills" else fill_disks(place, count, task == "files")))
