import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.entities import Dataset, DatasetInput

from jobs import report
from sem3d.errors import UserError
from sem3d.files import write_json
from sem3d.sweeps.delivery import deliver
from sem3d.sweeps.findings import inside
from sem3d.sweeps.publish import publish
from sem3d.sweeps.records import TrialRecord, read_sweep, read_trials, write_record, write_sweep
from sem3d.sweeps.report import write_report
from sem3d.sweeps.results import counting_trials, read_review
from sem3d.tracking.parent_run import PARENT_TAG
from sem3d.tracking.run import SPOOL_NAME
from sem3d.tracking.spool import Spool
from sem3d.tracking.store import LockedStore, store_client
from tests.jobs.outcome import outcome
from tests.sweeps.fake_sweep import fake_sweep, fake_trial, usual_score

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning:mlflow.*")


NAME = "sem3d-semantic_segmentation_2d"


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """A new SQLite store, which takes MLflow seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    store_client(f"sqlite:///{path}").search_experiments()
    return path


def with_mlflow(folder: Path, empty_store: Path):
    """Gives a fake sweep its parent run in a SQLite store; returns the client and the run's id."""
    store = LockedStore(folder.parents[1])
    shutil.copyfile(empty_store, folder.parents[1] / "mlflow.db")
    client = store_client(store.uri)
    run = client.create_run(store.experiment_id(client, "sem3d"), run_name=folder.name)
    write_sweep(folder, replace(read_sweep(folder), mlflow_run_id=run.info.run_id, tracking_uri=store.uri))
    return client, run.info.run_id


def tree(client, run_id: str, folder: str | None = None) -> list[str]:
    """Paths of all artifacts of a run."""
    found: list[str] = []
    for item in client.list_artifacts(run_id, folder):
        found += tree(client, run_id, item.path) if item.is_dir else [item.path]
    return sorted(found)


def test_publishing_puts_the_review_on_the_parent_run_and_twice_is_as_once(tmp_path: Path, empty_store: Path):
    folder = fake_sweep(tmp_path, budgets=(0.2, 1.0))
    client, run_id = with_mlflow(folder, empty_store)
    trial = client.create_run(client.get_run(run_id).info.experiment_id, tags={PARENT_TAG: run_id})
    data = DatasetInput(Dataset("rooms", "0123", "local", "{}"))
    client.log_inputs(trial.info.run_id, datasets=[data])
    lines = publish(folder)
    assert lines[0].startswith("pri3d against scratch, mIoU scannet in % (95 % interval, 3 seeds): better: +6.0 (")
    assert any(line == "champion   models:/sem3d-semantic_segmentation_2d@champion (version 1)" for line in lines)
    first = client.get_run(run_id)
    assert [item.dataset.name for item in first.inputs.dataset_inputs] == ["rooms"]
    files = tree(client, run_id)
    assert {"report.html", "budget_curve.png", "budget_curve.csv", "trials.csv"} <= set(files)
    assert first.data.metrics["best/pri3d"] > first.data.metrics["best/scratch"]
    assert len(first.data.metrics) < 60
    assert first.data.tags["finding"] == lines[0]
    assert "| pri3d |" in first.data.tags["mlflow.note.content"]
    page = (folder / "report" / "report.html").read_text()
    assert publish(folder) == lines
    assert (folder / "report" / "report.html").read_text() == page
    again = client.get_run(run_id)
    assert (again.data.metrics, again.data.tags, tree(client, run_id)) == (first.data.metrics, first.data.tags, files)
    assert len(client.get_metric_history(run_id, "best/pri3d")) == 1
    card = client.get_model_version_by_alias("sem3d-semantic_segmentation_2d", "champion").description
    assert 'sem3d.load("models:/sem3d-semantic_segmentation_2d@champion")' in card
    assert [item.version for item in client.search_model_versions("name = 'sem3d-semantic_segmentation_2d'")] == [1]


def test_a_better_trial_becomes_the_champion_and_the_page_follows(tmp_path: Path, empty_store: Path):
    folder = fake_sweep(tmp_path, budgets=(0.2, 1.0), seeds=2)
    client, run_id = with_mlflow(folder, empty_store)
    publish(folder)
    before = client.get_run(run_id).data.metrics["best/scratch"]
    for seed in (0, 1):
        write_record(
            folder, fake_trial(tmp_path, "scratch", 1.0, seed, 0.9 + 0.01 * seed, key=f"better-{seed}", settings={})
        )
    lines = publish(folder)
    assert any(line.endswith("(version 2), replaces version 1 of sweep demo (mIoU scannet 36.3 %)") for line in lines)
    assert any(line.endswith("(version 2)") for line in publish(folder))
    version = client.get_model_version_by_alias("sem3d-semantic_segmentation_2d", "champion")
    assert "scratch at 100 % of labels" in version.description
    assert client.get_run(run_id).data.metrics["best/scratch"] > before
    assert "version 2" in json.loads((folder / "champion.json").read_text())["registered as"]


