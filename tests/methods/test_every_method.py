"""What each method in the register must do, without a line written for it."""

import shutil
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from sem3d.config import flatten, override
from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class
from sem3d.methods.method import HELD_OUT, TRAIN
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.registers import resolve
from sem3d.runs.checkpoint import latest, weights_file
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from sem3d.training.ray.launch import train
from sem3d.training.step import gradient_norm
from tests.methods.tiny import DATA, build_tiny, tiny_experiment
from tests.methods.two_processes import gradients, run_half
from tests.training.toy_method import stream_in_process, stream_once_in_process

HOOKS = (
    *("optimizers", "active_optimizers", "curriculum"),
    *("between_steps", "training_samples", "tally", "weigh"),
)
"""What of a method the training loop calls besides its losses and its scores."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives each test all methods, or those that it tells apart."""
    name = metafunc.function.__name__
    metafunc.parametrize("name", next((methods() for part, methods in SOME.items() if part in name), METHODS))


def with_effects() -> list[str]:
    return [name for name in METHODS if method_class(name).effects]


def with_hooks_of_their_own() -> list[str]:
    """One method, the first, of all that have the same hooks; their losses and statistics differ, which other tests compare."""
    found: dict[tuple, str] = {}
    for name in METHODS:
        hooks = [getattr(method_class(name), hook) for hook in HOOKS]
        found.setdefault(tuple((hook.__module__, hook.__qualname__) for hook in hooks), name)
    return list(found.values())


SOME = {"effects_of_a_run": with_effects, "of_ray_train": with_hooks_of_their_own}
"""Methods of tests of some only, by parts of their names."""


@pytest.fixture
def data(name, request, made_once, tmp_path):
    """What the method learns from; what it makes of that before it learns is in the test's storage."""
    found = request.getfixturevalue({"rooms": "indexed_rooms"}.get(DATA[name], DATA[name]))
    shutil.copytree(made_once(f"sources-of-{name}", partial(open_sources, name, found)), tmp_path, dirs_exist_ok=True)
    return found


def open_sources(name, data, storage):
    storage.mkdir()
    method_class(name).sources(tiny_experiment(name, data, storage))


def batch_of(method, samples, first: int = 0, count: int = 4, usable: bool = True):
    rows = samples.table.slice(first, count).to_pylist()
    loaded = [
        samples.load(row, np.random.default_rng(first + number)) if usable else None for number, row in enumerate(rows)
    ]
    return method.Batch(**{name: torch.tensor(column) for name, column in samples.collate(loaded).items()})


def first_batch(experiment, method, usable: bool = True):
    return batch_of(method, method.sources(experiment)[TRAIN], usable=usable)


def built(name, data, tmp_path, **changes):
    experiment = tiny_experiment(name, data, tmp_path, **changes)
    sources = method_class(name).sources(experiment)
    method = build_tiny(name, experiment, sources)
    return experiment, method, batch_of(method, sources[TRAIN])


def test_presets_are_there_for_two_cores_for_one_gpu_and_for_the_paper(name):
    presets = method_class(name).presets
    laptop, gpu = (flatten(presets[kind]()) for kind in ("laptop", "gpu"))
    assert "paper" in presets
    assert gpu != laptop
    assert gpu["run.batch_size"] >= laptop["run.batch_size"]
    assert gpu["schedule.epochs"] or gpu["schedule.steps"] >= laptop["schedule.steps"]
    assert gpu.get("method.sparse_unet.backend", "auto") == "auto"


def test_leaves_of_a_preset_rebuild_it(name):
    for preset in method_class(name).presets.values():
        assert override(preset(), flatten(preset())) == preset()


def test_no_part_can_be_left_out_of_weights_that_have_none(name, tmp_path):
    method = build_tiny(name, tiny_experiment(name, tmp_path, tmp_path))
    with pytest.raises(UserError, match="init_without latents: "):
        method.initialise("scratch", ("latents",))


