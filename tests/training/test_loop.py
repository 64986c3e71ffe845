import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sem3d.errors import UserError
from sem3d.methods.method import HELD_OUT, TRAIN
from sem3d.runs.checkpoint_files import read_state
from sem3d.runs.progress import LOG_NAME
from sem3d.tracking.null_tracker import NullTracker
from sem3d.training import loop as loop_module
from sem3d.training import step as step_module
from sem3d.training.context import TrainingContext
from sem3d.training.loop import TrainingLoop, fit
from tests.training.toy_method import ToyMethod, stream_in_process, stream_once_in_process, toy_experiment

EXCITING = {"batch_norm": True, "noise": 0.1}


class Recorder(NullTracker):
    def __init__(self):
        self.points: list[tuple[str, float, int]] = []
        self.files: list[tuple[str, str]] = []

    def file(self, path, folder=""):
        self.files.append((folder, path.name))

    def metrics(self, values, step):
        self.points += [(name, value, step) for name, value in values.items()]


def context(folder: Path, **changes) -> TrainingContext:
    folder.mkdir(parents=True, exist_ok=True)
    start = TrainingContext(run_folder=folder, stream_batches=stream_in_process, stream_once=stream_once_in_process)
    return dataclasses.replace(start, **changes)


def learn(folder: Path, **settings) -> dict:
    return fit(ToyMethod, toy_experiment(folder, **settings), context(folder))


def weights(folder: Path, step: int) -> dict[str, Tensor]:
    return load_file(folder / "checkpoints" / f"step-{step:08d}" / "weights.safetensors")


def assert_same_files(ours: Path, theirs: Path, step: int) -> None:
    for path in (ours / "checkpoints" / f"step-{step:08d}").iterdir():
        if path.name != "state.json" and path.name != "manifest.json":
            assert path.read_bytes() == (theirs / "checkpoints" / path.parent.name / path.name).read_bytes(), path.name


def test_training_lowers_the_error(tmp_path: Path):
    result = learn(tmp_path, schedule={"steps": 100}, run={"checkpoint_every": 50})
    assert result["steps"] == 100
    assert result["metrics"]["error"] < 0.3
    assert result["metrics"]["evaluated"] == 10


