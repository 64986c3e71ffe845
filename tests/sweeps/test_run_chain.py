"""Sweeps whose arms start from chains: order, resumption, failures, forecast and records; trainings are played by a function."""

from dataclasses import replace
from pathlib import Path

import pytest
from ray import tune

from sem3d.errors import UserError
from sem3d.runs.requests import STOP
from sem3d.sweeps import trial
from sem3d.sweeps.forecast import Terms
from sem3d.sweeps.plan import by_content, plan
from sem3d.sweeps.records import read_pretrainings, read_trials, sweep_folder
from sem3d.sweeps.report import trial_rows
from sem3d.sweeps.results import own_settings, read_review
from sem3d.sweeps.run import SweepStopped, run_sweep
from sem3d.sweeps.space import space_of
from sem3d.sweeps.trainings import lineage
from sem3d.sweeps.trial import tags_of
from tests.sweeps.chain_toys import CHAIN, FORK, SINGLE, chain_request, register_distillation
from tests.sweeps.sweep_toys import toy_module

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster", "trainings")]

NO_PROBE = Terms(probe_steps=0)


@pytest.fixture(autouse=True)
def _distillation(monkeypatch):
    register_distillation(monkeypatch)


def checkpoint_of(storage: Path, name: str) -> str:
    return str((storage / name / "checkpoints" / "step-00000001").resolve())


def test_each_training_of_a_chain_starts_from_what_was_made_for_it_and_nothing_is_made_twice(
    indexed_rooms, tmp_path, trainings
):
    arms = {"pri3d": SINGLE, "distilled": CHAIN, "forked": FORK}
    request = chain_request(indexed_rooms, tmp_path, arms, name="mine")
    whole = by_content(plan(request))
    folder = run_sweep(request, NO_PROBE, [].append)
    assert len(trainings.begun) == 4 + 3
    assert sorted(trainings.begun[:4]) == sorted(one.key for one in whole.pretrainings)
    for training in (*whole.pretrainings, *whole.trials):
        given = trainings.given[training.experiment.run.name]
        starts = {leaf: checkpoint_of(tmp_path, one.key) for leaf, one in training.starts.items()}
        assert starts.items() <= {"init": given.init, "method.teacher": getattr(given.method, "teacher", "")}.items()
    trainings.begun.clear()
    assert run_sweep(request, NO_PROBE, [].append) == folder
    assert trainings.begun == []
    other = run_sweep(chain_request(indexed_rooms, tmp_path, arms, {"optim.lr": 0.5}), NO_PROBE, [].append)
    assert {one.key for one in read_pretrainings(other)} == {one.key for one in whole.pretrainings}


def test_records_tags_pages_and_tables_name_the_whole_chain(indexed_rooms, tmp_path):
    request = chain_request(indexed_rooms, tmp_path, seeds=(0, 1))
    whole = by_content(plan(request))
    folder = run_sweep(request, NO_PROBE, [].append)
    first = whole.trials[0]
    words = f"init from {first.starts['init'].key} (method.teacher from {whole.pretrainings[0].key})"
    assert lineage(first) == words
    assert tags_of(first)["lineage"] == words
    record = next(record for record in read_trials(folder) if record.seed == 0)
    assert (record.lineage, record.starts) == (words, {"init": first.starts["init"].key})
    student = next(one for one in read_pretrainings(folder) if one.name == "distillation" and one.seed == 0)
    assert student.starts == {"method.teacher": whole.pretrainings[0].key}
    assert f"Arm distilled starts with {words} (seed 0)." in read_review(folder).notes
    assert [row["pretraining"] for row in trial_rows(folder) if row["seed"] == 0] == [words]
    teacher_leaf = replace(record, settings=record.settings | {"method.teacher": "x"}, starts={"method.teacher": "x"})
    assert own_settings(teacher_leaf) == own_settings(record)


