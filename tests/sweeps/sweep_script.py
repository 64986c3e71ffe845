"""A toy sweep in a process of its own, for tests that kill it: ``python sweep_script.py REQUEST ROOMS STORAGE``."""

import sys
from pathlib import Path

from sem3d.sweeps.forecast import Terms
from sem3d.sweeps.run import run_sweep
from tests.sweeps.chain_toys import curriculum_request
from tests.sweeps.sweep_toys import searching_request

REQUESTS = {"curriculum": curriculum_request, "searching": searching_request}


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    rooms, storage = map(Path, sys.argv[2:4])
    run_sweep(REQUESTS[sys.argv[1]](rooms, storage), Terms(probe_steps=0, max_concurrent=1), say)
