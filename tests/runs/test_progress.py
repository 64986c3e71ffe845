import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sem3d.runs.progress import (
    LOG_NAME,
    LONGEST_LINE,
    Progress,
    duration,
    heard_now_and_then,
    last_line,
    lines_printed,
    log_line,
    logged_losses,
    progress_line,
    records_logged,
    said_once,
)


def test_a_progress_line_says_where_the_run_is():
    speed = {"samples_per_second": 45.2, "stall": 0.03, "seconds_left": 720.0}
    line = progress_line(120, 2000, {"view": 3.112, "geo": 0.3}, speed, 0.098)
    assert line == ("step 120/2000  loss 3.412 (view 3.112 geo 0.3)  45.2 samples/s  stall 3 %  lr 0.098  left 12 min")
    assert progress_line(1, 2, {"view": 1.0}, speed, 0.1, 2, 3).endswith("skipped 2  quarantined 3")


def test_losses_are_read_off_the_lines_and_of_a_step_made_twice_the_last(tmp_path: Path):
    speed = {"samples_per_second": 45.2, "stall": 0.03, "seconds_left": 720.0}
    assert logged_losses(tmp_path) == {}
    for step, loss in ((10, 3.0), (20, 2.5), (20, 2.25), (30, float("nan")), (40, 1e-7)):
        log_line(tmp_path, progress_line(step, 40, {"view": loss, "geo": loss}, speed, 0.1))
        log_line(tmp_path, "evaluation at step 20  loss 7")
    with (tmp_path / LOG_NAME).open("ab") as file:
        file.write(b"\xff step 50/60  loss 1\nstep 60/60  loss many\n")
    assert logged_losses(tmp_path) == {10: 6.0, 20: 4.5, 40: 2e-7}


def test_speed_leaves_out_pauses_and_tells_waiting_apart():
    times = iter([0.0, 1.0, 3.0, 3.0, 9.0, 16.0, 16.0])
    progress = Progress(0, 30, clock=lambda: next(times))
    with progress.waiting():
        pass
    with progress.pause():
        pass
    speed = progress.lap(10, batch_size=8)
    assert speed == {"samples_per_second": 8.0, "stall": 0.2, "seconds_left": 20.0}


def test_durations_are_for_people():
    assert [duration(seconds) for seconds in (45.0, 720.0, 12_600.0)] == ["45 s", "12 min", "3.5 h"]


def test_lines_of_the_log_are_printed_once_and_only_new_ones(tmp_path: Path):
    log_line(tmp_path, "before")
    said: list[str] = []
    with lines_printed(tmp_path, said.append, interval=0.01):
        log_line(tmp_path, "first")
        log_line(tmp_path, "second\nand third")
    assert said == ["first", "second and third"]


def test_what_sem3d_logs_is_in_the_run_only_while_it_lasts_and_the_process_may_outlive_its_folder(tmp_path: Path):
    logger = logging.getLogger("sem3d.networks.sparse.convolution")
    with records_logged(tmp_path):
        logger.info("backend torch")
    logger.info("said later")
    assert (tmp_path / LOG_NAME).read_text() == "backend torch\n"
    shutil.rmtree(tmp_path)
    logger.info("nobody listens")


def test_lines_are_utf_8_whatever_the_terminal_speaks(tmp_path: Path):
    program = (
        "import pathlib, sys; from sem3d.runs.progress import lines_printed, log_line; said = []\n"
        "folder, line = pathlib.Path(sys.argv[1]), 'loss 1 ' + chr(0xb1) + ' 2'\n"
        "with lines_printed(folder, said.append): log_line(folder, line)\n"
        "assert said == [line]"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environment, check=True)
    assert (tmp_path / "progress.log").read_bytes() == "loss 1 ± 2\n".encode()


def test_news_are_told_now_and_then_but_not_twice_and_no_more_when_all_is_done():
    told: list[str] = []
    news = ["step 1"]
    with heard_now_and_then(lambda: list(news), said_once(told.append), seconds=0.01):
        wait_for(lambda: told == ["step 1"])
        news[:] = ["step 1", "step 2"]
        wait_for(lambda: len(told) > 1)
    assert told == ["step 1", "step 2"]
    news.append("step 3")
    assert told == ["step 1", "step 2"]


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    assert true()


def test_the_last_line_of_a_log_is_its_last_whole_one(tmp_path: Path):
    log = tmp_path / "one.log"
    assert last_line(log) == ""
    log.write_text("first\nsecond\nhal")
    assert last_line(log) == "second"
    log.write_text("x" * LONGEST_LINE + "\nshort\n")
    assert last_line(log) == "short"
