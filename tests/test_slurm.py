"""The script for SLURM with stand-ins for SLURM's and Ray's programs: what it starts, and how it stops and comes back."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "scontrol": 'if [ "$1" = show ]; then echo node1; echo node2; else echo "scontrol $*" >>"$SAID"; fi',
    "srun": 'echo "srun $*" >>"$SAID"; while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "hostname": "echo 10.0.0.7 fe80::1",
    "ray": 'echo "ray $*" >>"$SAID"; while [ "$1" != -- ]; do shift; done; shift; "$@"',
}


@pytest.fixture
def job(tmp_path):
    """Start the script on a command in a folder of its own; SLURM's environment is that of two nodes."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in PROGRAMS.items():
        (programs / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (programs / name).chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("token")
    slurm = {"JOB_ID": "123456", "JOB_NODELIST": "node[1-2]", "JOB_NUM_NODES": "2", "CPUS_PER_TASK": "64"}
    settings = {f"SLURM_{name}": value for name, value in (slurm | {"GPUS_ON_NODE": "8"}).items()}
    settings |= {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    settings |= {"SAID": str(tmp_path / "said")}

    def start(*command: str) -> subprocess.Popen[str]:
        bash = shutil.which("bash")
        assert bash
        words = [bash, str(ROOT / "jobs" / "slurm.sh"), *command]
        return subprocess.Popen(
            words, cwd=tmp_path, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return start, tmp_path / "said"


def test_a_command_runs_on_the_head_of_a_ray_on_all_nodes(job):
    start, said = job
    running = start("bash", "-c", 'echo "$RAY_ADDRESS" "$RAY_AUTH_MODE" "$0"; exit 3', "two words")
    assert running.communicate(timeout=60)[0] == "10.0.0.7:23456 token two words\n"
    assert running.returncode == 3
    lines = said.read_text().splitlines()
    assert lines[0] == "srun --nodes=1 --ntasks=1 --nodelist=node1 hostname --ip-address"
    assert lines[2].startswith(
        "ray symmetric-run --address 10.0.0.7:23456 --min-nodes 2 --num-cpus 64 --num-gpus 8 --disable-usage-stats -- "
    )
    assert "requeue" not in said.read_text()


def test_a_job_whose_time_is_up_stops_its_command_and_is_queued_again(job):
    start, said = job
    running = start("python3", "-c", "import time; print('runs', flush=True); time.sleep(60)")
    assert running.stdout.readline() == "runs\n"
    time.sleep(0.1)
    running.send_signal(signal.SIGUSR1)
    running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM
    assert said.read_text().splitlines()[-1] == "scontrol requeue 123456"


def test_a_job_without_a_command_is_refused(job):
    start, said = job
    running = start()
    assert running.communicate(timeout=30)[0].startswith("usage: sbatch jobs/slurm.sh")
    assert (running.returncode, said.exists()) == (2, False)