def test_a_champion_stays_where_another_sweep_is_worse_or_of_other_data_until_it_is_told(
    tmp_path: Path, empty_store: Path, monkeypatch, capsys
):
    good = fake_sweep(tmp_path, name="good", budgets=(1.0,), seeds=2)
    client, _ = with_mlflow(good, empty_store)
    publish(good)

    def champion() -> str:
        return client.get_model_version_by_alias(NAME, "champion").tags["sem3d.sweep"]

    def another(name: str, value: float, digest: str) -> list[str]:
        (tmp_path / name).mkdir()
        folder = fake_sweep(tmp_path, name=name, arms=(name,), budgets=(1.0,), seeds=2, score=lambda *_: value)
        for run in tmp_path.glob(f"run-{name}-*/config.json"):
            write_json(run, json.loads(run.read_text()) | {"data": digest})
        run = client.create_run(client.get_experiment_by_name("sem3d").experiment_id)
        record = replace(read_sweep(folder), mlflow_run_id=run.info.run_id, tracking_uri=read_sweep(good).tracking_uri)
        write_sweep(folder, record)
        return publish(folder)

    worse = another("worse", 0.046, "0123456789ab")
    assert champion() == "good"
    assert f"best       models:/{NAME}/2" in worse
    (line,) = [one for one in worse if one.startswith("champion")]
    assert (
        f"models:/{NAME}@champion stays version 1 of sweep good: mIoU scannet 36.3 % against mIoU scannet 4.6 %" in line
    )
    assert line.endswith("--publish --promote makes version 2 champion")
    assert "alias" not in json.loads((tmp_path / "sweeps" / "worse" / "champion.json").read_text())["registered as"]
    elsewhere = another("elsewhere", 0.9, "ba9876543210")
    assert champion() == "good"
    assert any("on other data than this sweep's mIoU scannet 90.0 %" in one for one in elsewhere)
    better = another("better", 0.5, "0123456789ab")
    assert champion() == "better"
    assert any(one.endswith("replaces version 1 of sweep good (mIoU scannet 36.3 %)") for one in better)
    code, out, error = outcome(
        report.main, monkeypatch, capsys, tmp_path / "sweeps" / "worse", "--publish", "--promote"
    )
    assert (code, error) == (0, "")
    assert f"champion   models:/{NAME}@champion (version 2), replaces version 4 of sweep better" in out
    assert champion() == "worse"
    code, _, error = outcome(report.main, monkeypatch, capsys, tmp_path / "sweeps" / "worse", "--promote")
    assert (code, error) == (2, "error: --promote goes with --publish\n")


