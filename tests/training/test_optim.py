import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sem3d.config import OptimConfig, ScheduleConfig
from sem3d.methods.optimizers import _fused, build_optimizer
from sem3d.runs.checkpoint_files import restore_optimizer, write_checkpoint
from sem3d.training.optim import (
    apply_schedule,
    batch_norm_momentum,
    decay_factor,
    remember_peaks,
)


def test_polynomial_decay_follows_its_formula():
    schedule = ScheduleConfig(steps=100, decay="polynomial", power=0.9)
    assert decay_factor(schedule, 0) == 1.0
    assert decay_factor(schedule, 50) == pytest.approx(0.5**0.9)
    assert decay_factor(schedule, 100) == 0.0


def test_exponential_decay_is_a_staircase():
    schedule = ScheduleConfig(steps=60_000, decay="exponential", gamma=0.99, gamma_every=1000)
    assert decay_factor(schedule, 999) == 1.0
    assert decay_factor(schedule, 1000) == 0.99
    assert decay_factor(schedule, 59_999) == pytest.approx(0.99**59)


def test_cosine_decay_is_half_in_the_middle():
    assert decay_factor(ScheduleConfig(steps=10, decay="cosine"), 5) == pytest.approx(0.5)


def test_constant_decay_with_warmup_rises_linearly_to_the_peak():
    schedule = ScheduleConfig(steps=100, decay="constant", warmup=4)
    assert [decay_factor(schedule, step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_released_batch_norm_momentum_halves_every_20_steps_down_to_its_floor():
    assert [batch_norm_momentum(step) for step in (0, 19, 20, 40, 179, 180, 10_000)] == [
        0.5,
        0.5,
        0.25,
        0.125,
        0.5**9,
        0.001,
        0.001,
    ]


def test_schedule_scales_each_group_from_its_own_peak_and_sets_batch_norm_momentum():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    groups = [{"params": model[0].parameters(), "lr": 1.0}, {"params": model[2].parameters()}]
    optimizers = {"main": build_optimizer(groups, OptimConfig(lr=0.1))}
    remember_peaks(optimizers)
    schedule = ScheduleConfig(steps=10, decay="cosine", batch_norm_momentum="released")
    for _ in range(2):
        apply_schedule(schedule, optimizers, model, 5)
    assert [group["lr"] for group in optimizers["main"].param_groups] == pytest.approx([0.5, 0.05])
    assert model[1].momentum == 0.5


def test_optimizers_take_all_their_settings():
    config = OptimConfig(kind="adamw", lr=0.2, beta1=0.8, weight_decay=0.3)
    adamw = build_optimizer([torch.zeros(1, requires_grad=True)], config)
    assert isinstance(adamw, torch.optim.AdamW)
    assert (adamw.defaults["lr"], adamw.defaults["betas"], adamw.defaults["weight_decay"]) == (0.2, (0.8, 0.999), 0.3)
    sgd = build_optimizer([torch.zeros(1, requires_grad=True)], OptimConfig(dampening=0.1, momentum=0.7))
    assert (sgd.defaults["dampening"], sgd.defaults["momentum"]) == (0.1, 0.7)
    assert math.isclose(sgd.defaults["lr"], 0.1)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_fused_optimisers_update_as_others_do(kind):
    found = {}
    for fused in ("never", "always"):
        values = [torch.linspace(-1, 1, 6, dtype=torch.float64, requires_grad=True), torch.ones(2, requires_grad=True)]
        config = OptimConfig(kind=kind, lr=0.1, weight_decay=0.01, fused=fused)
        optimizer = build_optimizer([{"params": values[:1], "lr": 0.2}, {"params": values[1:]}], config)
        assert bool(optimizer.param_groups[0]["fused"]) == (fused == "always")
        for _ in range(3):
            optimizer.zero_grad()
            sum((value**3).sum() for value in values).backward()
            optimizer.step()
        found[fused] = [value.detach() for value in values]
    assert not torch.equal(found["never"][1], torch.ones(2))
    torch.testing.assert_close(found["always"], found["never"])


def test_optimisers_are_fused_on_a_gpu_unless_they_are_asked_not_to_be():
    on_cpu, on_gpu = torch.zeros(2, requires_grad=True), SimpleNamespace(is_cuda=True)
    for config, groups, fused in (
        (OptimConfig(), [on_cpu], False),
        (OptimConfig(), [{"params": [on_gpu]}], True),
        (OptimConfig(), [{"params": [on_gpu]}, {"params": [on_cpu]}], False),
        (OptimConfig(fused="never"), [{"params": [on_gpu]}], False),
        (OptimConfig(fused="always"), [on_cpu], True),
    ):
        assert _fused(groups, config) == fused


def test_a_restored_optimiser_is_fused_as_this_device_has_it(tmp_path):
    def stepped(fused: str) -> torch.optim.Optimizer:
        value = torch.ones(2, requires_grad=True)
        optimizer = build_optimizer([value], OptimConfig(kind="adamw", fused=fused))
        value.sum().backward()
        optimizer.step()
        return optimizer

    write_checkpoint(tmp_path / "saved", {"w": torch.ones(1)}, {"main": stepped("always").state_dict()}, {"step": 1})
    other = stepped("never")
    restore_optimizer(tmp_path / "saved", "main", other)
    assert not other.param_groups[0]["fused"]
    other.step()
