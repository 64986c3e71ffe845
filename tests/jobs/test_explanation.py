import json
import subprocess
import sys

import pytest

from jobs.explanation import StandIn
from tests.jobs.explained import explanations


def test_explanations_without_the_libraries_that_compute_say_the_same(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    told = subprocess.run(
        [sys.executable, "-m", "tests.jobs.explained"], capture_output=True, text=True, check=False, timeout=120
    )
    assert told.returncode == 0, told.stderr
    without, whole = json.loads(told.stdout), explanations()
    assert without.keys() == whole.keys()
    for command, text in whole.items():
        assert without[command] == text, command


def test_no_number_can_be_had_of_a_stand_in():
    value = StandIn.zeros(3).sum()
    for use in (float, int, iter, len, lambda one: one + one, lambda one: one[0] * 2):
        with pytest.raises((TypeError, AttributeError)):
            use(value)
