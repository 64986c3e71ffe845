"""First losses of every method on generated numbers of fixed seeds: ``python -m tests.golden.regenerate`` writes them anew."""

import json
from pathlib import Path

import torch

from sem3d.methods import METHODS, method_class
from tests.methods.synthetic_batches import BATCHES
from tests.methods.tiny import tiny_experiment

GOLDEN = Path(__file__).with_name("losses.json")
STEPS = 3


def first_losses(name: str) -> list[dict[str, float]]:
    """Losses of the first steps on one batch; in float64 and by SGD, so that they are the same on every processor."""
    experiment = tiny_experiment(name, Path("rooms"), Path("storage"), optim__kind="sgd", optim__lr=1e-3)
    torch.manual_seed(0)
    method = method_class(name)(experiment).double()
    optimizers = method.optimizers()
    batch, curve = method.Batch(**BATCHES[name]()), []
    for step in range(STEPS):
        losses = method(batch, step)
        method.zero_grad()
        sum(losses.values()).backward()
        for optimizer in optimizers.values():
            optimizer.step()
        curve.append({key: value.item() for key, value in losses.items()})
    return curve


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: first_losses(name) for name in METHODS}, indent=1) + "\n")
