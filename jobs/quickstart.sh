#!/usr/bin/env bash
# Sets everything up and runs the main job on generated rooms: pretrain, fine-tune at two label budgets, compare.
# Arguments go to jobs/quickstart.py.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec python -m jobs.quickstart "$@"
