"""What the loop may tell a tracker, and the tracker that does not listen."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8


class NoTracking:
    """Takes what is to be tracked and does nothing: for every process but 0, and for loops without MLflow."""

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Values by name at ``step`` done steps."""

    def flush(self) -> None:
        """Writes what is buffered."""

    def tags(self, values: dict[str, str]) -> None:
        """Sets tags of the run."""

    def figure(self, name: str, picture: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Stores a picture as PNG."""

    def value(self, name: str, content: Any) -> None:
        """Stores a JSON value."""

    def file(self, path: Path, folder: str = "") -> None:
        """Stores a copy of a file."""
