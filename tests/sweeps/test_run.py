"""Running sweeps: what is left is run, what failed is told, what was done stays; trainings are played by a function."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.tracking import MlflowClient

from sem3d.config import flatten
from sem3d.errors import UserError
from sem3d.files import exclusive_lock
from sem3d.methods.tasks.frequent_classes import marks
from sem3d.runs.run_folder import read_result, run_folder
from sem3d.sweeps import trial
from sem3d.sweeps.forecast import Terms, concurrency
from sem3d.sweeps.plan import Request, by_content, plan
from sem3d.sweeps.records import (
    read_effects,
    read_marks,
    read_pretrainings,
    read_sweep,
    read_trials,
    write_record,
)
from sem3d.sweeps.results import read_review
from sem3d.sweeps.run import SweepStopped, run_sweep
from sem3d.sweeps.trainings import Pretraining
from sem3d.tracking.parent_run import SWEEP_TAG
from sem3d.tracking.run import SPOOL_NAME
from sem3d.tracking.spool import Spool
from tests.sweeps.sweep_toys import searching_request, toy_request

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

NO_PROBE = Terms(probe_steps=0)


def pretrainings(request: Request) -> tuple[Pretraining, ...]:
    return by_content(plan(request)).pretrainings


def table(folder: Path) -> list[tuple]:
    return [(trial.arm, trial.budget, trial.seed, trial.metrics.get("miou_scannet")) for trial in read_trials(folder)]


def test_a_sweep_ends_in_a_table_and_a_finished_one_runs_nothing_again(indexed_rooms, tmp_path, trainings):
    request, said = toy_request(indexed_rooms, tmp_path), []
    folder = run_sweep(request, NO_PROBE, said.append)
    assert len(trainings.begun) == 2 + 8
    assert len(table(folder)) == 8
    assert ("pri3d", 0.5, 1, pytest.approx(0.61)) in table(folder)
    row = next(line.split() for line in said if line.strip().startswith("0.5 ") and "±" in line)
    assert row == ["0.5", "0.5050", "±", "0.0635", "0.6050", "±", "0.0635"]
    assert f"published {folder.name}" in said
    assert any(line.startswith("8/8  ") for line in said)
    before = table(folder)
    trainings.begun.clear()
    assert run_sweep(request, NO_PROBE, said.append) == folder
    assert trainings.begun == []
    assert table(folder) == before


@pytest.mark.usefixtures("trainings")
def test_records_say_what_a_reviewer_asks(indexed_rooms, tmp_path):
    folder = run_sweep(toy_request(indexed_rooms, tmp_path), NO_PROBE, [].append)
    record = read_sweep(folder)
    assert (record.arms, record.budgets, record.seeds) == (["scratch", "pri3d"], [0.5, 1.0], [0, 1])
    assert record.spent.keys() == record.estimate.keys() == {"trials", "seconds", "cpu_hours", "gpu_hours", "money"}
    assert record.settings["pretrain.schedule.steps"] == 4
    assert record.budget_unit == ""
    trial = read_trials(folder)[0]
    assert (trial.status, trial.stage_seconds["training"], trial.steps) == ("finished", 1.5, 1)
    assert trial.settings["schedule.steps"] == 4
    assert [item.status for item in read_pretrainings(folder)] == ["finished", "finished"]
    assert (folder / "logs" / f"{trial.key}.log").read_text() == "begins\nstep 1/1\n"
    client = MlflowClient(record.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("sem3d").experiment_id])
    assert [(run.info.run_id, run.info.status) for run in runs] == [(record.mlflow_run_id, "FINISHED")]
    assert runs[0].data.tags[SWEEP_TAG] == record.name


def test_marks_are_made_once_a_budget_and_seed_and_one_that_cannot_be_made_is_a_note(
    indexed_rooms, tmp_path, trainings, monkeypatch
):
    asked = []

    def counting(experiment, sources):
        asked.append((experiment.data.budget, experiment.data.budget_seed))
        if experiment.data.budget_seed == 1:
            raise RuntimeError("no light")
        return marks(experiment, sources)

    monkeypatch.setattr("sem3d.methods.tasks.frequent_classes.marks", counting)
    request, said = toy_request(indexed_rooms, tmp_path), []
    folder = run_sweep(request, NO_PROBE, said.append)
    assert asked == [(0.5, 0), (1.0, 0), (0.5, 1)]
    found = {(record.budget, record.seed): record for record in read_marks(folder)}
    assert found[0.5, 1].error == "no light"
    assert found[1.0, 1].floor == found[1.0, 0].floor
    assert 0 < found[0.5, 0].floor["miou_scannet"] < found[0.5, 0].bound["miou_scannet"] <= 1
    assert any(line.startswith("50 % of labels: floor ") for line in said)
    notes = read_review(folder).notes
    assert "No floor or bound: no light." in notes
    asked.clear()
    trainings.begun.clear()
    run_sweep(request, NO_PROBE, said.append)
    assert asked == [(0.5, 1)]
    assert trainings.begun == []


def test_an_effect_that_could_not_be_measured_is_a_note_and_tried_again(indexed_rooms, tmp_path, trainings):
    request = toy_request(indexed_rooms, tmp_path)
    names = {one.experiment.run.name for one in pretrainings(request)}
    trainings.darkness = ["no light"]
    folder = run_sweep(request, NO_PROBE, [].append)
    assert {effect.error for effect in read_effects(folder)} == {"no light"}
    assert "Not measured before and after a pretraining: no light." in read_review(folder).notes
    trainings.darkness, trainings.begun = [], []
    run_sweep(request, NO_PROBE, [].append)
    assert set(trainings.begun) == names
    assert {(effect.error, effect.after["match_rate_5px"]) for effect in read_effects(folder)} == {("", 0.2)}
    trainings.begun.clear()
    run_sweep(request, NO_PROBE, [].append)
    assert trainings.begun == []


def test_a_failed_trial_is_told_on_one_line_and_tried_again(indexed_rooms, tmp_path, trainings, monkeypatch):
    monkeypatch.setattr("sem3d.sweeps.progress.time", SimpleNamespace(monotonic=lambda: 0.0))
    request, said = toy_request(indexed_rooms, tmp_path), []
    victim = plan(request).trials[2]
    trainings.faults = {victim.key: UserError("the room is dark\nvery dark")}
    with pytest.raises(UserError, match=f"1 trials failed.*{victim.label}: the room is dark very dark$"):
        run_sweep(request, NO_PROBE, said.append)
    assert any(line.endswith(f"{victim.label}: failed: the room is dark very dark, 0 s, 0 s left") for line in said)
    folder = next((tmp_path / "sweeps").glob("toy-*"))
    records = {record.key: record for record in read_trials(folder)}
    assert (len(records), records[victim.key].status) == (8, "failed")
    assert "Traceback" in (folder / "logs" / f"{victim.key}.log").read_text()
    trainings.faults, trainings.begun = {}, []
    run_sweep(request, NO_PROBE, said.append)
    assert trainings.begun == [victim.experiment.run.name]
    assert {record.status for record in read_trials(folder)} == {"finished"}


def test_a_failed_pretraining_fails_the_trials_that_need_it_and_no_other(indexed_rooms, tmp_path, trainings):
    request = toy_request(indexed_rooms, tmp_path)
    first, second = pretrainings(request)
    trainings.faults = {first.key: RuntimeError("no memory")}
    with pytest.raises(UserError, match=r"2 trials failed.*its pretraining failed: no memory"):
        run_sweep(request, NO_PROBE, [].append)
    folder = next((tmp_path / "sweeps").glob("toy-*"))
    failed = {(trial.arm, trial.seed) for trial in read_trials(folder) if trial.status == "failed"}
    assert failed == {("pri3d", 0)}
    trainings.faults, trainings.begun = {}, []
    run_sweep(request, NO_PROBE, [].append)
    assert trainings.begun[0] == first.key
    assert len(trainings.begun) == 3
    assert second.key not in trainings.begun


def test_an_arm_whose_search_failed_as_a_whole_is_searched_again(indexed_rooms, tmp_path, trainings):
    request, said = searching_request(indexed_rooms, tmp_path), []
    trainings.faults = {"-search-": RuntimeError("no memory")}
    with pytest.raises(UserError, match=r"1 trials failed.*no search trial of arm scratch was finished: no memory"):
        run_sweep(request, NO_PROBE, said.append)
    assert read_sweep(tmp_path / "sweeps" / plan(request).name).status == "FAILED"
    first, trainings.faults, trainings.begun = trainings.begun, {}, []
    folder = run_sweep(request, NO_PROBE, said.append)
    assert trainings.begun[:2] == first
    (record,) = read_trials(folder)
    assert (record.status, read_sweep(folder).status) == ("finished", "FINISHED")
    assert record.settings["optim.lr"] in (0.003, 0.006)


def test_a_pretraining_of_another_sweep_is_found(indexed_rooms, tmp_path, trainings):
    run_sweep(toy_request(indexed_rooms, tmp_path), NO_PROBE, [].append)
    trainings.begun.clear()
    other = toy_request(indexed_rooms, tmp_path, {"optim.lr": 0.5})
    folder = run_sweep(other, NO_PROBE, [].append)
    checkpoints = {item.checkpoint for item in read_pretrainings(folder)}
    assert checkpoints == {item.checkpoint() for item in pretrainings(other)}
    starts = {flatten(trial.experiment)["init"] for trial in plan(other).trials if trial.arm == "scratch"}
    assert starts == {"scratch"}
    assert all(read_result(run_folder(item.method, item.experiment)) for item in pretrainings(other))


@pytest.mark.usefixtures("trainings")
def test_a_pretraining_on_the_same_data_elsewhere_is_found_and_other_data_in_their_place_are_not_taken_for_them(
    rooms, tmp_path
):
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(rooms, here)
    shutil.copytree(rooms, there)

    def pretrained_in(folder: Path) -> set[str]:
        return {item.run_folder for item in read_pretrainings(folder)}

    before = pretrained_in(run_sweep(toy_request(here, tmp_path, arms=("pri3d",)), NO_PROBE, [].append))
    assert pretrained_in(run_sweep(toy_request(there, tmp_path, arms=("pri3d",)), NO_PROBE, [].append)) == before
    shutil.rmtree(sorted(path for path in (here / "scans").iterdir() if path.is_dir())[0])
    with pytest.raises(UserError, match="the data have changed since sweep"):
        run_sweep(toy_request(here, tmp_path, arms=("pri3d",)), NO_PROBE, [].append)
    changed = toy_request(here, tmp_path, arms=("pri3d",), name="changed")
    assert not pretrained_in(run_sweep(changed, NO_PROBE, [].append)) & before


@pytest.mark.usefixtures("trainings")
def test_what_mlflow_did_not_take_from_a_finished_trial_is_written_at_the_end(indexed_rooms, tmp_path):
    folder = run_sweep(toy_request(indexed_rooms, tmp_path), NO_PROBE, [].append)
    record, ended = read_sweep(folder), read_trials(folder)[0]
    client = MlflowClient(record.tracking_uri)
    child = client.create_run(client.get_run(record.mlflow_run_id).info.experiment_id)
    write_record(folder, replace(ended, mlflow_run_id=child.info.run_id))
    Spool(Path(ended.run_folder) / SPOOL_NAME).add({"kind": "tags", "values": {"late": "yes"}})
    run_sweep(toy_request(indexed_rooms, tmp_path), NO_PROBE, [].append)
    assert client.get_run(child.info.run_id).data.tags["late"] == "yes"


@pytest.mark.usefixtures("trainings")
def test_time_adds_up_over_attempts(indexed_rooms, tmp_path):
    request = toy_request(indexed_rooms, tmp_path)
    victim = plan(request).trials[0]
    spent = tmp_path / "sweeps" / plan(request).name / "spent" / f"{victim.key}.json"
    spent.parent.mkdir(parents=True)
    spent.write_text(json.dumps({"seconds": 1000.0, "cpu_hours": 2.0, "gpu_hours": 0.0}))
    folder = run_sweep(request, NO_PROBE, [].append)
    assert {record.key: record.seconds for record in read_trials(folder)}[victim.key] == pytest.approx(1000, abs=5)
    assert read_sweep(folder).spent["cpu_hours"] == pytest.approx(2, abs=0.1)


def test_a_sweep_may_grow_by_seeds_but_not_change_its_settings(indexed_rooms, tmp_path, trainings):
    run_sweep(toy_request(indexed_rooms, tmp_path, name="mine", seeds=(0,)), NO_PROBE, [].append)
    trainings.begun.clear()
    folder = run_sweep(toy_request(indexed_rooms, tmp_path, name="mine", seeds=(0, 1)), NO_PROBE, [].append)
    assert len(trainings.begun) == 1 + 4
    assert (len(table(folder)), read_sweep(folder).seeds) == (8, [0, 1])
    with pytest.raises(UserError, match="asked something else"):
        run_sweep(toy_request(indexed_rooms, tmp_path, {"optim.lr": 9.0}, name="mine"), NO_PROBE, [].append)


def test_a_second_copy_of_a_sweep_is_refused(indexed_rooms, tmp_path, trainings):
    request = toy_request(indexed_rooms, tmp_path)
    with (
        exclusive_lock(tmp_path, plan(request).name),
        pytest.raises(UserError, match="is being run by another process"),
    ):
        run_sweep(request, NO_PROBE, [].append)
    assert trainings.begun == []


def test_a_stop_leaves_the_rest_for_the_next_time(indexed_rooms, tmp_path, trainings, monkeypatch):
    request = toy_request(indexed_rooms, tmp_path)
    train, folder = trainings.train, tmp_path / "sweeps" / plan(request).name

    def stopping(*arguments, **options):
        if len(trainings.begun) == 4:
            (folder / ".stop").write_text("stop\n")
        return train(*arguments, **options)

    monkeypatch.setattr(trial, "train", stopping)
    with pytest.raises(SweepStopped, match="interrupted: the same command resumes"):
        run_sweep(request, NO_PROBE, [].append)
    assert len(table(folder)) == 3
    run_sweep(request, NO_PROBE, [].append)
    assert len(trainings.begun) == 10
    assert len(table(folder)) == 8


def test_a_dry_run_says_what_would_be_run_and_leaves_nothing(indexed_rooms, tmp_path, trainings):
    said: list[str] = []
    run_sweep(toy_request(indexed_rooms, tmp_path), Terms(probe_steps=0, dry_run=True), said.append)
    rows = [line.split() for line in said if line.startswith(("pretraining", "trial"))]
    assert rows[0] == ["pretraining", "pri3d", "–", "–", "2", "2", "0", "4", "–"]
    assert rows[1] == ["trial", "scratch", "0.5", "8", "2", "2", "0", "4", "–"]
    assert len(rows) == 5
    assert said[-1] == "2 at a time on 4 CPUs and 0 GPUs; no probe, no estimate of time"
    assert trainings.begun == []
    assert not list((tmp_path / "sweeps").glob("toy-*"))


def test_as_many_run_at_a_time_as_the_cluster_holds(indexed_rooms, tmp_path):
    def fitting(most=0, **changes):
        leaves = {f"run.{name}": value for name, value in changes.items()}
        return concurrency(list(plan(toy_request(indexed_rooms, tmp_path, leaves)).trials), most)

    assert fitting() == 2
    assert fitting(workers=2) == 1
    assert fitting(workers=4) == 1
    assert fitting(cpus_per_worker=0.25) == 3
    assert fitting(most=1) == 1
    assert fitting(most=9) == 2
    with pytest.raises(UserError, match="--max-concurrent"):
        fitting(most=-1)


def test_two_holders_of_one_name_wait_for_each_other(tmp_path):
    order = []

    def second():
        with exclusive_lock(tmp_path, "thing"):
            order.append("second")

    with exclusive_lock(tmp_path, "thing"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
