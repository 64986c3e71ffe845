"""Facts of a job submitted with ``ray job submit``, where this process is its driver.

A job's working folder is a temporary copy of what was handed in: no git repository, and gone when the cluster is.
"""

import json
import os
from pathlib import PurePosixPath

JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
REVISION_VARIABLE = "SEM3D_REVISION"


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
    uri = json.loads(os.environ[JOB_VARIABLE]).get("runtime_env", {}).get("working_dir", "")
    return PurePosixPath(uri).stem.lstrip("_")
