"""Place of a registered model: the score that it was chosen by, on which data, and whether another one is above it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sem3d.reporting.formatting import metric_of
from sem3d.tracking.parent_run import SWEEP_TAG

UNKNOWN = "unknown"
METRIC_TAG, MODE_TAG, SCORE_TAG, DATA_TAG = (f"sem3d.{name}" for name in ("metric", "mode", "score", "data"))


@dataclass(frozen=True)
class Standing:
    """A model among those of its name; what is not known is empty, or nan."""

    sweep: str
    metric: str
    mode: str
    score: float
    """Mean over the seeds of its arm and budget."""
    data: str
    """Digest of the data that it was scored on."""

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Standing":
        """Return what the tags of a version say."""
        try:
            score = float(tags.get(SCORE_TAG, "nan"))
        except ValueError:
            score = math.nan
        sweep, metric, mode, data = (tags.get(tag, "") for tag in (SWEEP_TAG, METRIC_TAG, MODE_TAG, DATA_TAG))
        return cls(sweep, metric, mode, score, data)

    def tags(self) -> dict[str, str]:
        """Return the tags of a version."""
        return {
            SWEEP_TAG: self.sweep,
            METRIC_TAG: self.metric,
            MODE_TAG: self.mode,
            SCORE_TAG: repr(self.score),
            DATA_TAG: self.data,
        }

    def text(self) -> str:
        """Return sweep and score as a sentence goes on with them; "" where neither is known."""
        said = f" of sweep {self.sweep}" if self.sweep else ""
        return said + (f" ({self.scored()})" if math.isfinite(self.score) else "")

    def scored(self) -> str:
        """Return the score with its metric."""
        metric = metric_of(self.metric, "min" if self.mode == "min" else "max", [self.score])
        return f"{metric.title} {metric.text(self.score)}{' %' if metric.percent else ''}"

    def why_not_above(self, champion: "Standing") -> str:
        """Return why this model does not take the place of the champion; "" if it does: a later state of the same sweep, or
        better by the same metric on the same data.
        """
        if champion.sweep == self.sweep:
            return ""
        if not math.isfinite(champion.score) or champion.metric != self.metric:
            return f"by {champion.metric or 'an unknown metric'}, which this sweep does not score"
        if self.data in ("", UNKNOWN) or champion.data != self.data:
            return f"{champion.scored()}, on other data than this sweep's {self.scored()}"
        better = self.score < champion.score if self.mode == "min" else self.score > champion.score
        return "" if better else f"{champion.scored()} against {self.scored()} on the same data"
