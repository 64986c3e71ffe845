import math

import pytest
import torch
from torch import nn

from sem3d.config import OptimConfig, ScheduleConfig
from sem3d.methods.optimizers import build_optimizer
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
