"""sem3d: distributed training of 3D-aware semantic representations on Ray."""

import getpass
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sem3d.pipelines.loaded_model import load as load

try:
    getpass.getuser()
except (
    KeyError,
    OSError,
):  # a container's user of whom the system has no name; torch and others ask for one when imported
    os.environ["USER"] = f"user{os.getuid()}"


def __getattr__(name: str) -> Any:
    """Return :func:`sem3d.pipelines.loaded_model.load`, with which torch is imported, when it is asked for."""
    if name != "load":
        raise AttributeError(f"module 'sem3d' has no attribute '{name}'")
    from sem3d.pipelines.loaded_model import load

    return load
