#!/usr/bin/env bash
# Any command of sem3d on nodes of SLURM, a Ray of its own on all of them:
#   sbatch --nodes 2 --gpus-per-node 8 jobs/slurm.sh python -m jobs.train pri3d --preset paper --data.root SCANNET --run.workers 16
# Hand it in where .venv lies, on a disk that all nodes have; paths are taken from there. Five minutes before its time is up,
# and where somebody says `scancel --signal USR1 --batch JOB`, the command is asked to stop, writes a checkpoint and is queued again.
#SBATCH --job-name=sem3d
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
test $# -gt 0 || { echo "usage: sbatch jobs/slurm.sh COMMAND ..." >&2; exit 2; }

. .venv/bin/activate
export RAY_AUTH_MODE=token RAY_JOB_STOP_WAIT_TIME_S=240 PYTHONUNBUFFERED=1
test -s ~/.ray/auth_token || ray get-auth-token --generate >/dev/null
chmod 600 ~/.ray/auth_token

# The first node is the head, and the one that runs this script. Its port is the job's own, since nodes may be shared.
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
read -r host _ < <(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address)
export SEM3D_RAY=$host:$((20000 + SLURM_JOB_ID % 10000))

# `ray symmetric-run` starts Ray on every node, runs the command on the head, and stops Ray when it has ended.
export SEM3D_PROCESS=${TMPDIR:-/tmp}/sem3d-$SLURM_JOB_ID.pid
rm -f "$SEM3D_PROCESS"
again=0
stop() {
  again=1
  test ! -s "$SEM3D_PROCESS" || kill -TERM "$(cat "$SEM3D_PROCESS")"
}
trap stop USR1
srun --kill-on-bad-exit=0 ray symmetric-run --address "$SEM3D_RAY" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus "${SLURM_CPUS_PER_TASK:-$(nproc)}" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" --disable-usage-stats -- \
  bash -c 'echo $$ > "$SEM3D_PROCESS"; RAY_ADDRESS=$SEM3D_RAY exec "$@"' sem3d "$@" &
code=0
wait $! || code=$?
if test "$again" = 1; then # the signal ended that wait; this one is for the command
  code=0
  wait $! || code=$?
  test "$code" = 0 || scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
