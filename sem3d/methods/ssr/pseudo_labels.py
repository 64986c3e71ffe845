"""The pseudo-labels that a run has made so far, as part of its checkpoints, and what is said of each pass."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from sem3d.methods.ssr.label_counts import LabelCounts, count_labels
from sem3d.methods.ssr.viewpoint_labels import ViewpointLabels, kept_labels, no_labels

Kept = Literal["forever", "last_pass"]
SHARES = ("coverage", "accuracy", "accuracy_within_one_view")
"""What is said of labels in the metrics of an evaluation."""


class PseudoLabels(nn.Module):
    """A viewpoint, its confidence and the pass that gave it for each unlabelled image; the same on every process.

    It has no tensors of weights: its state is a JSON value (``state.json`` of a checkpoint), so that the weights of a run
    can be loaded where there are other images.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        """Start anew, without images."""
        self.forget_labels()
        self.history: list[dict[str, float]] = []

    def forget_labels(self) -> None:
        """Withdraw all labels; what was said of their passes stays."""
        self.labels = no_labels(0)
        self.given_by = torch.zeros(0, dtype=torch.int64)

    @property
    def passes(self) -> int:
        """Passes done; where one was refused, the history has nothing new."""
        return sum("new_coverage" in entry for entry in self.history)

    def add(
        self,
        found: ViewpointLabels,
        truth: Int[Tensor, " image"],
        step: int,
        others: dict[str, float],
        kept: Kept = "forever",
    ) -> dict[str, float]:
        """Take over what a pass accepted and return its numbers: shares in [0, 1], by name; unknown ones are left out.

        Numbers of that pass alone begin with ``new_``. Labels of earlier passes that it did not give again stay where labels are
        ``kept`` forever. ``others`` are numbers of the same step that its history keeps with them.
        """
        if kept == "last_pass":
            self.forget_labels()
        self.make_room(len(truth))
        self.labels = kept_labels(self.labels, found)
        self.given_by = torch.where(found.accepted, self.passes + 1, self.given_by)
        return self.remember(truth, step, of_counts("new_", count_labels(found, truth)) | others)

    def keep(self, truth: Int[Tensor, " image"], step: int, others: dict[str, float]) -> dict[str, float]:
        """Leave the labels as they are where a pass is refused; returns and remembers their numbers as :meth:`add` does."""
        self.make_room(len(truth))
        return self.remember(truth, step, others)

    def make_room(self, images: int) -> None:
        """Make room for labels, none given yet, of any of ``images`` if there was no room for labels yet."""
        if not len(self.given_by):
            self.labels = no_labels(images)
            self.given_by = torch.zeros(images, dtype=torch.int64)

    def remember(self, truth: Int[Tensor, " image"], step: int, others: dict[str, float]) -> dict[str, float]:
        """Add the numbers of all labels, and ``others``, to the history."""
        numbers = {**of_counts("", count_labels(self.labels, truth)), **others}
        self.history.append({"step": float(step), **numbers})
        return numbers

    def latest(self) -> dict[str, float]:
        """Return the shares of the labels as they are now, and of those of the last pass alone, as far as they are known."""
        last = self.history[-1] if self.history else {}
        of_a_pass = next((entry for entry in reversed(self.history) if "new_coverage" in entry), {})
        now = {name: last[name] for name in SHARES if name in last}
        return now | {f"new_{name}": of_a_pass[f"new_{name}"] for name in SHARES if f"new_{name}" in of_a_pass}

    def table(self, truth: Int[Tensor, " image"], objects: Sequence[str]) -> dict[str, list[Any]]:
        """Return one entry for each image that the last pass labelled: object, true view, label, confidence, whether it is
        right.
        """
        rows = (self.given_by == self.passes).nonzero()[:, 0]
        return {
            "pass": [self.passes],
            "object": [objects[row] for row in rows.tolist()],
            "view": truth[rows].tolist(),
            "viewpoint": self.labels.viewpoint[rows].tolist(),
            "confidence": self.labels.confidence[rows].tolist(),
            "right": (self.labels.viewpoint == truth)[rows].tolist(),
        }

    def get_extra_state(self) -> dict[str, Any]:
        """Return a JSON value for the checkpoint."""
        rows = self.labels.accepted.nonzero()[:, 0]
        return {
            "images": len(self.given_by),
            "image": rows.tolist(),
            "viewpoint": self.labels.viewpoint[rows].tolist(),
            "confidence": self.labels.confidence[rows].tolist(),
            "pass": self.given_by[rows].tolist(),
            "history": self.history,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Resume from what :meth:`get_extra_state` gave."""
        self.labels, rows = no_labels(state["images"]), torch.tensor(state["image"], dtype=torch.int64)
        self.labels.viewpoint[rows] = torch.tensor(state["viewpoint"], dtype=torch.int64)
        self.labels.confidence[rows] = torch.tensor(state["confidence"], dtype=torch.float64)
        self.labels.accepted[rows] = True
        self.given_by = torch.zeros(state["images"], dtype=torch.int64)
        self.given_by[rows] = torch.tensor(state["pass"], dtype=torch.int64)
        self.history = [dict(entry) for entry in state["history"]]


def of_counts(prefix: str, counts: LabelCounts) -> dict[str, float]:
    """Return coverage, accuracies and mean confidence by name, without those that are not known."""
    shares = (counts.coverage, counts.accuracy, counts.accuracy_within_one_view)
    numbers = {**dict(zip(SHARES, shares, strict=True)), "confidence": counts.mean_confidence}
    return {f"{prefix}{name}": value for name, value in numbers.items() if value == value}
