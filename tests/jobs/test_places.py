"""Where relative paths are, in a job and out of one; what identifies a job's code; what is uploaded with it."""

import json
from pathlib import Path

import pytest
from ray._private.ray_constants import get_runtime_env_default_excludes
from ray._private.runtime_env.packaging import create_package

from jobs.places import place, storage_place, store_place
from sem3d.errors import UserError
from sem3d.runs.ray_job import JOB_VARIABLE, in_ray_job, submitted_revision
from tests.jobs.local_head import fresh_clone

JOB = json.dumps({"runtime_env": {"working_dir": "gcs://_ray_pkg_0123456789abcdef.zip"}})


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    for name in (JOB_VARIABLE, "SEM3D_STORAGE", "SEM3D_REVISION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_outside_of_a_job_paths_are_those_of_the_shell(monkeypatch, tmp_path):
    monkeypatch.setenv("SEM3D_STORAGE", "/mnt/shared")
    assert not in_ray_job()
    assert place("scans") == tmp_path / "scans"
    assert storage_place("runs") == tmp_path / "runs"
    assert store_place("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    assert store_place("http://host:5000") == "http://host:5000"


def test_in_a_job_relative_paths_are_in_the_shared_folder(monkeypatch):
    monkeypatch.setenv(JOB_VARIABLE, JOB)
    monkeypatch.setenv("SEM3D_STORAGE", "/mnt/shared")
    assert storage_place("runs") == Path("/mnt/shared/runs")
    assert place("scans") == Path("/mnt/shared/scans")
    assert storage_place("/elsewhere") == Path("/elsewhere")


def test_in_a_job_without_a_shared_folder_a_relative_storage_is_refused(monkeypatch):
    monkeypatch.setenv(JOB_VARIABLE, JOB)
    with pytest.raises(UserError, match=r"run\.storage 'runs' is relative and this is a Ray job"):
        storage_place("runs")
    assert storage_place("/elsewhere") == Path("/elsewhere")


def test_storage_is_a_folder():
    with pytest.raises(UserError, match="mount it"):
        storage_place("s3://bucket/runs")


def test_the_code_of_a_job_is_known_by_its_package_or_by_the_name_it_is_given(monkeypatch):
    assert submitted_revision() == ""
    monkeypatch.setenv(JOB_VARIABLE, "[" * 100_000)
    assert submitted_revision() == ""
    monkeypatch.setenv(JOB_VARIABLE, JOB)
    assert submitted_revision() == "ray_pkg_0123456789abcdef"
    monkeypatch.setenv("SEM3D_REVISION", "8450d2e")
    assert submitted_revision() == "8450d2e"


def test_a_job_uploads_code_only(tmp_path):
    clone = fresh_clone(tmp_path / "clone")
    big = ("runs/a/w.safetensors", ".venv/lib/big.so", "scans/a.sens", "data/a.png", "mlflow.db", ".git/objects/pack/x")
    for name in big:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        with (clone / name).open("wb") as file:
            file.truncate(200 * 2**20)
    package = tmp_path / "package.zip"
    create_package(str(clone), package, include_gitignore=True, excludes=get_runtime_env_default_excludes())
    assert package.stat().st_size < 5 * 2**20
