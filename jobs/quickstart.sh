#!/usr/bin/env bash
# Sets everything up and runs the main job on generated rooms: pretrain without labels, fine-tune at two label budgets with
# and without that, compare. Arguments go to jobs/tune.py. The same command resumes where it was interrupted.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec python -m jobs.tune pri3d --arms scratch pri3d --budgets 0.2 1 --seeds 1 --probe-steps 0 \
  --set schedule.steps=60 pretrain.schedule.steps=80 "$@"
