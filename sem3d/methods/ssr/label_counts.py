"""Counts of images that a pseudo-labelling pass labelled, and of those labelled rightly (SSR, Figure 4)."""

from dataclasses import astuple, dataclass

from jaxtyping import Int
from torch import Tensor

from sem3d.geometry.nmr_views import VIEWS
from sem3d.methods.ssr.viewpoint_labels import ViewpointLabels


@dataclass(frozen=True)
class LabelCounts:
    """Sums over images; those of several blocks or workers are added."""

    images: int = 0
    accepted: int = 0
    checked: int = 0
    """Accepted images whose true viewpoint is known."""
    right: int = 0
    """Of the checked."""
    confidence: float = 0.0
    """Sum over the accepted."""
    near: int = 0
    """Of the checked, those that are right or one view beside."""

    def __add__(self, other: "LabelCounts") -> "LabelCounts":
        return LabelCounts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @property
    def coverage(self) -> float:
        """Share of the images that have a label; NaN without images."""
        return _share(self.accepted, self.images)

    @property
    def accuracy(self) -> float:
        """Share of the checked labels that are right; NaN where none could be checked."""
        return _share(self.right, self.checked)

    @property
    def accuracy_within_one_view(self) -> float:
        """Share of the checked labels that are right or name a neighbouring viewpoint; NaN where none could be checked."""
        return _share(self.near, self.checked)

    @property
    def mean_confidence(self) -> float:
        """Of the accepted labels; NaN without any."""
        return _share(self.confidence, self.accepted)


def count_labels(labels: ViewpointLabels, truth: Int[Tensor, " image"] | None = None) -> LabelCounts:
    """Return the counts of one pass or a part of it; ``truth`` is -1 where it is not known, None where it is known nowhere."""
    accepted = labels.accepted
    checked = accepted & (truth >= 0) if truth is not None else accepted & False
    apart = (labels.viewpoint - (0 if truth is None else truth)) % VIEWS
    right, near = checked & (apart == 0), checked & ((apart <= 1) | (apart == VIEWS - 1))
    given, known, correct, close = (int(part.sum()) for part in (accepted, checked, right, near))
    confidence = float(labels.confidence[accepted].double().sum())
    return LabelCounts(len(accepted), given, known, correct, confidence, close)


def _share(part: int | float, whole: int) -> float:
    return part / whole if whole else float("nan")
