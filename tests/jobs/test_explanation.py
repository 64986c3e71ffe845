import json
import re
import subprocess
import sys

import pytest

from jobs.explanation import READ_FIRST, StandIn
from tests.jobs.explained import COMMANDS, explanations
from tests.jobs.local_head import ROOT


def test_explanations_and_errors_without_the_libraries_that_compute_are_the_same(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    told = subprocess.run(
        [sys.executable, "-m", "tests.jobs.explained"], capture_output=True, text=True, check=False, timeout=300
    )
    assert told.returncode == 0, told.stderr
    without, whole = json.loads(told.stdout), explanations()
    assert without.keys() == whole.keys()
    for command, text in whole.items():
        assert without[command] == text, command


def test_every_program_that_reads_its_arguments_first_is_tried():
    assert {verb.partition(".")[0] for verb, *_ in COMMANDS} == set(READ_FIRST)
    for verb in READ_FIRST:
        module = ROOT / "jobs" / f"{verb}.py"
        source = module if module.is_file() else ROOT / "jobs" / verb / "__main__.py"
        assert re.search(r"begin_in_earnest\(\)|run_verb\(", source.read_text()), verb


def test_a_program_whose_arguments_are_right_starts_once_more_with_its_libraries(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "jobs.report", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )
    assert told.returncode == 2
    assert "no sweep" in told.stderr
    assert told.stderr.count("\n") == 1


def test_no_number_can_be_had_of_a_stand_in():
    value = StandIn.zeros(3).sum()
    for use in (float, int, iter, len, lambda one: one + one, lambda one: one[0] * 2):
        with pytest.raises((TypeError, AttributeError)):
            use(value)
