#!/usr/bin/env bash
# Sets everything up and shows in minutes what Pri3D's pretraining does to ImageNet's features, on generated rooms and without a
# label: pretrain with three seeds, then, before and after, find the same points in two frames and fit a linear probe to frozen
# features at two label budgets. Arguments go to jobs/tune.py. The same command resumes where it was interrupted.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
say "five stages, about 4 minutes on two idle cores: rooms, index of their frames, 3 pretrainings, marks, 12 linear probes"
python -m jobs.tune pri3d --frozen --arms imagenet imagenet+pri3d --budgets 0.1 1 --seeds 3 --probe-steps 0 \
  --rooms.rooms-train 36 --rooms.rooms-val 12 --rooms.frames-per-room 7 \
  --set pretrain.schedule.steps=22 pretrain.data.evaluation_pairs=32 "$@"
cat <<'NEXT'

So short a pretraining shows what it does to features, not what fine-tuning gains by it. Next, after ". .venv/bin/activate":
  python -m jobs.tune pri3d --dry-run                  fine-tuning over label budgets and seeds: what it would take here
  python -m jobs.evidence pri3d --size laptop          the paper's comparison, some hours here; --size gpu on a GPU
  python -m jobs.train pri3d --preset laptop --data.root SCANS     on your own RGB-D scans (jobs/data.md)
NEXT
