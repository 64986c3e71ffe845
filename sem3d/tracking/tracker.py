"""Everything a loop may tell a tracker."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8


@runtime_checkable
class Tracker(Protocol):
    """A writer of one run's numbers, pictures and files."""

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Record values by name at ``step`` done steps."""

    def flush(self) -> None:
        """Write everything that is buffered."""

    def tags(self, values: dict[str, str]) -> None:
        """Set tags of the run."""

    def figure(self, name: str, picture: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Store a picture as PNG."""

    def value(self, name: str, content: Any) -> None:
        """Store a JSON value."""

    def file(self, path: Path, folder: str = "") -> None:
        """Store a copy of a file."""
