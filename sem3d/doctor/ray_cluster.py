"""Ray's address: the cluster that would be used, its answer, and its version of Ray."""

import json
import os
import socket
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, version

from sem3d.doctor.authentication import MODE, default_token_file, token_source
from sem3d.doctor.finding import ANSWER_SECONDS, Finding
from sem3d.doctor.packages import finding, probe

PART = "Ray cluster"
START = "ray start --head    # or name the head that runs as host:6379"
OTHER_RAY = "pip install 'ray[default,data,train,tune]=={}'    # or that of the cluster"


def cluster(address: str) -> list[Finding]:
    """Check that the cluster of ``address``, else of ``RAY_ADDRESS``, answers; without one there is nothing to reach."""
    variable = "--address" if address else "RAY_ADDRESS"
    address = address or os.environ.get("RAY_ADDRESS", "")
    server = os.environ.get("RAY_API_SERVER_ADDRESS", "")
    findings = [job_server(server)] if server and server != address else []
    if address in ("", "local"):
        found = "no RAY_ADDRESS: each job starts a Ray of its own on this machine"
        return [*findings, Finding(PART, "ok", found)]
    if address.startswith("ray://"):
        fix = "submit jobs with 'ray job submit', or name the head as host:6379 on a machine of the cluster"
        return [*findings, Finding(PART, "FAIL", f"{address}: Ray Train does not run through Ray Client", fix)]
    if not address.startswith(("http://", "https://")):
        return [*findings, head(address)]
    findings.append(job_server(address))
    if variable == "RAY_ADDRESS":
        found = f"{address} serves 'ray job submit', but 'python -m jobs.train' run here would fail on it"
        fix = f"export RAY_API_SERVER_ADDRESS={address}; unset RAY_ADDRESS"
        findings.append(Finding("RAY_ADDRESS", "warn", found, fix))
    return findings


def job_server(address: str) -> Finding:
    """Check that a dashboard answers, and accepts the token."""
    part, (_, token) = "Ray job server", token_source()
    request = urllib.request.Request(f"{address.rstrip('/')}/api/version")
    if token and os.environ.get(MODE, "").lower() == "token":
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            theirs = json.load(answer).get("ray_version", "")
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            fix = f"copy the cluster's token to {default_token_file()} and export {MODE}=token"
            return Finding(part, "FAIL", f"{address} refuses access ({error.code}): it requires its token", fix)
        return Finding(part, "FAIL", f"{address} answers {error.code}", "name the address of the dashboard, port 8265")
    except (OSError, ValueError) as error:
        fix = "ray dashboard cluster.yaml    # or, for a head on this machine: ray start --head"
        return Finding(part, "FAIL", f"{address} does not answer: {_reason(error)}", fix)
    if theirs != own_ray():
        return Finding(part, "FAIL", f"{address} runs Ray {theirs}, here is {own_ray()}", OTHER_RAY.format(theirs))
    return Finding(part, "ok", f"{address} answers, Ray {theirs}")


def head(address: str) -> Finding:
    """Check that a head answers as Ray itself asks it: first its port, then its nodes."""
    host, _, port = address.rpartition(":")
    if address != "auto":
        try:
            socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
        except (OSError, ValueError) as error:
            return Finding(PART, "FAIL", f"{address} does not answer: {_reason(error)}", START)
    level, found = probe(["nodes"], RAY_ADDRESS=address)["nodes"]
    if level != "ok":
        fix = f"export {MODE}=token, with the cluster's token" if "uthenti" in str(found) else START
        return finding(PART, level, f"{address}: {str(found).split('. ')[0]}", fix)
    if found["ray"] != own_ray():
        fix = OTHER_RAY.format(found["ray"])
        return Finding(PART, "FAIL", f"{address} runs Ray {found['ray']}, here is {own_ray()}", fix)
    counts = f"nodes {found['nodes']}, CPUs {found['CPU']:g}, GPUs {found['GPU']:g}"
    return Finding(PART, "ok", f"{address}: {counts}, Ray {found['ray']}")


def is_remote(address: str) -> bool:
    """Return whether an address names another machine."""
    host = address.rpartition("//")[2].rpartition(":")[0]
    return bool(host) and host not in ("127.0.0.1", "localhost", "[::1]")


def own_ray() -> str:
    """Return the version of Ray here, empty where there is none."""
    try:
        return version("ray")
    except PackageNotFoundError:
        return ""


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__