def test_losses_are_finite_and_reach_every_parameter(name, data, tmp_path):
    _, method, batch = built(name, data, tmp_path)
    sum(method(batch, 0).values()).backward()
    trained = {key: value for key, value in method.named_parameters() if value.requires_grad}
    untouched = [key for key, value in trained.items() if value.grad is None or not value.grad.isfinite().all()]
    assert not untouched
    still = [key for key, value in trained.items() if not value.grad.any()]
    assert len(still) <= 0.1 * len(trained), still


def test_a_batch_without_a_usable_sample_costs_nothing_and_keeps_the_graph(name, data, tmp_path):
    experiment, method, _ = built(name, data, tmp_path)
    losses = method(first_batch(experiment, method, usable=False), 0)
    sum(losses.values()).backward()
    assert_close(sum(losses.values()).detach(), torch.zeros(()))
    assert all(value.grad is not None for value in method.parameters() if value.requires_grad)


def test_the_loss_falls_on_one_batch(name, data, tmp_path):
    _, method, batch = built(name, data, tmp_path)
    optimizers = method.optimizers()
    curve = []
    for step in range(12):
        loss = sum(method(batch, step).values())
        method.zero_grad()
        loss.backward()
        for optimizer in optimizers.values():
            optimizer.step()
        curve.append(loss.item())
    assert curve[-1] < 0.95 * curve[0], curve


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_computes_what_a_cpu_does(name, data, tmp_path):
    """Losses, gradients and scores in float64; dropout is off, since its draws differ from device to device."""
    experiment, method, batch = built(name, data, tmp_path)
    held_out = batch_of(method, method.sources(experiment)[HELD_OUT], count=1)
    found = {}
    for device in ("cpu", "cuda"):
        method.double().to(device).eval().zero_grad()
        losses = method(moved(batch, device), 0)
        sum(losses.values()).backward()
        norm = gradient_norm([value.grad for value in method.parameters() if value.grad is not None])
        with torch.no_grad():
            sums = method.evaluate(moved(held_out, device)).sums
        found[device] = {key: value.detach().double().cpu() for key, value in (losses | sums | {"norm": norm}).items()}
    assert_close(found["cuda"], found["cpu"], rtol=1e-5, atol=1e-8)


def moved(batch, device):
    columns = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return type(batch)(**{key: None if column is None else column.to(device) for key, column in columns.items()})