def test_a_store_that_is_away_costs_no_report(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = fake_sweep(tmp_path, budgets=(1.0,), seeds=2)
    write_sweep(folder, replace(read_sweep(folder), tracking_uri="http://127.0.0.1:9", mlflow_run_id="0" * 32))
    lines = publish(folder)
    assert (folder / "report" / "report.html").is_file()
    assert "did not take the report" in lines[-1]
    assert f"python -m jobs.report {folder} --publish" in lines[-1]


def test_what_the_store_did_not_take_is_delivered_with_the_report(
    tmp_path: Path, empty_store: Path, monkeypatch, capsys
):
    folder = fake_sweep(tmp_path, budgets=(1.0,), seeds=1)
    client, parent = with_mlflow(folder, empty_store)
    experiment = client.get_run(parent).info.experiment_id
    (trial, *_) = read_trials(folder)
    point = fake_trial(tmp_path, "scratch", 0.2, 7, 0.1)
    runs = [client.create_run(experiment).info.run_id for _ in (trial, point)]
    for record, place, run in zip((trial, point), (folder, folder / "search" / "scratch"), runs, strict=True):
        write_record(place, replace(record, mlflow_run_id=run))
        Spool(Path(record.run_folder) / SPOOL_NAME).add({"kind": "status", "value": "FINISHED"})
    code, out, error = outcome(report.main, monkeypatch, capsys, folder, "--publish")
    assert code == 0, error
    assert "champion   models:/sem3d-semantic_segmentation_2d@champion (version 1)" in out
    assert {client.get_run(run).info.status for run in runs} == {"FINISHED"}
    assert client.get_run(parent).info.status == "RUNNING"
    write_sweep(folder, replace(read_sweep(folder), status="FAILED"))
    deliver(folder)
    closed = client.get_run(parent).info
    assert closed.status == "FAILED"
    deliver(folder)
    assert client.get_run(parent).info.end_time == closed.end_time


def test_a_search_is_told_with_what_it_chose_on(tmp_path: Path):
    folder = fake_sweep(tmp_path, budgets=(0.2, 1.0), seeds=2)
    assert not any("searched" in note for note in read_review(folder).notes)
    for arm, points in (("scratch", 3), ("pri3d", 2)):
        for number in range(points):
            write_record(folder / "search" / arm, fake_trial(tmp_path, arm, 0.2, number, 0.1))
    assert read_review(folder).notes[0] == (
        "Settings of each arm were searched first: 2 to 3 points an arm at 20 % of labels, and chosen on the held-out data "
        "that is reported here, so the scores are optimistic."
    )
    write_sweep(folder, replace(read_sweep(folder), search_settings={"data.evaluation_split": "val"}))
    assert read_review(folder).notes[0].endswith("and chosen on a split of its own (data.evaluation_split val).")


def test_only_finished_trials_with_a_score_count(tmp_path: Path):
    folder = fake_sweep(tmp_path, budgets=(1.0,), seeds=2)
    common = {"method": "semantic_segmentation_2d", "arm": "pri3d", "budget": 1.0}
    write_record(folder, TrialRecord(key="a", seed=2, status="stopped", metrics={"miou_scannet": 0.9}, **common))
    write_record(folder, TrialRecord(key="b", seed=3, status="failed", error="out of <memory>", **common))
    write_record(folder, TrialRecord(key="c", seed=4, metrics={"miou_scannet": float("nan")}, **common))
    review = read_review(folder)
    assert set(review.scores["pri3d"][1.0]) == {0, 1}
    assert len(review.trials) == 7
    assert any("1 failed, 1 stopped, 1 finished without the score" in note for note in review.notes)
    write_report(folder, tmp_path / "out")
    assert "out of &lt;memory&gt;" in (tmp_path / "out" / "report.html").read_text()


def test_of_several_settings_the_one_with_most_seeds_and_then_the_best_mean_counts(tmp_path: Path):
    folder = fake_sweep(tmp_path, budgets=(1.0,), arms=("scratch",), seeds=2, score=lambda *_: 0.3)
    for seed, rate, value in ((0, 0.1, 0.35), (1, 0.1, 0.37), (0, 0.5, 0.99)):
        settings = {"optim.lr": rate, "run.seed": seed}
        write_record(folder, fake_trial(tmp_path, "scratch", 1.0, seed, value, key=f"{rate}-{seed}", settings=settings))
    counting, notes = counting_trials(read_sweep(folder), read_trials(folder))
    assert sorted(trial.metrics["miou_scannet"] for trial in counting) == [0.35, 0.37]
    assert "3 settings" in notes[0]


def test_a_metric_that_should_fall_is_compared_the_other_way(tmp_path: Path, empty_store: Path):
    folder = fake_sweep(tmp_path, metric="error_px", mode="min", score=lambda *trial: 10 * (1 - usual_score(*trial)))
    client, run_id = with_mlflow(folder, empty_store)
    lines = publish(folder)
    assert lines[0].startswith(
        "pri3d against scratch, error px, lower is better (95 % interval, 3 seeds): better: −0.6"
    )
    metrics = client.get_run(run_id).data.metrics
    assert metrics["best/pri3d"] < metrics["best/scratch"]


def test_a_sweep_without_any_trial_still_has_a_page(tmp_path: Path, empty_store: Path):
    folder = fake_sweep(tmp_path, seeds=0)
    client, _ = with_mlflow(folder, empty_store)
    lines = publish(folder)
    assert lines[0] == "No trial of this sweep has finished with a score."
    assert "champion   none: no finished trial has a whole checkpoint" in lines
    assert not client.search_registered_models()
    with pytest.raises(UserError, match="no sweep in"):
        write_report(tmp_path / "nothing", tmp_path / "out")


def test_a_damaged_checkpoint_is_no_champion(tmp_path: Path, empty_store: Path):
    folder = fake_sweep(tmp_path, budgets=(1.0,), arms=("scratch",), seeds=2)
    with_mlflow(folder, empty_store)
    best = max(read_trials(folder), key=lambda trial: trial.metrics["miou_scannet"])
    (Path(best.checkpoint) / "weights.safetensors").write_bytes(b"other")
    lines = publish(folder)
    assert "champion   models:/sem3d-semantic_segmentation_2d@champion (version 1)" in lines
    assert f"seed {1 - best.seed}," in json.loads((folder / "champion.json").read_text())["this checkpoint"]


def test_records_cannot_point_out_of_the_storage(tmp_path: Path):
    (tmp_path / "storage" / "run").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    storage = tmp_path / "storage"
    assert inside(storage, str(tmp_path / "outside")) == storage / "outside"
    assert inside(storage, str(storage / "run")) == storage / "run"
    assert inside(storage, "/moved/from/run") == storage / "run"
    assert inside(storage, "") == storage / "-"


def test_an_evaluation_that_is_missing_or_strange_is_left_out(tmp_path: Path):
    folder = fake_sweep(tmp_path, budgets=(1.0,), seeds=2)
    (tmp_path / "run-scratch-1-0" / "evaluation.json").unlink()
    strange = {"confusion": {"names": ["a", "b"], "matrix": [[1], [2]]}, "table": {"a": "x"}, "list": [1]}
    write_json(tmp_path / "run-pri3d-1-0" / "evaluation.json", {"step": 1, "metrics": {}, "artifacts": strange})
    review = read_review(folder)
    assert {(item.arm, item.seed) for item in review.confusions} == {("scratch", 1), ("pri3d", 1)}
    assert any(note.startswith("1 trial left no evaluation") for note in review.notes)
