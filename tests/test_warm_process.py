"""Programs that are forked from a warm process start and end as those that are started anew."""

import json
import signal
import subprocess

import pytest

from tests.warm_process import ROOT, WarmProcess

pytestmark = pytest.mark.usefixtures("quick_workers")


@pytest.fixture
def program(tmp_path):
    """A program that has said what it was given."""
    with (tmp_path / "errors").open("w") as errors:
        process = WarmProcess(
            "tests.warm_program", "--of", "a b", environment={"SEM3D_TESTS_VARIABLE": "ä"}, output=errors, piped=True
        )
    yield process, json.loads(process.stdout.readline())
    with process:
        process.kill()


def test_it_has_number_session_folder_arguments_environment_and_signals_of_its_own(program):
    process, facts = program
    assert facts == {
        "arguments": ["--of", "a b"],
        "pid": process.pid,
        "session": process.pid,
        "folder": str(ROOT),
        "variable": "ä",
        "other variables": 1,
        "ray": False,
        "signals": [True, True, True],
    }


@pytest.mark.parametrize(("wish", "code"), [("", 0), ("3", 3), ("raise", 1)])
def test_it_ends_with_its_code_after_what_is_done_at_the_end(program, wish, code, tmp_path):
    process, _ = program
    assert process.poll() is None
    process.stdin.write(f"{wish}\n")
    assert process.wait(30) == process.poll() == code
    assert process.stdout.read() == "what is done at the end\n"
    errors = (tmp_path / "errors").read_text()
    assert errors.endswith("ValueError: as asked\n") if wish == "raise" else not errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_as_python_says(program, number):
    process, _ = program
    process.stdin.write("sleep\n")
    assert process.stdout.readline() == "asleep\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.send_signal(number)
    assert process.wait(30) == -number
    assert process.stdout.read() == ("what is done at the end\n" if number == signal.SIGINT else "")
    process.send_signal(number)