def test_a_run_without_room_for_a_checkpoint_ends_before_its_first_step(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("sem3d.files.room_left", lambda _: 20)
    said = rf"no room in {tmp_path}: 1 MB are needed for a checkpoint, 0 MB are free; free some, or name another folder"
    with pytest.raises(UserError, match=said):
        learn(tmp_path)
    assert not (tmp_path / "checkpoints").exists()
    assert "step 1" not in (tmp_path / LOG_NAME).read_text()


def test_a_run_whose_folder_may_no_longer_be_written_is_one_line(tmp_path: Path):
    def log_gone(*arguments, **options):
        (tmp_path / LOG_NAME).unlink()
        (tmp_path / LOG_NAME).mkdir()
        yield from stream_in_process(*arguments, **options)

    with pytest.raises(UserError, match=rf"^{tmp_path} cannot be written: Is a directory$"):
        fit(ToyMethod, toy_experiment(tmp_path), context(tmp_path, stream_batches=log_gone))


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_resuming_in_the_middle_is_the_same_bit_for_bit_as_not_stopping(tmp_path: Path, kind: str):
    settings = {"optim": {"kind": kind}, "method": EXCITING, "run": {"checkpoint_every": 2, "keep": 5}}
    learn(tmp_path / "whole", **settings)

    def two_steps(*arguments, **options):
        yield from stream_in_process(*arguments, **{**options, "last_step": 2})
        raise ConnectionError("the lights go out")

    stopped = context(tmp_path / "halves", stream_batches=two_steps)
    with pytest.raises(ConnectionError):
        fit(ToyMethod, toy_experiment(tmp_path / "halves", **settings), stopped)
    torch.rand(3)
    result = learn(tmp_path / "halves", **settings)
    assert result["steps"] == 4
    assert_same_files(tmp_path / "whole", tmp_path / "halves", 4)
    assert read_state(Path(result["checkpoint_last"]))["counters"]["seen"] == 32
    assert "resuming from step 2" in (tmp_path / "halves" / "progress.log").read_text()


def test_a_finished_run_gives_its_result_again(tmp_path: Path):
    first, again = learn(tmp_path), learn(tmp_path)
    assert first.pop("seconds").keys() >= {"training", "evaluation"}
    assert "training" not in again.pop("seconds")
    assert first == again


def test_micro_batches_add_up_to_one_big_batch(tmp_path: Path):
    learn(tmp_path / "whole")
    learn(tmp_path / "parts", optim={"accumulate": 4})
    for name, value in weights(tmp_path / "whole", 4).items():
        torch.testing.assert_close(weights(tmp_path / "parts", 4)[name], value, atol=1e-6, rtol=0)


class Ahead(TrainingLoop):
    """A loop that pulls batches a step ahead, as one on a GPU does."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.looks_ahead = True


class Elsewhere(ToyMethod):
    """The toy method that learns from other rows from step 2 on."""

    def training_samples(self, step, sources):
        return sources[TRAIN if step < 2 else HELD_OUT]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("method", [ToyMethod, Elsewhere])
def test_batches_that_are_pulled_a_step_ahead_are_the_same(tmp_path: Path, method, accumulate: int, monkeypatch):
    settings = {"method": EXCITING, "optim": {"accumulate": accumulate}, "run": {"checkpoint_every": 2, "keep": 5}}
    events: list[str] = []

    def watched(*arguments, **options):
        for batch in stream_in_process(*arguments, **options):
            events.append(f"pull {batch.step}")
            yield batch

    whole = step_module.all_sum
    monkeypatch.setattr(step_module, "all_sum", lambda values: (events.append("wait"), whole(values))[1])
    for name, loop in (("plain", TrainingLoop), ("ahead", Ahead)):
        monkeypatch.setattr(loop_module, "TrainingLoop", loop)
        fit(method, toy_experiment(tmp_path / name, **settings), context(tmp_path / name, stream_batches=watched))
    assert_same_files(tmp_path / "plain", tmp_path / "ahead", 4)
    if method is ToyMethod:
        pulls = [[f"pull {step}"] * accumulate for step in range(4)]
        assert events[: 4 * accumulate + 4] == [word for pull in pulls for word in (*pull, "wait")]
        early = [*pulls[0], *pulls[1], "wait", *pulls[2], "wait", *pulls[3], "wait", "wait"]
        assert events[4 * accumulate + 4 :] == early


def test_evaluations_hold_no_more_items_at_a_time_than_training_does(tmp_path: Path):
    sizes: list[int] = []

    def watched(samples, *, batch_size, **share):
        sizes.append(batch_size)
        return stream_once_in_process(samples, batch_size=batch_size, **share)

    experiment = toy_experiment(tmp_path, optim={"accumulate": 4})
    result = fit(ToyMethod, experiment, context(tmp_path, stream_once=watched))
    assert sizes == [2]
    assert result["metrics"]["evaluated"] == 10


def test_the_global_norm_of_an_update_is_clipped(tmp_path: Path):
    settings = {"lr": 1.0, "momentum": 0.0, "clip_norm": 0.01}
    learn(tmp_path, optim=settings, schedule={"steps": 2}, run={"checkpoint_every": 1})
    before, after = weights(tmp_path, 1), weights(tmp_path, 2)
    moved = torch.cat([(after[name] - before[name]).flatten() for name in before])
    torch.testing.assert_close(moved.norm(), torch.tensor(0.01), atol=1e-4, rtol=0)


def test_a_step_that_is_not_finite_changes_nothing_but_the_counts(tmp_path: Path):
    method = {**EXCITING, "nonfinite_steps": (2,)}
    learn(tmp_path, method=method, schedule={"steps": 3}, run={"checkpoint_every": 1, "keep": 9})
    assert_same_files(tmp_path, tmp_path, 3)
    before, after = weights(tmp_path, 2), weights(tmp_path, 3)
    assert all(torch.equal(before[name], after[name]) for name in before)
    optimizers = [tmp_path / f"checkpoints/step-0000000{step}/optimizer-main.safetensors" for step in (2, 3)]
    assert optimizers[0].read_bytes() == optimizers[1].read_bytes()
    counters = read_state(tmp_path / "checkpoints/step-00000003")["counters"]
    assert (counters["skipped"], counters["nonfinite_in_a_row"]) == (1, 1)
    assert "skipped 1" in (tmp_path / "progress.log").read_text()


def test_too_many_steps_in_a_row_that_are_not_finite_stop_the_run(tmp_path: Path):
    with pytest.raises(UserError, match=r"2 steps in a row up to step 4 were not finite \(fit nan") as raised:
        learn(tmp_path, method={"nonfinite_steps": (0, 2, 3)}, schedule={"steps": 9}, run={"max_nonfinite": 2})
    assert "\n" not in str(raised.value)


def test_optimisers_take_turns(tmp_path: Path):
    settings = {"method": {"alternate": True}, "run": {"checkpoint_every": 1, "keep": 9}}
    learn(tmp_path, schedule={"steps": 2}, **settings)
    first, second = weights(tmp_path, 1), weights(tmp_path, 2)
    assert torch.equal(first["body.weight"], second["body.weight"])
    assert not torch.equal(first["head.weight"], second["head.weight"])


def test_best_is_by_the_score_and_stays(tmp_path: Path):
    settings = {"optim": {"lr": 0.3, "momentum": 0.0}, "schedule": {"steps": 12}}
    recorder = Recorder()
    run = {"evaluate_every": 2, "checkpoint_every": 100, "keep": 1}
    experiment = toy_experiment(tmp_path, **settings, run=run)
    result = fit(ToyMethod, experiment, context(tmp_path, tracking=recorder))
    errors = {step: value for name, value, step in recorder.points if name == "validation/error"}
    assert sorted(errors) == [2, 4, 6, 8, 10, 12]
    assert Path(result["checkpoint_best"]).name == f"step-{min(errors, key=errors.get):08d}"


@pytest.mark.parametrize("damage", ["", '{"checkpoint": "step-00000016"}', '{"checkpoint": "step-00000001"}'])
def test_the_best_checkpoint_stays_where_its_pointer_is_damaged(tmp_path: Path, damage: str):
    settings = {"optim": {"lr": 0.3, "momentum": 0.0}, "schedule": {"steps": 12}}
    settings["run"] = {"evaluate_every": 2, "checkpoint_every": 1, "keep": 1}
    best = Path(learn(tmp_path / "whole", **settings)["checkpoint_best"])
    assert best.name < "step-00000012", "the last step is the best: the test could not fail"

    def damaged(*arguments, **options):
        for batch in stream_in_process(*arguments, **options):
            if batch.step == int(best.name[5:]) + 1:
                (tmp_path / "damaged/checkpoints/best.json").write_text(damage)
            yield batch

    experiment = toy_experiment(tmp_path / "damaged", **settings)
    result = fit(ToyMethod, experiment, context(tmp_path / "damaged", stream_batches=damaged))
    assert Path(result["checkpoint_best"]).name == best.name
    (tmp_path / "damaged/checkpoints/best.json").write_text(damage)
    again = fit(ToyMethod, experiment, context(tmp_path / "damaged"))
    assert Path(again["checkpoint_best"]).name == best.name


class OfAnIndex(ToyMethod):
    """The toy method on samples that something was left out of."""

    @classmethod
    def sources(cls, experiment):
        left_out = Path(experiment.run.storage) / "quarantine.json"
        left_out.write_text("{}")
        said = {"described": "index: 3 frames; 1 in quarantine: 1 bad pose", "left_out": left_out}
        return {name: dataclasses.replace(samples, **said) for name, samples in super().sources(experiment).items()}


def test_a_run_says_what_its_data_are_and_keeps_the_list_of_what_was_left_out(tmp_path: Path):
    recorder = Recorder()
    fit(OfAnIndex, toy_experiment(tmp_path), context(tmp_path, tracking=recorder))
    said = (tmp_path / "progress.log").read_text().splitlines()
    assert said.count("index: 3 frames; 1 in quarantine: 1 bad pose") == 1
    assert ("index", "quarantine.json") in recorder.files


def test_unusable_samples_are_listed_by_name_and_counted(tmp_path: Path):
    learn(tmp_path, data={"rows": 16, "bad_rows": 1}, run={"quarantine_limit": 0.2})
    entries = [json.loads(line) for line in (tmp_path / "quarantine-rank0.jsonl").read_text().splitlines()]
    assert {entry["source"] for entry in entries} == {"row 0"}
    assert len(entries) == 2
    assert "32 samples seen, 2 unusable" in (tmp_path / "progress.log").read_text()


def test_too_many_unusable_samples_stop_the_run_once_enough_were_seen(tmp_path: Path):
    with pytest.raises(UserError, match=r"unusable, more than run\.quarantine_limit 0\.1"):
        learn(tmp_path, data={"rows": 16, "bad_rows": 8}, schedule={"steps": 50})
    assert "step 2/50" in (tmp_path / "progress.log").read_text()


def test_every_report_is_at_a_checkpoint_or_an_evaluation(tmp_path: Path):
    reports: list[dict] = []
    experiment = toy_experiment(tmp_path, schedule={"steps": 6}, run={"checkpoint_every": 3, "evaluate_every": 2})
    fit(ToyMethod, experiment, context(tmp_path, report=reports.append))
    assert [report["step"] for report in reports] == [2, 3, 4, 6]


def test_bfloat16_keeps_weights_in_float32(tmp_path: Path):
    learn(tmp_path, run={"precision": "bfloat16"})
    assert {value.dtype for value in weights(tmp_path, 4).values()} == {torch.float32}
    assert not torch.equal(weights(tmp_path, 4)["body.weight"], weights(tmp_path, 2)["body.weight"])