def test_every_trainable_parameter_has_one_optimiser(name, data, tmp_path):
    _, method, _ = built(name, data, tmp_path)
    held = [
        id(parameter)
        for optimizer in method.optimizers().values()
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
    assert sorted(held) == sorted(id(value) for value in method.parameters() if value.requires_grad)


def test_statistics_of_two_halves_add_up_to_those_of_the_whole(name, data, tmp_path):
    experiment, method, _ = built(name, data, tmp_path)
    method.eval()
    samples = method.sources(experiment)[HELD_OUT]
    sums: dict[str, torch.Tensor] = {}
    for half in range(2):
        with torch.no_grad():
            for key, value in method.evaluate(batch_of(method, samples, 2 * half, 2)).sums.items():
                sums[key] = sums.get(key, 0) + value
    with torch.no_grad():
        expected = method.evaluate(batch_of(method, samples)).sums
    assert sums.keys() == expected.keys()
    for key, value in expected.items():
        assert_close(sums[key], value, rtol=1e-4, atol=1e-4 * max(1.0, float(value.abs().max())))


def test_samples_that_cannot_be_used_do_not_move_an_evaluation(name, data, tmp_path):
    experiment, method, _ = built(name, data, tmp_path)
    method.eval()
    samples = method.sources(experiment)[HELD_OUT]
    loaded = [samples.load(row, np.random.default_rng(0)) for row in samples.table.slice(0, 3).to_pylist()]
    found = []
    for items in (loaded, [None, loaded[0], None, *loaded[1:]]):
        columns = {key: torch.tensor(column) for key, column in samples.collate(items).items()}
        with torch.no_grad():
            found.append(method.summarise(method.evaluate(method.Batch(**columns))))
    assert found[1] == pytest.approx(found[0], rel=1e-4, abs=1e-6)


def test_pictures_are_pictures(name, data, tmp_path):
    experiment, method, _ = built(name, data, tmp_path)
    pictures = method.figures(batch_of(method, method.sources(experiment)[HELD_OUT]))
    assert pictures
    for picture in pictures.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.std() > 5


def test_a_batch_holds_the_columns_that_collate_makes(name, data, tmp_path):
    _, _, batch = built(name, data, tmp_path)
    held = {item.name for item in fields(batch) if getattr(batch, item.name) is not None}
    per_item = held & {"image", "instance", "scene", "usable"}
    assert per_item
    (rows,) = {len(getattr(batch, name)) for name in per_item}
    assert rows % 4 == 0  # of a pair, each of its frames


class Interrupted(Exception):
    """Ends a run in the middle."""


def weights(run_folder):
    return load_file(weights_file(run_folder))


def run_in_process(name, experiment, folder, stop_at=None):
    """The training loop without Ray, broken off right after the checkpoint of step ``stop_at``."""

    def report(metrics):
        if metrics["step"] == stop_at:
            raise Interrupted

    folder.mkdir(exist_ok=True)
    streams = {"stream_batches": stream_in_process, "stream_once": stream_once_in_process}
    return fit(method_class(name), experiment, TrainingContext(run_folder=folder, report=report, **streams))


def test_a_resumed_run_equals_an_undisturbed_one_bit_for_bit(name, data, tmp_path):
    experiment = tiny_experiment(name, data, tmp_path)
    run_in_process(name, experiment, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run_in_process(name, experiment, tmp_path / "halves", stop_at=2)
    run_in_process(name, experiment, tmp_path / "halves")
    assert latest(tmp_path / "halves").name == "step-00000004"
    ours, theirs = (weights(tmp_path / run) for run in ("whole", "halves"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("ray_cluster")
def test_effects_of_a_run_are_measured_before_and_after_it(name, data, tmp_path):
    experiment = tiny_experiment(name, data, tmp_path, run__workers=0)
    outcome = run_in_process(name, experiment, tmp_path / "run")
    run = TrainedRun(Path(outcome["checkpoint_last"]), name, experiment)
    for path in method_class(name).effects.values():
        effect = resolve(path)(run, "scratch")
        assert effect.before.keys() == effect.after.keys()
        assert effect.before
        assert np.isfinite([*effect.before.values(), *effect.after.values()]).all()


@pytest.mark.slow
def test_gradients_and_statistics_of_two_processes_are_those_of_one_to_float64_rounding(name, data, pair, tmp_path):
    experiment = tiny_experiment(name, data, tmp_path)
    sources = method_class(name).sources(experiment)
    samples = sources[TRAIN]
    rows = samples.table.slice(0, 4).to_pylist()
    loaded = [samples.load(row, np.random.default_rng(number)) for number, row in enumerate(rows)]
    halves = [samples.collate(loaded[:2]), samples.collate(loaded[2:])]
    pair(run_half, tmp_path, name, experiment, sources, halves)
    alone = gradients(name, experiment, sources, samples.collate(loaded))
    both = load_file(tmp_path / "gradients.safetensors")
    assert both.keys() == alone.keys()
    for key, value in alone.items():
        assert_close(both[key], value, rtol=1e-9, atol=1e-11, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("two_workers_wait")
def test_two_workers_of_ray_train_end_with_the_weights_of_one(name, data, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    exact = {"run__precision": "float64", "optim__kind": "sgd", "optim__lr": 1e-3, "run__name": "run"}
    experiment = tiny_experiment(name, data, tmp_path, **exact)
    alone = run_in_process(name, experiment, tmp_path / "alone")
    with pytest.raises(Interrupted):
        run_in_process(name, experiment, tmp_path / "run", stop_at=2)
    together = train(name, override(experiment, {"run.workers": 2}), say=[].append)
    assert together.steps == alone["steps"] == 4
    ours, theirs = weights(together.run_folder), weights(tmp_path / "alone")
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert_close(ours[key], value, rtol=1e-7, atol=1e-9, msg=lambda text, key=key: f"{key}: {text}")
