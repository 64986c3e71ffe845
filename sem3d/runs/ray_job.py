"""Facts of a job submitted with ``ray job submit``, where this process is its driver.

A job's working folder is a temporary copy of what was handed in: no git repository, and gone when the cluster is.
"""

import json
import os
from pathlib import PurePosixPath

JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
REVISION_VARIABLE = "SEM3D_REVISION"
WAIT_VARIABLE = "RAY_JOB_STOP_WAIT_TIME_S"
SECONDS_TO_STOP = 10.0
"""Time that containers get between SIGTERM and SIGKILL, and so what a program takes at most unless it is told otherwise."""


def in_ray_job() -> bool:
    """Return whether Ray's job supervisor started this process."""
    return JOB_VARIABLE in os.environ


def submitted_revision() -> str:
    """Return what identifies the code of a job: ``SEM3D_REVISION`` if it is set, else Ray's digest of the working folder.

    Empty outside of a job.
    """
    named = os.environ.get(REVISION_VARIABLE, "")
    if named or not in_ray_job():
        return named
    try:
        uri = json.loads(os.environ[JOB_VARIABLE])["runtime_env"]["working_dir"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    return PurePosixPath(uri).stem.lstrip("_") if isinstance(uri, str) else ""


def seconds_to_stop() -> float:
    """Return how long a program may take to end once SIGTERM asks it to: longer where Ray says that it waits longer."""
    try:
        return max(float(os.environ.get(WAIT_VARIABLE, "")), SECONDS_TO_STOP)
    except ValueError:
        return SECONDS_TO_STOP
