"""Programs end on a signal with one line and code 130, soon, whatever they are about; and outlive who reads their output."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WATCHED = "from jobs.ending import watch; watch()\n"
RUNS = """
import ctypes, sys, threading, time
from jobs import ending
from jobs.exits import run
from sem3d.runs import ray_job
def main():
    print("ready", flush=True)
    {body}
run(main)
"""
DEAF = "lock = ctypes.create_string_buffer(64); [ctypes.CDLL(None).pthread_mutex_lock(lock) for _ in range(2)]"
"""Waits for a lock that it holds itself, in C."""


def started(program: str, **variables: str) -> subprocess.Popen:
    """The program, once it has printed its first line."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_JOB_STOP_WAIT_TIME_S"}
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED + program],
        cwd=ROOT,
        env=environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process: subprocess.Popen, *signals: signal.Signals) -> tuple[int, str, float]:
    """Exit code, standard error, and seconds until the end, of a program that gets these signals."""
    began = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.3)
    _, error = process.communicate(timeout=30)
    return process.returncode, error, time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "program",
    [
        "import time; print('ready', flush=True); time.sleep(60)",
        RUNS.format(body="time.sleep(60)"),
        RUNS.format(body="threading.Thread(target=time.sleep, args=(0.5,)).start(); time.sleep(60)"),
    ],
    ids=["while modules are imported", "at work", "beside a thread"],
)
def test_a_signal_ends_a_program_at_once_on_one_line(program, number):
    code, error, seconds = ended(started(program, RAY_JOB_STOP_WAIT_TIME_S="9"), number)
    assert (code, error) == (130, f"stopped by {number.name}\n")
    assert seconds < 5


def test_a_second_signal_ends_what_swallows_the_first():
    body = "while True:\n        try: time.sleep(60)\n        except BaseException: pass"
    code, error, seconds = ended(started(RUNS.format(body=body)), signal.SIGINT, signal.SIGINT)
    assert (code, error) == (130, "stopped by SIGINT\n")
    assert seconds < 5


@pytest.mark.parametrize("waits", ["", "4"])
def test_what_does_not_look_at_signals_is_ended_all_the_same_later_where_ray_waits_longer(waits):
    process = started(RUNS.format(body=f"ray_job.SECONDS_TO_STOP = 2.0; {DEAF}"), RAY_JOB_STOP_WAIT_TIME_S=waits)
    time.sleep(0.5)
    code, error, seconds = ended(process, signal.SIGTERM)
    assert (code, error) == (130, "stopped: what it waited for does not end\n")
    assert (1 < seconds < 2.9) if not waits else (3 < seconds < 6)


def test_libraries_that_do_not_end_are_not_waited_for():
    body = "ending.SECONDS_TO_EXIT = 1.0; threading.Thread(target=time.sleep, args=(60,)).start()"
    assert ended(started(RUNS.format(body=body)))[:2] == (0, "")
    failing = body + "; raise OSError(28, 'No space left on device', '/full/file')"
    assert ended(started(RUNS.format(body=failing)))[:2] == (2, "error: /full/file: No space left on device\n")


def test_what_python_tears_down_at_its_end_is_not_waited_for():
    program = """
import atexit, sys
from jobs.exits import run
class Waits:
    def __del__(self):
        print("torn down", flush=True)
sys.kept = Waits()
def main():
    atexit.register(print, "what libraries end", flush=True)
    print("ready", flush=True)
run(main)
"""
    with started(program) as process:
        printed, error = (
            process.stdout.read(),
            process.stderr.read(),
        )  # communicate() loses what came with the first line
    assert (process.returncode, printed, error) == (0, "what libraries end\n", "")


def test_what_has_ended_is_not_disturbed_by_a_signal():
    body = "threading.Thread(target=time.sleep, args=(2,)).start(); raise ValueError('a bug')"
    process = started(RUNS.format(body=body))
    time.sleep(0.5)
    code, error, _ = ended(process, signal.SIGINT)
    assert code == 1
    assert error.endswith("ValueError: a bug\n")


def test_what_is_printed_after_its_reader_has_left_is_lost_and_the_work_goes_on(tmp_path):
    body = (
        f"time.sleep(0.5); print('x' * 100_000); print('y', flush=True); open({str(tmp_path / 'done')!r}, 'w').close()"
    )
    process = started(RUNS.format(body=body))
    process.stdout.close()
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    assert (tmp_path / "done").exists()
    process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_below_the_output_is_said_once_and_the_work_goes_on():
    program = "from jobs.exits import run\nrun(lambda: [print('x' * 10_000, flush=True) for _ in range(3)])"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "what is printed is lost from here on: No space left on device\n")


@pytest.mark.parametrize(
    ("encoding", "printed"), [("ascii", "-- +/- a ?"), ("latin-1", "-- ± ä ?"), ("utf-8", "── ± ä 木")]
)
def test_a_terminal_without_a_letter_gets_a_nearby_one(encoding, printed):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    program = "from jobs.exits import run\nrun(lambda: print('── ± ä 木'))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True)
    assert (done.returncode, done.stdout.decode(encoding), done.stderr) == (0, f"{printed}\n", b"")


def test_a_file_does_not_get_the_number_of_a_closed_standard_stream(tmp_path):
    program = (
        WATCHED + f"open({str(tmp_path / 'file')!r}, 'w').write(str(open({str(tmp_path / 'other')!r}, 'w').fileno()))"
    )
    subprocess.run(["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, program], cwd=ROOT, check=True)
    assert int((tmp_path / "file").read_text()) > 2
