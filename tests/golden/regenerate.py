"""First losses of every method on generated numbers of fixed seeds: ``python -m tests.golden.regenerate`` writes them anew."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from sem3d.methods import METHODS
from tests.methods.synthetic_batches import BATCHES, SOURCES, beside
from tests.methods.tiny import build_tiny, tiny_experiment

GOLDEN = Path(__file__).with_name("losses.json")
STEPS = 3
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Tensor]]] = {name: (name, {}, {}) for name in METHODS} | {
    "semantic_segmentation_2d above the embedding": (
        "semantic_segmentation_2d",
        {"method__embedding_layer": True},
        {},
    ),
    "ppkt against the whole batch": ("ppkt", {"method__negatives": "batch"}, {}),
    "ppkt, distillation": ("ppkt", {"method__loss": "distillation"}, {}),
    "ppkt, global": ("ppkt", {"method__loss": "global"}, {}),
    "ppkt, pseudo-labels": ("ppkt", {"method__loss": "pseudo_labels"}, {}),
    "pointcontrast, hardest negatives": ("pointcontrast", {"method__loss": "hardest_contrastive"}, {}),
    "keypoint_embedding, negatives of a model": ("keypoint_embedding", {"method__negatives": "model"}, {}),
    "ssr with labelled images beside the pairs": ("ssr", {"method__viewpoint_batch": 6}, beside()),
}
"""Method, changed leaves and further columns of each curve."""


def first_losses(case: str) -> list[dict[str, float]]:
    """Losses of the first steps on one batch; in float64 and by SGD, so that they are the same on every processor."""
    name, changes, columns = CASES[case]
    experiment = tiny_experiment(name, Path("rooms"), Path("storage"), optim__kind="sgd", optim__lr=1e-3, **changes)
    method = build_tiny(name, experiment, SOURCES.get(name)).double()
    optimizers = method.optimizers()
    batch, curve = method.Batch(**BATCHES[name](), **columns), []
    for step in range(STEPS):
        losses = method(batch, step)
        method.zero_grad()
        sum(losses.values()).backward()
        for optimizer in optimizers.values():
            optimizer.step()
        curve.append({key: value.item() for key, value in losses.items()})
    return curve


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({case: first_losses(case) for case in CASES}, indent=1) + "\n")
