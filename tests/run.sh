#!/usr/bin/env bash
# Sets everything up and runs lint and all tests, in two lanes side by side. Arguments go to pytest: -n 0 is one lane.
set -euo pipefail
SEM3D_EXTRAS=test,minkowski
. "$(dirname "${BASH_SOURCE[0]}")/../jobs/setup.sh"
ruff check .
ruff format --check .
unset PYTHONDONTWRITEBYTECODE  # the tests start many processes that import sem3d
pyright --project pyproject.toml &
types=$!
code=0
python -m pytest -n 2 "$@" || code=$?
wait $types || code=1
exit $code
