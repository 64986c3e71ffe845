"""The tracker that keeps nothing."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8


class NullTracker:
    """A tracker for every process but 0, and for loops without MLflow."""

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Keep nothing."""

    def flush(self) -> None:
        """Have nothing to write."""

    def tags(self, values: dict[str, str]) -> None:
        """Keep nothing."""

    def figure(self, name: str, picture: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Keep nothing."""

    def value(self, name: str, content: Any) -> None:
        """Keep nothing."""

    def file(self, path: Path, folder: str = "") -> None:
        """Keep nothing."""
