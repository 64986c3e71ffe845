"""A signal to the driver becomes a request that process 0 sees."""

import os
import signal
import threading
import time
from contextlib import nullcontext

import pytest

from sem3d.runs.requests import STOP
from sem3d.training.ray import interruption
from sem3d.training.ray.interruption import Patience, StopRequests, in_a_thread, stop_on_signals


def test_nothing_is_requested_until_it_is(tmp_path):
    assert not STOP.is_made(tmp_path)
    STOP.clear(tmp_path)
    assert not STOP.is_made(tmp_path)
    STOP.make(tmp_path)
    assert STOP.is_made(tmp_path)
    STOP.clear(tmp_path)
    assert not STOP.is_made(tmp_path)


def test_process_0_looks_seldom_and_remembers(tmp_path):
    now = [0.0]
    requests = StopRequests(tmp_path, interval=0.5, clock=lambda: now[0])
    STOP.clear(tmp_path)
    assert not requests()
    STOP.make(tmp_path)
    assert not requests()
    now[0] = 0.6
    assert requests()
    STOP.clear(tmp_path)
    now[0] = 2.0
    assert requests()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_ends_once_what_is_open_is_closed(tmp_path, number):
    before, lines = signal.getsignal(number), []
    with stop_on_signals(tmp_path, lines.append) as patience:
        assert not STOP.is_made(tmp_path)
        os.kill(os.getpid(), number)
        assert STOP.is_made(tmp_path)
        assert lines == [f"{number.name}: ending with a checkpoint; again to end at once"]
        assert not patience.is_over()
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        with pytest.raises(KeyboardInterrupt, match="resumes from the newest"):
            in_a_thread(lambda: time.sleep(3), patience)
        os.kill(os.getpid(), number)
    assert len(lines) == 1
    assert signal.getsignal(number) is before


def test_sigterm_waits_as_long_as_containers_do_and_as_ray_says(tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "SECONDS_AFTER_A_RUN", 9.5)
    for variable, expected in (("", KeyboardInterrupt), ("3600", None)):
        monkeypatch.setenv("RAY_JOB_STOP_WAIT_TIME_S", variable)
        with stop_on_signals(tmp_path, lambda line: None) as patience:
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(expected) if expected else nullcontext():
                in_a_thread(lambda: time.sleep(1.5), patience)


def test_ctrl_c_waits_for_the_checkpoint_however_long_it_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "SECONDS_AFTER_A_RUN", 10.0)
    with stop_on_signals(tmp_path, lambda line: None) as patience:
        os.kill(os.getpid(), signal.SIGINT)
        in_a_thread(lambda: time.sleep(0.5), patience)


def test_an_earlier_request_does_not_stop_the_next_attempt(tmp_path):
    STOP.make(tmp_path)
    with stop_on_signals(tmp_path, print):
        assert not STOP.is_made(tmp_path)


def test_in_another_thread_signals_are_left_alone(tmp_path):
    before, seen = signal.getsignal(signal.SIGTERM), []

    def trial() -> None:
        with stop_on_signals(tmp_path, print):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=trial)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_is_seen_while_the_work_goes_on_in_a_thread(tmp_path):
    began = threading.Event()

    def work() -> str:
        began.set()
        while not STOP.is_made(tmp_path):
            pass
        return "a checkpoint"

    with stop_on_signals(tmp_path, lambda line: None) as patience:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert in_a_thread(work, patience) == "a checkpoint"
    assert began.is_set()


def test_what_the_work_raises_is_raised(tmp_path):
    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        in_a_thread(work, Patience())
