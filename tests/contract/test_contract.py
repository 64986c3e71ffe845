"""Each clause of the contract of a method, by a toy: one process, two processes, and a run that was interrupted."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from sem3d.config import OptimizerConfig, flatten, override, places
from sem3d.errors import UserError
from sem3d.methods.optimizers import build_optimizer
from sem3d.runs.checkpoint_files import read_state
from sem3d.runs.load import build_method
from sem3d.runs.requests import STOP
from sem3d.runs.run_folder import deciding, identity
from sem3d.runs.sources import content_digest, in_steps
from sem3d.tracking.null_tracker import NullTracker
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from sem3d.training.ray.interruption import Stopped
from sem3d.training.ray.launch import train
from sem3d.training.ray.preflight import check_batches
from sem3d.training.records import decode_records, encode_records
from sem3d.training.step import clip_gradients, gradient_norm
from tests.contract.toys import (
    TOYS,
    Alternating,
    Numbers,
    WithCurriculum,
    WithExports,
    WithLatents,
    WithPasses,
    WithRecords,
    WithTally,
    WithTeacher,
    WithTest,
    numbers,
    numbers_experiment,
)
from tests.contract.two_processes import fit_half
from tests.training.toy_method import stream_in_process, stream_once_in_process


class Recorder(NullTracker):
    """Keeps what it is told."""

    def __init__(self):
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.files: list[str] = []

    def metrics(self, values, step):
        for name, value in values.items():
            self.points.setdefault(name, []).append((step, value))

    def file(self, path, folder=""):
        self.files.append(f"{folder}/{path.name}")


def run(method, experiment, folder: Path, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    start = TrainingContext(run_folder=folder, stream_batches=stream_in_process, stream_once=stream_once_in_process)
    return fit(method, experiment, dataclasses.replace(start, **changes))


def weights(folder: Path, step: int = 4) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoints" / f"step-{step:08d}" / "weights.safetensors")


def evaluation(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


@pytest.mark.parametrize("method", TOYS)
def test_an_interrupted_run_equals_an_undisturbed_one_bit_for_bit(method, tmp_path):
    experiment = numbers_experiment(tmp_path, run__keep=9)
    run(method, experiment, tmp_path / "whole")

    def two_steps(*arguments, **options):
        yield from stream_in_process(*arguments, **{**options, "last_step": 2})
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run(method, experiment, tmp_path / "halves", stream_batches=two_steps)
    run(method, experiment, tmp_path / "halves")
    whole, halves = (tmp_path / name / "checkpoints" / "step-00000004" for name in ("whole", "halves"))
    for path in whole.iterdir():
        if path.name not in ("state.json", "manifest.json"):
            assert path.read_bytes() == (halves / path.name).read_bytes(), path.name


@pytest.mark.parametrize("method", [*TOYS, WithTeacher])
def test_two_processes_equal_one(method, pair, tmp_path):
    (tmp_path / "run").mkdir()
    teacher = written_teacher(tmp_path)
    experiment = numbers_experiment(tmp_path, method__teacher=str(teacher), optim__clip_norm=0.5)
    run(method, experiment, tmp_path / "alone")
    pair(fit_half, tmp_path / "run", method, experiment)
    ours, theirs = weights(tmp_path / "run"), weights(tmp_path / "alone")
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert_close(ours[name], value, rtol=1e-9, atol=1e-12)
    found, expected = evaluation(tmp_path / "run"), evaluation(tmp_path / "alone")
    assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-9)
    assert found["artifacts"] == expected["artifacts"]


def test_sources_are_opened_once_and_given_to_what_works_between_steps(tmp_path, monkeypatch):
    opened = []
    sources = WithPasses.sources
    monkeypatch.setattr(WithPasses, "sources", classmethod(lambda cls, made: opened.append(1) or sources(made)))
    recorder = Recorder()
    run(WithPasses, numbers_experiment(tmp_path), tmp_path / "run", tracking=recorder)
    assert len(opened) == 1
    assert recorder.points["others"] == [(0, 10.0), (2, 10.0)]
    assert "others at step 2: 10" in (tmp_path / "run" / "progress.log").read_text()


def test_the_content_of_all_sources_identifies_what_is_learnt_from(tmp_path):
    digests = {
        content_digest(Numbers, Numbers.sources(numbers_experiment(tmp_path, **changes)))
        for changes in ({}, {"data__rows": 25}, {"data__others": 11})
    }
    assert len(digests) == 3


def test_a_place_is_marked_in_its_type(tmp_path):
    marks = {leaf: mark.kind for leaf, mark in places(numbers_experiment(tmp_path)).items()}
    assert marks == {
        "method.teacher": "weights",
        "run.storage": "storage",
        "run.tracking_uri": "store",
        "init": "weights",
    }


def test_leaves_that_came_later_do_not_move_the_identity_of_an_older_run(tmp_path):
    experiment = numbers_experiment(tmp_path)
    assert not {"optim.beta1", "optim.eps", "schedule.patience", "init_without"} & identity(experiment).keys()
    assert identity(override(experiment, {"schedule.patience": 3}))["schedule.patience"] == 3
    assert {"optim.beta1", "schedule.patience"} <= flatten(experiment).keys()


# Named optimisers, each with its own settings.


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("sgd", torch.optim.SGD),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sparse_adam", torch.optim.SparseAdam),
    ],
)
def test_each_kind_of_optimiser_takes_its_settings(kind, cls):
    parameters = [torch.nn.Parameter(torch.zeros(2))]
    settings = {"kind": kind, "lr": 0.2} | ({"momentum": 0.7} if kind == "sgd" else {"beta1": 0.5, "eps": 1e-4})
    optimizer = build_optimizer(parameters, OptimizerConfig(**settings))
    assert type(optimizer) is cls
    (group,) = optimizer.param_groups
    assert group["lr"] == 0.2
    assert (group["momentum"] == 0.7) if kind == "sgd" else (group["betas"] == (0.5, 0.999) and group["eps"] == 1e-4)


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("sgd", "beta1"), ("adam", "momentum"), ("adamw", "dampening"), ("sparse_adam", "weight_decay")],
)
def test_a_setting_that_an_optimiser_does_not_have_is_refused(kind, setting):
    with pytest.raises(UserError, match=rf"{setting} 0\.5 is no setting of the optimiser {kind}"):
        build_optimizer([torch.nn.Parameter(torch.zeros(2))], OptimizerConfig(**{"kind": kind, setting: 0.5}))


def test_sparse_gradients_pass_norm_clip_and_finite_check(tmp_path):
    table = torch.nn.Embedding(4, 2, sparse=True).double()
    table(torch.tensor([1, 1, 3])).square().sum().backward()
    dense = table.weight.grad.to_dense()
    norm = gradient_norm([table.weight.grad])
    assert_close(norm, dense.norm())
    clip_gradients([table.weight.grad], 0.1, norm)
    assert_close(table.weight.grad.to_dense(), dense * 0.1 / (norm + 1e-6))
    finite = run(WithLatents, numbers_experiment(tmp_path, optim__clip_norm=0.01), tmp_path / "finite")
    assert finite["metrics"]["skipped_steps"] == 0
    broken = numbers_experiment(tmp_path, optim__lr=1e200, run__max_nonfinite=2, schedule__steps=40)
    with pytest.raises(UserError, match="were not finite"):
        run(WithLatents, broken, tmp_path / "broken")


def test_each_optimiser_steps_by_its_own_settings_and_is_logged_by_its_name(tmp_path):
    recorder = Recorder()
    changes = {"method__latents.lr": 0.25, "schedule__steps": 2, "run__checkpoint_every": 1}
    run(WithLatents, numbers_experiment(tmp_path, **changes), tmp_path / "run", tracking=recorder)
    assert recorder.points["train/learning_rate/latents"] == [(1, 0.25), (2, 0.25)]
    assert recorder.points["train/learning_rate/network"] == [(1, 0.05), (2, 0.05)]
    assert set(recorder.points) >= {"train/optimizer_loss/latents", "train/optimizer_loss/network", "train/loss/fit"}
    folder = tmp_path / "run" / "checkpoints" / "step-00000002"
    assert {path.name for path in folder.glob("optimizer-*.json")} == {
        "optimizer-latents.json",
        "optimizer-network.json",
    }


def test_alternating_optimisers_move_by_turns_and_both_losses_are_logged(tmp_path):
    recorder = Recorder()
    experiment = numbers_experiment(tmp_path, run__checkpoint_every=1, run__keep=9, run__log_every=2)
    run(Alternating, experiment, tmp_path / "run", tracking=recorder)
    before, after = weights(tmp_path / "run", 1), weights(tmp_path / "run", 2)
    assert torch.equal(before["body.weight"], after["body.weight"])
    assert not torch.equal(before["latents.weight"], after["latents.weight"])
    assert [step for step, _ in recorder.points["train/loss/generator"]] == [2, 4]
    assert [step for step, _ in recorder.points["train/loss/critic"]] == [2, 4]
    last = {name: recorder.points[f"train/optimizer_loss/{name}"][-1] for name in ("network", "latents")}
    assert last["network"] == recorder.points["train/loss/generator"][-1]
    assert last["latents"] == recorder.points["train/loss/critic"][-1]


# Frozen parts.


def written_teacher(folder: Path, seed: int = 5) -> Path:
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.BatchNorm1d(1))
    path = folder / f"teacher-{seed}.safetensors"
    save_file(network.state_dict(), path)
    return path


def test_a_frozen_part_stays_as_it_was_loaded_and_out_of_checkpoints(tmp_path):
    teacher = written_teacher(tmp_path)
    experiment = numbers_experiment(tmp_path, method__teacher=str(teacher))
    method, lines = build_method(WithTeacher, experiment, WithTeacher.sources(experiment))
    method.train()
    assert lines == [f"frozen teacher: teacher from {teacher.name}"]
    assert not any(module.training for module in method.teacher.network.modules())
    assert not any(value.requires_grad for value in method.teacher.network.parameters())
    assert {name for name, _ in method.named_parameters()} == {"body.weight", "body.bias"}
    assert next(method.teacher.network.parameters()).dtype == torch.float64
    run(WithTeacher, experiment, tmp_path / "run")
    assert set(weights(tmp_path / "run")) == {"body.weight", "body.bias"}
    (kept,) = read_state(tmp_path / "run" / "checkpoints" / "step-00000004")["extra"].values()
    assert kept["source"] == str(teacher)
    assert kept["digest"] == method.teacher.digest
    assert f"frozen teacher: teacher from {teacher.name}" in (tmp_path / "run" / "progress.log").read_text()


def test_a_run_resumes_only_with_the_frozen_weights_it_began_with(tmp_path):
    teacher = written_teacher(tmp_path)
    experiment = numbers_experiment(tmp_path, method__teacher=str(teacher))
    run(WithTeacher, experiment, tmp_path / "run")
    written_teacher(tmp_path, seed=6).replace(teacher)
    with pytest.raises(UserError, match=r"frozen weights of .* are not those"):
        run(WithTeacher, override(experiment, {"schedule.steps": 6}), tmp_path / "run")


def test_missing_weights_of_a_frozen_part_are_one_line(tmp_path):
    experiment = numbers_experiment(tmp_path, method__teacher=str(tmp_path / "nowhere"))
    with pytest.raises((UserError, FileNotFoundError)):
        run(WithTeacher, experiment, tmp_path / "run")


# State per object.


def test_the_network_is_built_from_the_opened_sources(tmp_path):
    experiment = numbers_experiment(tmp_path, data__rows=3)
    method, _ = build_method(WithLatents, experiment, WithLatents.sources(experiment))
    assert method.latents.num_embeddings == 3


def test_a_checkpoint_is_loaded_without_the_parts_that_are_named(tmp_path):
    run(WithLatents, numbers_experiment(tmp_path), tmp_path / "first")
    start = tmp_path / "first" / "checkpoints" / "step-00000004"
    fewer = numbers_experiment(tmp_path, data__rows=3, init=str(start), schedule__steps=1)
    with pytest.raises(UserError, match=r"does not fit this method at latents\.weight"):
        run(WithLatents, fewer, tmp_path / "refused")
    with pytest.raises(UserError, match=r"init_without codes: .* has the parts body, latents"):
        run(WithLatents, override(fewer, {"init_without": ("codes",)}), tmp_path / "unknown")
    run(WithLatents, override(fewer, {"init_without": ("latents",)}), tmp_path / "second")
    said = (tmp_path / "second" / "progress.log").read_text()
    assert "loaded body (2 tensors)" in said
    assert "new: latents" in said


# Records.


def test_records_are_those_of_every_item_once_and_in_order(tmp_path):
    run(WithRecords, numbers_experiment(tmp_path, run__evaluation_batch_size=3), tmp_path / "three")
    run(WithRecords, numbers_experiment(tmp_path, run__evaluation_batch_size=11), tmp_path / "all")
    values = [
        f"item {round(value, 5)}"
        for value in WithRecords.sources(numbers_experiment(tmp_path))["held_out"].table["value"].to_pylist()
    ]
    for name in ("three", "all"):
        found = evaluation(tmp_path / name)
        assert found["metrics"]["records"] == 11
        assert [text.split()[1][:5] for text in found["artifacts"]["names"]] == [text.split()[1][:5] for text in values]


def test_records_survive_their_journey():
    records = [
        (3, {"many": torch.ones(2, 0).numpy(), "text": "ä", "number": 0.1}),
        (7, {"many": torch.arange(3).numpy()}),
    ]
    for (number, record), (again, found) in zip(records, decode_records(encode_records(records)), strict=True):
        assert number == again
        assert found.keys() == record.keys()
        for name, value in record.items():
            assert (found[name] == value).all() if name == "many" else found[name] == value
            assert getattr(found[name], "shape", ()) == getattr(value, "shape", ())


# Exports, patience, curricula.


def test_exports_are_kept_in_the_run_folder_and_in_mlflow(tmp_path):
    recorder = Recorder()
    experiment = numbers_experiment(tmp_path, run__evaluate_every=2)
    run(WithExports, experiment, tmp_path / "run", tracking=recorder)
    exports = tmp_path / "run" / "exports"
    for place in ("step-00000002", "step-00000004"):
        assert (exports / place / "clouds" / "first.ply").read_text() == "ply of 8\n"
        assert f"exports/{place}/clouds/first.ply" in recorder.files
    assert (exports / "final" / "summary.html").read_text() == "<p>10 others</p>\n"
    assert "exports/final/summary.html" in recorder.files
    assert not list((tmp_path / "run").glob(".exports-*"))


def test_a_run_ends_early_when_no_evaluation_gets_better_and_resumes_to_the_same_end(tmp_path):
    changes = {"method__flat": True, "schedule__steps": 40, "schedule__patience": 2, "run__evaluate_every": 2}
    experiment = numbers_experiment(tmp_path, **changes)
    result = run(Numbers, experiment, tmp_path / "run")
    assert result["steps"] == 6
    assert Path(result["checkpoint_best"]).name == "step-00000002"
    assert "ended early: 2 evaluations without a better error" in (tmp_path / "run" / "progress.log").read_text()
    again = run(Numbers, experiment, tmp_path / "run")
    assert {**again, "seconds": 0} == {**result, "seconds": 0}
    learning = run(Numbers, override(experiment, {"method.flat": False}), tmp_path / "learning")
    assert learning["steps"] > 6


def test_the_best_checkpoint_is_the_one_that_is_tested(tmp_path):
    recorder = Recorder()
    changes = {"optim__lr": 1.2, "optim__momentum": 0.0, "schedule__steps": 6, "run__evaluate_every": 1, "run__keep": 9}
    result = run(WithTest, numbers_experiment(tmp_path, **changes), tmp_path / "run", tracking=recorder)
    chosen = dict(recorder.points["validation/error"])
    best = min(chosen, key=lambda step: chosen[step])
    assert best < 6, "the last step is the best: the test could not fail"
    assert Path(result["checkpoint_best"]).name == f"step-{best:08d}"
    error = error_of(tmp_path / "run", best, numbers(13, 0, seed=3))
    assert result["metrics"]["error"] == pytest.approx(error)
    assert result["metrics"]["validation_error"] == chosen[best]
    assert recorder.points["test/error"] == [(best, result["metrics"]["error"])]
    assert evaluation(tmp_path / "run") == {"step": best, "metrics": {"error": pytest.approx(error)}, "artifacts": {}}
    again = run(WithTest, numbers_experiment(tmp_path, **changes), tmp_path / "run")
    assert {**again, "seconds": 0} == {**result, "seconds": 0}


def error_of(folder: Path, step: int, samples) -> float:
    found = weights(folder, step)
    positions = torch.tensor(samples.table["position"].to_pylist(), dtype=torch.float64)
    values = torch.tensor(samples.table["value"].to_pylist(), dtype=torch.float64)
    return float((positions @ found["body.weight"][0] + found["body.bias"] - values).square().mean())


def test_without_an_evaluation_to_choose_by_the_last_checkpoint_is_tested(tmp_path, monkeypatch):
    plain = WithTest.sources
    empty = numbers(0, 0, seed=1)
    monkeypatch.setattr(WithTest, "sources", classmethod(lambda cls, made: plain(made) | {"held_out": empty}))
    result = run(WithTest, numbers_experiment(tmp_path), tmp_path / "run")
    assert result["metrics"]["error"] == pytest.approx(error_of(tmp_path / "run", 4, numbers(13, 0, seed=3)))
    assert "validation_error" not in result["metrics"]


def test_what_a_method_counts_is_the_same_after_an_interruption_and_warned_of_once(tmp_path):
    def two_steps(*arguments, **options):
        yield from stream_in_process(*arguments, **{**options, "last_step": 2})
        raise ConnectionError

    experiment, recorder, resumed = numbers_experiment(tmp_path), Recorder(), Recorder()
    run(WithTally, experiment, tmp_path / "whole", tracking=recorder)
    with pytest.raises(ConnectionError):
        run(WithTally, experiment, tmp_path / "halves", stream_batches=two_steps)
    run(WithTally, experiment, tmp_path / "halves", tracking=resumed)
    shares = recorder.points["train/negative"]
    assert [step for step, _ in shares] == [1, 2, 3, 4]
    assert resumed.points["train/negative"] == shares[2:]
    values = Numbers.sources(experiment)["train"].table["value"].to_pylist()
    assert dict(shares)[3] == sum(value < 0 for value in values) / len(values)
    said = (tmp_path / "whole" / "progress.log").read_text()
    assert said.count("values are negative") == 1


def identity_of(checkpoint: Path) -> dict:
    return deciding(read_state(checkpoint)["experiment"])


def test_lengths_in_visits_become_steps_and_keep_the_identity(tmp_path):
    experiment = numbers_experiment(tmp_path, schedule__steps=0, schedule__epochs=1.5, run__evaluate_epochs=0.5)
    result = run(Numbers, experiment, tmp_path / "run")
    assert result["steps"] == 5  # 1.5 visits of 24 rows in batches of 8, rounded up
    assert identity_of(Path(result["checkpoint_last"])) == identity(experiment)
    few = in_steps(Numbers, override(experiment, {"data.rows": 9}))
    assert (few.schedule.steps, few.run.evaluate_every) == (2, 1)
    given = override(experiment, {"schedule.steps": 3, "run.evaluate_every": 7})
    assert in_steps(Numbers, given) is given
    for leaf in ("schedule.epochs", "run.evaluate_epochs"):
        assert leaf in identity(experiment)
        assert leaf not in identity(override(experiment, {leaf: 0.0}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schedule__steps": 0}, r"schedule\.steps is 0"),
        ({"schedule__steps": -1, "schedule__epochs": 2.0}, r"schedule\.steps is -1"),
        ({"schedule__epochs": -1.0}, r"schedule\.epochs is -1"),
        ({"run__evaluate_epochs": float("inf")}, r"run\.evaluate_epochs is inf"),
    ],
)
def test_a_run_without_a_length_is_refused(changes, words, tmp_path):
    with pytest.raises(UserError, match=words):
        check_batches(numbers_experiment(tmp_path, **changes))
    check_batches(
        numbers_experiment(
            tmp_path, schedule__steps=0, schedule__epochs=2.0, schedule__patience=1, run__evaluate_epochs=1.0
        )
    )


def test_patience_without_evaluations_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"schedule\.patience 2 counts evaluations"):
        check_batches(numbers_experiment(tmp_path, schedule__patience=2))


@pytest.mark.filterwarnings("default")
def test_a_curriculum_is_a_chain_of_runs_whose_beginnings_are_shared(ray_cluster, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    lines: list[str] = []
    experiment = numbers_experiment(tmp_path, method__stages=(4, 8), run__workers=0, schedule__steps=2)
    first = train(WithCurriculum, experiment, say=lines.append)
    assert [line.partition(":")[0] for line in lines if line.startswith("stage")] == ["stage 1 of 2", "stage 2 of 2"]
    assert any("initial weights: loaded body" in line for line in lines)
    lines.clear()
    longer = override(experiment, {"method.stages": (4, 6)})
    second = train(WithCurriculum, longer, say=lines.append)
    assert sum("already finished" in line for line in lines) == 1
    assert first.run_folder != second.run_folder
    assert len([path for path in tmp_path.iterdir() if (path / "result.json").is_file()]) == 3
    again = train(WithCurriculum, experiment, say=lines.append)
    assert again.run_folder == first.run_folder
    assert again.checkpoint_last == first.checkpoint_last


@pytest.mark.filterwarnings("default")
def test_a_curriculum_that_is_asked_to_stop_ends_with_a_checkpoint_of_the_run_that_is_on(
    ray_cluster, tmp_path, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    experiment = numbers_experiment(
        tmp_path, method__stages=(4, 8), run__workers=0, run__name="last", schedule__steps=100_000
    )

    def say(line: str) -> None:
        if line.startswith("step "):
            STOP.make(tmp_path / "last")

    with pytest.raises(Stopped) as stopped:
        train(WithCurriculum, experiment, say=say)
    assert stopped.value.checkpoint.is_dir()
    assert stopped.value.checkpoint.parent.parent != tmp_path / "last"
