"""Ray's address: the cluster that would be used, its answer, and its version of Ray."""

import json
import os
import socket
import urllib.error
import urllib.request
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from sem3d.doctor.authentication import MODE, default_token_file, token_source
from sem3d.doctor.finding import ANSWER_SECONDS, Finding
from sem3d.doctor.packages import finding, probe

PART = "Ray cluster"
ADDRESS = "RAY_ADDRESS"
START = "start it, or unset {} for a Ray of its own"
OTHER_RAY = "pip install 'ray[default,data,train,tune]=={}'    # or that of the cluster"
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""Beginning of every conversation with a gRPC server, and so with a head: HTTP/2's preface, and settings without any."""
SETTINGS = 4
"""Type of the frame that such a server answers first."""
NODES_SECONDS = 20.0


def cluster(address: str) -> list[Finding]:
    """Check that the cluster of ``address``, else of ``RAY_ADDRESS``, answers; without one there is nothing to reach."""
    variable = "--address" if address else ADDRESS
    address = address or os.environ.get(ADDRESS, "")
    server = os.environ.get("RAY_API_SERVER_ADDRESS", "")
    findings = [job_server(server)] if server and server != address else []
    if address in ("", "local"):
        found = "no RAY_ADDRESS: each job starts a Ray of its own on this machine"
        return [*findings, Finding(PART, "ok", found)]
    if not address.startswith(("http://", "https://")):
        wrong = misnamed(address, variable) or unreachable(address, variable)
        return [*findings, wrong or head(address)]
    findings.append(job_server(address))
    if variable == ADDRESS and (wrong := misnamed(address, variable)):
        findings.append(replace(wrong, level="warn"))
    return findings


def misnamed(address: str, variable: str) -> Finding | None:
    """Return why no training can run at an address of this form."""
    if address.startswith("ray://"):
        fix = "submit jobs with 'ray job submit', or name the head as host:6379 on a machine of the cluster"
        return Finding(PART, "FAIL", f"{address} ({variable}): Ray Train does not run through Ray Client", fix)
    if address.startswith(("http://", "https://")):
        found = f"{variable} {address} serves 'ray job submit', but 'python -m jobs.train' run here would fail on it"
        return Finding(ADDRESS, "FAIL", found, f"export RAY_API_SERVER_ADDRESS={address}; unset {variable}")
    host, _, port = address.rpartition(":")
    if address != "auto" and not (host and port.isdecimal() and 0 < int(port) < 1 << 16):
        return Finding(PART, "FAIL", f"{variable} '{address}' is no host:port", f"unset {variable}, or name a head")
    return None


def unreachable(address: str, variable: str) -> Finding | None:
    """Return why no head answers at an address: nobody listens, or somebody who is no Ray; asks Ray nothing."""
    if address == "auto":
        return None
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return None
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(GREETING)
            answer = connection.recv(len(GREETING))
    except (OSError, UnicodeError) as error:
        return Finding(PART, "FAIL", f"no Ray at {address} ({variable}): {_reason(error)}", START.format(variable))
    if len(answer) < 4 or answer[3] != SETTINGS:
        return Finding(PART, "FAIL", f"what listens at {address} ({variable}) is no Ray head", START.format(variable))
    return None


def job_server(address: str) -> Finding:
    """Check that a dashboard answers, and accepts the token."""
    part, (_, token) = "Ray job server", token_source()
    request = urllib.request.Request(f"{address.rstrip('/')}/api/version")
    if token and os.environ.get(MODE, "").lower() == "token":
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            theirs = dict(json.load(answer)).get("ray_version", "")
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            fix = f"copy the cluster's token to {default_token_file()} and export {MODE}=token"
            return Finding(part, "FAIL", f"{address} refuses access ({error.code}): it requires its token", fix)
        return Finding(part, "FAIL", f"{address} answers {error.code}", "name the address of the dashboard, port 8265")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        fix = "ray dashboard cluster.yaml    # or, for a head on this machine: ray start --head"
        return Finding(part, "FAIL", f"{address} does not answer: {_reason(error)}", fix)
    if theirs != own_ray():
        return Finding(part, "FAIL", f"{address} runs Ray {theirs}, here is {own_ray()}", OTHER_RAY.format(theirs))
    return Finding(part, "ok", f"{address} answers, Ray {theirs}")


def head(address: str) -> Finding:
    """Check that a head answers as Ray itself asks it for its nodes."""
    level, found = probe(["nodes"], seconds=NODES_SECONDS, RAY_ADDRESS=address)["nodes"]
    if level != "ok":
        fix = f"export {MODE}=token, with the cluster's token" if "uthenti" in str(found) else START.format(ADDRESS)
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
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__
