"""sem3d: distributed training of 3D-aware semantic representations on Ray."""

import getpass
import os

try:
    getpass.getuser()
except (
    KeyError,
    OSError,
):  # a container's user of whom the system has no name; torch and others ask for one when imported
    os.environ["USER"] = f"user{os.getuid()}"


def load(run, *, device="auto", storage="runs", tracking_uri=""):
    """Load a trained network for use from Python; see :func:`sem3d.pipelines.loaded_model.load`."""
    from sem3d.pipelines.loaded_model import load  # torch takes seconds to import

    return load(run, device=device, storage=storage, tracking_uri=tracking_uri)
