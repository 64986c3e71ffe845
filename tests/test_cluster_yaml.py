"""cluster.yaml by Ray's own schema, and what its commands say: shell that parses, files that exist, nothing left open."""

import copy
import os
import re
import shlex
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

from jobs import train

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def commands(config: dict[str, Any]) -> list[str]:
    return [command for kind in COMMANDS for command in config[kind]]


def test_ray_accepts_the_cluster(config):
    prepared = prepare_config(config)
    validate_config(prepared)
    assert prepared["head_node_type"] == "head"
    assert prepared["available_node_types"].keys() == {"head", "gpu_worker"}


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ((), {"idle_timeout_minuts": 5}),
        (("docker",), {"imagee": "x"}),
        (("available_node_types", "gpu_worker"), {"max_workers": "eight"}),
        ((), {"head_node_type": "heda"}),
        (("available_node_types", "gpu_worker"), {"min_workers": 9}),
    ],
)
def test_ray_refuses_a_slip_in_it(config, place, wrong):
    broken = copy.deepcopy(config)
    part = broken
    for name in place:
        part = part.setdefault(name, {})
    part.update(wrong)
    with pytest.raises((ValidationError, ValueError)):
        validate_config(prepare_config(broken))


def test_workers_come_from_zero_on_spot_and_the_head_takes_no_work(config):
    head, worker = (config["available_node_types"][name] for name in ("head", "gpu_worker"))
    assert head["resources"]["CPU"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]
    assert worker["min_workers"] == 0
    assert worker["max_workers"] <= config["max_workers"]
    assert worker["resources"]["GPU"] == 1
    assert worker["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"


def test_every_command_is_shell_that_parses(config):
    for command in commands(config):
        assert isinstance(command, str)
        as_ray_runs_it = f"source ~/.bashrc; export OMP_NUM_THREADS=1 && ({command})"
        checked = subprocess.run(["bash", "-n", "-c", as_ray_runs_it], capture_output=True, text=True)
        assert checked.returncode == 0, f"{command}\n{checked.stderr}"


def test_files_that_are_sent_and_files_that_commands_name_exist(config):
    sent = {remote: local for remote, local in config["file_mounts"].items() if not local.startswith("~")}
    for local in sent.values():
        assert (ROOT / local).exists(), local
    named = [word for command in commands(config) for word in re.findall(r"\bjobs/\w+\.sh|\bjobs\.\w+", command)]
    assert named
    for name in named:
        path = name if name.endswith(".sh") else name.replace(".", "/") + ".py"
        assert (ROOT / path).is_file(), name
        assert f"~/sem3d/{path.split('/')[0]}" in sent
    assert {"~/sem3d/pyproject.toml", "~/sem3d/README.md", "~/sem3d/sem3d"} <= set(sent)


def test_the_token_is_asked_for_and_the_dashboard_stays_at_home(config):
    assert any("RAY_AUTH_MODE=token" in command for command in config["setup_commands"])
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    start = config["head_start_ray_commands"][-1]
    assert "--dashboard-host=127.0.0.1" in start
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start


def test_nodes_are_in_a_group_of_the_users_own_because_rays_lets_everybody_in_by_ssh(config):
    assert "security_group" not in config["provider"]
    for node in config["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"] == [config["metadata"]["security_group"]]


def test_mlflow_asks_for_a_password_and_its_database_is_not_on_the_shared_disk(config):
    (start,) = (command for command in config["head_setup_commands"] if "sem3d-mlflow" in command)
    _, script, here, shared = shlex.split(start.partition("Restart=always")[2])
    assert script == "$HOME/sem3d/jobs/mlflow_server.sh"
    assert (here, shared) == ("$HOME/mlflow", "/mnt/sem3d/mlflow")
    served = (ROOT / "jobs" / "mlflow_server.sh").read_text()
    assert "--app-name basic-auth" in served
    assert '--backend-store-uri "sqlite:///$here/mlflow.db"' in served
    rule = "$(sha256sum <~/.ray/auth_token | cut -c1-40)"
    assert any(f"'MLFLOW_TRACKING_PASSWORD={rule}'" in command for command in config["setup_commands"])
    assert rule.replace("~", '"$HOME').replace("token |", 'token" |') in served


def test_the_shared_disk_is_mounted_through_tls(config):
    (tunnel,) = (command for command in config["initialization_commands"] if "stunnel/efs.conf >" in command)
    (mount,) = (command for command in config["initialization_commands"] if "mount -t nfs4" in command)
    assert "'verifyChain = yes'" in tunnel
    assert "'accept = 127.0.0.1:20049'" in tunnel
    assert "port=20049 127.0.0.1:/ /mnt/sem3d" in mount


def test_clusters_and_tests_build_minkowski_engine_and_the_quickstart_does_not(config):
    assert any("SEM3D_EXTRAS=minkowski bash" in command for command in config["setup_commands"])
    assert "SEM3D_EXTRAS=minkowski bash" in (ROOT / "jobs" / "kuberay" / "Dockerfile").read_text()
    assert "SEM3D_EXTRAS=test,minkowski\n" in (ROOT / "tests" / "run.sh").read_text()
    assert "SEM3D_EXTRAS" not in (ROOT / "jobs" / "quickstart.sh").read_text()


def setup_functions() -> str:
    script = (ROOT / "jobs" / "setup.sh").read_text()
    return script[: script.index("\nexport RAY_USAGE")].replace('cd "$sem3d_root"', ":")


@pytest.mark.parametrize(
    ("extras", "ready", "does"),
    [
        ("", "", "pip install -q -e ."),
        ("test,minkowski", "", "pip install -q -e .[test] built"),
        ("minkowski", "", "pip install -q -e . built"),
        ("", "test,minkowski", ""),
        ("minkowski", "test", "pip install -q -e . built"),
        ("test", "test", ""),
    ],
)
def test_what_is_asked_for_is_installed_and_what_is_there_is_not(extras, ready, does, tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    (tmp_path / ".venv" / "bin" / "pip").write_text("")
    (tmp_path / ".venv" / "bin" / "pip").chmod(0o755)
    (tmp_path / "jobs").mkdir()
    for name in ("pyproject.toml", "jobs/setup.sh"):
        (tmp_path / name).write_text("")
    played = 'pip() { echo "pip $*"; }; install_by_uv() { return 1; }; '
    played += "install_minkowski() { echo built; }; python() { :; }; say() { :; }"
    stamp = f'echo "$(cat pyproject.toml jobs/setup.sh | sha256sum | cut -d" " -f1) {ready}" >.venv/.sem3d-ready'
    command = f"{setup_functions()}\n{played}\n{stamp if ready else ':'}\nprepare_environment"
    environment = os.environ | {"SEM3D_EXTRAS": extras}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, " ".join(done.stdout.split())) == (0, does), done.stderr


@pytest.mark.parametrize(
    ("settings", "handed_on"),
    [
        ("", "  "),
        ("global.index-url='https://a.test/simple'", "https://a.test/simple  "),
        (":env:.find-links='/a /b'\nglobal.find-links='/c'", " /a,/b "),
        ("global.extra-index-url='\\nfile:///a\\nfile:///b'\n:env:.timeout='9'", "  file:///a file:///b"),
        ("global.client-cert='/a'", None),
        ("install.require-hashes='true'", None),
    ],
)
def test_uv_installs_from_where_pip_would_and_pip_where_it_was_told_more(settings, handed_on, tmp_path):
    (tmp_path / "settings").write_text(settings and settings + "\n")
    uv = tmp_path / ".venv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text('#!/bin/sh\necho "$UV_DEFAULT_INDEX $UV_FIND_LINKS $UV_INDEX"\n')
    uv.chmod(0o755)
    played = f"pip() {{ cat {tmp_path}/settings; }}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{setup_functions()}\n{played}\ninstall_by_uv -e . || echo pip"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.removesuffix("\n") == ("pip" if handed_on is None else handed_on)


def test_what_takes_minutes_is_heard_of_and_its_failure_is_one():
    script = setup_functions().replace("sleep 15", "sleep 0.1")
    command = f"{script}\nwaited_for pip bash -c 'sleep 0.5; exit 3' || echo code $?"
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "code 3"
    assert re.search(r"^\[set-up\] pip: \d+ s so far$", done.stderr, re.MULTILINE)


def test_who_reads_what_the_set_up_says_does_not_wait_for_its_clock():
    command = f"{setup_functions()}\nwaited_for pip sleep 0.3"
    subprocess.run(["bash", "-euc", command], capture_output=True, check=True, timeout=10)


@pytest.mark.parametrize("name", ["setup.sh", "mlflow_server.sh"])
def test_the_scripts_parse(name):
    subprocess.run(["bash", "-n", str(ROOT / "jobs" / name)], check=True)


def test_a_wheel_is_taken_from_the_cache_only_as_its_owner_has_put_it_there(tmp_path):
    script = (ROOT / "jobs" / "setup.sh").read_text()
    functions = script[: script.index("prepare_environment()")].replace('cd "$sem3d_root"', ":")
    wheel = tmp_path / "minkowskiengine-0.5.4-cp311-linux_x86_64.whl"

    def taken() -> str:
        command = f"{functions}\ncached_minkowski {tmp_path}"
        return subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=True).stdout.strip()

    assert taken() == ""
    wheel.write_text("built")
    wheel.chmod(0o644)
    assert taken() == taken() == str(wheel)
    wheel.write_text("exchanged")
    assert taken() == ""
    wheel.write_text("built")
    wheel.chmod(0o666)
    assert taken() == ""


def test_the_kuberay_job_says_the_same(config, tmp_path):
    job, policy = yaml.safe_load_all((ROOT / "jobs" / "kuberay" / "rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert (policy["kind"], policy["spec"]["policyTypes"]) == ("NetworkPolicy", ["Ingress"])
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert cluster["rayVersion"] == version("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert (workers["minReplicas"], workers["maxReplicas"]) == (0, config["max_workers"])
    for group in (cluster["headGroupSpec"], workers):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert not container["image"].endswith(":latest")
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
        assert {"name": "SEM3D_STORAGE", "value": mounted["storage"]} in container["env"]
    python, module, name, method, *settings = shlex.split(job["spec"]["entrypoint"])
    assert (python, module, name) == ("python", "-m", "jobs.train")
    settings[settings.index("--data.root") + 1] = str(tmp_path)
    assert train.parse(method, settings).run.workers == config["max_workers"]


def test_the_image_copies_what_there_is():
    text = (ROOT / "jobs" / "kuberay" / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert {"pyproject.toml", "sem3d", "jobs"} <= set(copied)
    assert re.search(r"^FROM python:\d+\.\d+\.\d+-", text, re.MULTILINE)
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["1000"]
    for name in copied:
        assert (ROOT / name).exists(), name
