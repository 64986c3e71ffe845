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
