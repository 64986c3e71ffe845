"""The pseudo-labels that a run has made so far, as part of its checkpoints, and what is said of each pass."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from sem3d.methods.ssr.label_counts import LabelCounts, count_labels
from sem3d.methods.ssr.viewpoint_labels import ViewpointLabels, kept_labels, no_labels


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
        self.labels = no_labels(0)
        self.given_by = torch.zeros(0, dtype=torch.int64)
        self.history: list[dict[str, float]] = []

    @property
    def passes(self) -> int:
        """Passes done; where one was refused, the history has nothing new."""
        return sum("new_coverage" in entry for entry in self.history)

    def add(
        self, found: ViewpointLabels, truth: Int[Tensor, " image"], step: int, others: dict[str, float]
    ) -> dict[str, float]:
        """Take over what a pass accepted and return its numbers: shares in [0, 1], by name; unknown ones are left out.

        ``others`` are numbers of the same step that its history keeps with them.
        """
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
    """Return coverage, accuracy and mean confidence by name, without those that are not known."""
    numbers = {"coverage": counts.coverage, "accuracy": counts.accuracy, "confidence": counts.mean_confidence}
    return {f"{prefix}{name}": value for name, value in numbers.items() if value == value}
