"""Kills inside the writing of a sweep's records, and full disks: every sweep is readable afterwards and has no row twice.

``SEM3D_KILLS`` and ``SEM3D_LEVELS`` ask for more of them than a run of all tests has.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("SEM3D_KILLS", "120"))
LEVELS = int(os.environ.get("SEM3D_LEVELS", "12"))


def facts_of(folder: Path, task: str, count: int) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.sweeps.killed_writer", str(folder), task, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_writers_that_are_killed_leave_every_record_whole(tmp_path: Path):
    facts = facts_of(tmp_path / "sweep", "kills", KILLS)
    assert facts["left unfinished"] > KILLS / 10
    assert facts["records"] > KILLS / 10
    assert facts["leftovers"] < 10


def test_files_that_may_not_grow_leave_every_record_whole(tmp_path: Path):
    assert facts_of(tmp_path, "files", LEVELS)["levels"] == LEVELS


def test_a_full_disk_leaves_every_record_whole(tmp_path: Path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        assert facts_of(tmp_path, "levels", LEVELS)["with trials"] > 0
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
