"""Versions as the project requires them, and compiled packages that must fit each other."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from sem3d.doctor.finding import BUSY, Finding, Level

PYTHONS = ((3, 11), (3, 13))
INSTALL = "bash -e jobs/setup.sh && . .venv/bin/activate"
BUILD = "SEM3D_EXTRAS=minkowski bash -e jobs/setup.sh"
REBUILD = f"rm -r ~/.cache/sem3d/minkowski .venv/.sem3d-ready; {BUILD}"
DRIVER = (
    "install an NVIDIA driver of branch 580 or newer (torch here is built for CUDA 13), or a torch built for the driver"
)
PROBE_SECONDS = 60.0
"""Longest wait for one stage of a probe: an import of torch takes 2 s on an idle machine and 20 s on a busy one."""
MINKOWSKI = "MinkowskiEngine"
PROJECT = Path(__file__).parents[2]


def python_version() -> list[Finding]:
    """Check the interpreter itself."""
    low, high = PYTHONS
    fits = low <= sys.version_info[:2] < high
    found = f"{'.'.join(str(part) for part in sys.version_info[:3])} at {sys.executable}"
    return [Finding("python", "ok" if fits else "FAIL", found, "" if fits else "SEM3D_PYTHON=python3.12 " + INSTALL)]


def package_versions() -> list[Finding]:
    """Check installed versions against those that the project requires, without importing anything that is checked."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return [Finding("packaging", "FAIL", "not installed, so no version can be checked", INSTALL)]
    try:
        lines = requires("sem3d") or []
    except PackageNotFoundError:
        return [Finding("versions", "warn", "not checked: sem3d itself is not installed in this Python", INSTALL)]
    asked = [Requirement(line) for line in lines]
    asked = [each for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    wrong = [found for each in asked if (found := misfit(each.name, str(each.specifier), each.specifier.contains))]
    return wrong or [Finding("versions", "ok", f"{len(asked)} packages are as pyproject.toml requires")]


def misfit(name: str, wanted: str, fits: Callable[..., bool]) -> Finding | None:
    """Return the finding of a package that is absent or whose version does not fit; None where it does."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "FAIL", "not installed", INSTALL)
    if fits(found, prereleases=True):
        return None
    return Finding(name, "FAIL", f"{found}, not {wanted}", INSTALL)


def compiled_packages() -> list[Finding]:
    """Check that the compiled packages load and compute together, and the GPUs that torch sees."""
    sparse = ["minkowski"] if installed(MINKOWSKI) else []
    answers = probe(["torch", "torchvision", "pytorch3d", *sparse, "gpus"])
    gpus, minkowski = answers.pop("gpus"), answers.pop("minkowski", None)
    findings = [finding(f"{stage} runs", *answer, INSTALL) for stage, answer in answers.items()]
    return [*findings, minkowski_finding(minkowski), gpu_finding(*gpus)]


def installed(name: str) -> bool:
    """Return whether a package is installed, however well."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def minkowski_finding(answer: tuple[Level, Any] | None) -> Finding:
    """Return the finding of MinkowskiEngine, as it was probed; None where it is not installed, which nothing needs by itself."""
    if answer is None:
        return Finding(MINKOWSKI, "ok", f"not installed: backend 'torch' does its work; to build it: {BUILD}")
    level, found = answer
    if level == "FAIL":
        return Finding(MINKOWSKI, "warn", f"{found} (backend 'torch' does its work)", REBUILD)
    return finding(MINKOWSKI, level, found, REBUILD)


def services() -> list[Finding]:
    """Check that Ray and MLflow import."""
    return [finding("Ray, MLflow", *probe(["services"])["services"], INSTALL)]


def finding(part: str, level: Level, found: Any, fix: str) -> Finding:
    """Return the finding of a probe; ``fix`` is for one that FAILs, one that had no time is checked again."""
    return Finding(part, level, str(found), {"ok": "", "late": BUSY, "FAIL": fix}[level])


def gpu_finding(level: Level, found: Any) -> Finding:
    """Check the GPUs of torch, as the probe ``found`` them, against those of the driver, which should be the same ones."""
    driver = driver_gpus()
    if level != "ok":
        return finding("GPUs", level, f"torch: {found}", DRIVER if driver else INSTALL)
    if found["devices"]:
        listed = ", ".join(
            f"{each['name']} ({each['free'] >> 30} of {each['total'] >> 30} GiB free)" for each in found["devices"]
        )
        about = f"driver {driver[0][1]}" if driver else "no nvidia-smi"
        return Finding("GPUs", "ok", f"{len(found['devices'])}: {listed}; {about}, torch for CUDA {found['cuda']}")
    if driver:
        seen = ", ".join(f"{name} (driver {number})" for name, number in driver)
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
        fix = "unset CUDA_VISIBLE_DEVICES" if hidden else DRIVER
        return Finding("GPUs", "FAIL", f"nvidia-smi sees {seen}, torch for CUDA {found['cuda']} sees none", fix)
    return Finding("GPUs", "ok", "none: training uses CPUs here")


def driver_gpus() -> list[tuple[str, str]]:
    """Return name and driver version of each GPU that ``nvidia-smi`` lists; empty where there is none."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=8)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = answer.stdout.strip().splitlines() if answer.returncode == 0 else []
    parts = (line.split(",", 1) for line in lines if "," in line)
    return [(name.strip(), version.strip()) for name, version in parts]


def probe(stages: list[str], seconds: float = PROBE_SECONDS, **variables: str) -> dict[str, tuple[Level, Any]]:
    """Run stages of :mod:`sem3d.doctor.probe`; return the level and the result of each.

    A stage that ends the process FAILs by name, one that has no answer within ``seconds`` is late, and the stages after it are
    run in another process. ``variables`` are added to the environment.
    """
    answers: dict[str, tuple[Level, Any]] = {}
    while left := [stage for stage in stages if stage not in answers]:
        done, end = _probe(left, seconds, variables)
        answers |= done
        if len(done) < len(left):
            answers[left[len(done)]] = end
    return answers


def _probe(
    stages: list[str], seconds: float, variables: dict[str, str]
) -> tuple[dict[str, tuple[Level, Any]], tuple[Level, Any]]:
    """Return what the stages found until one of them gave no answer, and why that one did not."""
    command = [sys.executable, "-m", "sem3d.doctor.probe", *stages]
    answers: dict[str, tuple[Level, Any]] = {}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | variables, cwd=PROJECT
        ) as process,
    ):
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=_hand_on, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            while line := lines.get(timeout=seconds):
                if line.startswith('{"stage"'):
                    said = json.loads(line)
                    answers[said["stage"]] = ("ok" if said["ok"] else "FAIL", said["found"])
        except queue.Empty:
            process.kill()
            reader.join()
            return answers, ("late", f"no answer within {seconds:.0f} s")
        process.wait()
        errors.seek(0)
        last = (errors.read().strip().splitlines() or ["no message"])[-1][:200]
    return answers, ("FAIL", f"ended Python with code {process.returncode}: {last}")


def _hand_on(stream: Any, lines: "queue.SimpleQueue[str]") -> None:
    """Put every line of a stream in a queue, then an empty one."""
    for line in stream:
        lines.put(line)
    lines.put("")
