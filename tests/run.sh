#!/usr/bin/env bash
# Sets everything up and runs lint and all tests. Arguments go to pytest.
set -euo pipefail
SEM3D_EXTRAS=test
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/setup.sh"
ruff check .
ruff format --check .
exec python -m pytest "$@"