def test_a_failure_is_told_down_the_chain_by_its_own_line_and_only_what_failed_is_tried_again(
    indexed_rooms, tmp_path, trainings
):
    request = chain_request(indexed_rooms, tmp_path, {"scratch": {"settings": {"init": "scratch"}}, "distilled": CHAIN})
    teacher, student = by_content(plan(request)).pretrainings
    trainings.faults = {teacher.key: RuntimeError("no memory\nat all")}
    line = r"1 trials failed.*the first: distilled, budget 1, seed 0: its pretraining pri3d failed: no memory$"
    with pytest.raises(UserError, match=line):
        run_sweep(request, NO_PROBE, [].append)
    folder = sweep_folder(tmp_path, plan(request).name)
    assert student.key not in trainings.begun
    errors = {one.key: one.error for one in read_pretrainings(folder)}
    assert errors == {teacher.key: "no memory", student.key: "its pretraining pri3d failed: no memory"}
    trainings.faults, trainings.begun = {student.key: RuntimeError("no disk")}, []
    with pytest.raises(UserError, match=r"seed 0: its pretraining distillation failed: no disk$"):
        run_sweep(request, NO_PROBE, [].append)
    assert trainings.begun == [teacher.key, student.key]
    trainings.faults, trainings.begun = {}, []
    run_sweep(request, NO_PROBE, [].append)
    assert [name for name in trainings.begun if not name.startswith("toy")] == [student.key]
    assert {one.status for one in (*read_pretrainings(folder), *read_trials(folder))} == {"finished"}


def test_a_stop_within_a_chain_leaves_the_rest_for_the_next_time(indexed_rooms, tmp_path, trainings, monkeypatch):
    request = chain_request(indexed_rooms, tmp_path)
    teacher, student = by_content(plan(request)).pretrainings
    folder, train = sweep_folder(tmp_path, plan(request).name), trainings.train

    def stopping(*arguments, **options):
        STOP.make(folder)
        return train(*arguments, **options)

    monkeypatch.setattr(trial, "train", stopping)
    with pytest.raises(SweepStopped, match="interrupted: the same command resumes"):
        run_sweep(request, NO_PROBE, [].append)
    assert trainings.begun == [teacher.key]
    monkeypatch.setattr(trial, "train", train)
    run_sweep(request, NO_PROBE, [].append)
    assert trainings.begun[:3] == [
        teacher.key,
        teacher.key,
        student.key,
    ]  # its effects were left; a finished run returns
    assert len(trainings.begun) == 4


def test_a_dry_run_counts_every_training_of_a_chain_once(indexed_rooms, tmp_path, trainings):
    space = space_of(toy_module(ARMS={"distilled": CHAIN}, SEARCH={"optim.lr": tune.loguniform(1e-4, 1e-2)}))
    said: list[str] = []
    request = chain_request(indexed_rooms, tmp_path, space=space, search=2, seeds=(0, 1))
    run_sweep(request, Terms(probe_steps=0, dry_run=True), said.append)
    rows = [line.split("  ") for line in said if line.startswith(("pretraining", "search", "trial"))]
    counted = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()][2] for row in rows}
    assert counted == {
        "pretraining before the search distilled, pri3d": "1",
        "pretraining before the search distilled, distillation": "1",
        "search distilled": "2",
        "pretraining distilled, pri3d": "2",
        "pretraining distilled, distillation": "2",
        "trial distilled": "2",
    }
    assert trainings.begun == []


def test_a_search_whose_chain_failed_says_why(indexed_rooms, tmp_path, trainings):
    space = space_of(toy_module(ARMS={"distilled": CHAIN}, SEARCH={"optim.lr": tune.loguniform(1e-4, 1e-2)}))
    trainings.faults = {"pri3d-": RuntimeError("no memory")}
    line = r"no search trial of arm distilled was finished: its pretraining pri3d failed: no memory$"
    with pytest.raises(UserError, match=line):
        run_sweep(chain_request(indexed_rooms, tmp_path, space=space, search=1), NO_PROBE, [].append)
