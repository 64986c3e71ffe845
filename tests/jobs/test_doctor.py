"""The doctor names what is wrong and what fixes it, never crashes and never waits for what hangs."""

import json
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

from jobs import doctor
from jobs.exits import run
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.prepare import inputs_digest, prepare
from sem3d.doctor import packages, ray_cluster, storage
from sem3d.doctor.authentication import authentication, keep_token
from sem3d.doctor.data import data
from sem3d.doctor.finding import BUSY, Finding, look
from sem3d.doctor.ray_cluster import cluster, is_remote
from sem3d.doctor.ray_folder import BELOW, flaw, folder_of_ray, ray_folder
from tests.web_server import web_server


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("ADDRESS", "API_SERVER_ADDRESS", "AUTH_MODE", "AUTH_TOKEN", "AUTH_TOKEN_PATH"):
        monkeypatch.delenv(f"RAY_{name}", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def well() -> list[Finding]:
    return [Finding("a", "ok", "well")]


def test_a_check_that_hangs_or_raises_is_a_line_like_any_other():
    def hangs() -> list[Finding]:
        time.sleep(30)
        return well()

    def raises() -> list[Finding]:
        raise RuntimeError("no such thing\nmore")

    began = time.monotonic()
    found = list(look({"a": well, "b": hangs, "c": raises}, seconds=0.5))
    assert time.monotonic() - began < 5
    assert [finding.level for finding in found] == ["ok", "late", "FAIL"]
    assert "RuntimeError: no such thing" in found[2].found


def report(
    monkeypatch, capsys, checks: dict[str, Callable[[], list[Finding]]], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(doctor, "checks", lambda words: checks)
    monkeypatch.setattr(sys, "argv", ["doctor", *arguments])
    with pytest.raises(SystemExit) as stop:
        run(doctor.main)
    printed = capsys.readouterr()
    return stop.value.code, printed.out, printed.err


def test_the_report_is_a_line_a_part_with_its_fix_below(monkeypatch, capsys):
    bad = {"a": well, "b": lambda: [Finding("b", "FAIL", "ill", "rest")]}
    code, out, _ = report(monkeypatch, capsys, bad)
    assert code == 1
    first, second, third, *_ = out.splitlines()
    assert first.split() == ["ok", "a", "well"]
    assert second.split() == ["FAIL", "b", "ill"]
    assert third.split() == ["->", "rest"]
    assert "1 FAIL, 0 warn" in out
    assert "\x1b" not in out
    assert report(monkeypatch, capsys, {"a": well})[0] == 0
    late = {"a": well, "b": lambda: [Finding("b", "late", "no answer")]}
    code, out, _ = report(monkeypatch, capsys, late)
    assert (code, out.splitlines()[-1]) == (3, "0 FAIL, 0 warn, 1 not verified")
    assert report(monkeypatch, capsys, late | bad)[0] == 1
    code, out, _ = report(monkeypatch, capsys, bad, "--json")
    assert code == 1
    assert [json.loads(line)["level"] for line in out.splitlines()] == ["ok", "FAIL"]


def test_a_wrong_argument_is_one_line_and_code_2(monkeypatch, capsys):
    code, _, error = report(monkeypatch, capsys, {"a": well}, "--strorage", "x")
    assert code == 2
    assert error.count("\n") == 1
    assert "--strorage" in error


def test_compiled_packages_are_tried_from_the_folder_of_this_sem3d_whichever_is_installed():
    assert (packages.PROJECT / "sem3d").samefile(Path(packages.__file__).parents[1])


def test_this_python_and_its_packages_are_as_the_project_requires():
    (found,) = packages.package_versions()
    assert (found.part, found.level) == ("versions", "ok")
    low, high = (".".join(str(part) for part in limit) for limit in packages.PYTHONS)
    assert set(metadata("sem3d")["Requires-Python"].split(",")) == {f">={low}", f"<{high}"}


def test_a_version_that_does_not_fit_and_a_package_that_is_absent_fail(monkeypatch):
    asked = ["torch<3,>=2.99", "ray[data]>=2", "no-such-package>=1", 'nor-this-one; extra == "test"', "numpy!=0"]
    monkeypatch.setattr(packages, "requires", lambda name: asked)
    monkeypatch.setattr(packages, "version", versions({"torch": "2.12.1+cu130", "ray": "2.60.0", "numpy": "2.5.0rc1"}))
    found = {finding.part: finding for finding in packages.package_versions()}
    assert {part: finding.level for part, finding in found.items()} == {"torch": "FAIL", "no-such-package": "FAIL"}
    assert found["torch"].found == "2.12.1+cu130, not <3,>=2.99"
    assert "setup.sh" in found["no-such-package"].fix
    asked[:] = ["torch==2.12.*"]
    assert [finding.level for finding in packages.package_versions()] == ["ok"]


def test_versions_are_not_checked_where_sem3d_is_not_installed(monkeypatch):
    monkeypatch.setattr(packages, "requires", versions({}))
    (found,) = packages.package_versions()
    assert found.level == "warn"
    assert "not checked" in found.found


def versions(installed: dict[str, str]) -> Callable[[str], str]:
    """Metadata of an environment with these packages."""

    def version(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    return version


def test_a_package_that_ends_python_is_named_and_the_next_one_is_still_looked_at(tmp_path):
    fakes = {"ray": "import os; os.abort()", "torchvision": "raise ImportError('undefined symbol: _ZN3c10')"}
    for name, text in fakes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    found = packages.probe(["services", "torchvision"], PYTHONPATH=str(tmp_path))
    assert found["services"][0] == "FAIL"
    assert "ended Python with code -6" in found["services"][1]
    assert found["torchvision"] == ("FAIL", "ImportError: undefined symbol: _ZN3c10")


def test_a_package_that_takes_too_long_is_late_and_the_next_one_has_its_own_time(tmp_path):
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("import time; time.sleep(60)")
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise ImportError('undefined symbol')")
    found = packages.probe(["services", "torchvision"], seconds=5.0, PYTHONPATH=str(tmp_path))
    assert found["services"] == ("late", "no answer within 5 s")
    assert found["torchvision"][0] == "FAIL"
    assert packages.finding("x", *found["services"], "a fix that is not needed").fix == BUSY


def test_gpus_that_only_the_driver_sees_fail(monkeypatch):
    monkeypatch.setattr(packages, "driver_gpus", lambda: [("NVIDIA A10G", "535.1")])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    none = {"cuda": "13.0", "devices": []}
    assert packages.gpu_finding("ok", none).level == "FAIL"
    assert "580" in packages.gpu_finding("ok", none).fix
    one = {"cuda": "13.0", "devices": [{"name": "NVIDIA A10G", "free": 20 << 30, "total": 22 << 30}]}
    assert packages.gpu_finding("ok", one).level == "ok"
    monkeypatch.setattr(packages, "driver_gpus", list)
    assert packages.gpu_finding("ok", none).level == "ok"


def test_the_token_and_the_mode_must_agree(monkeypatch, tmp_path):
    def level() -> str:
        (finding,) = authentication()
        assert "secret" not in finding.found + finding.fix
        return finding.level

    assert level() == "warn"
    token = tmp_path / "home" / ".ray" / "auth_token"
    token.parent.mkdir(parents=True)
    token.write_text("secret")
    token.chmod(0o600)
    assert level() == "warn"
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert level() == "ok"
    token.chmod(0o644)
    assert level() == "warn"
    token.write_text("")
    assert level() == "FAIL"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    assert level() == "ok"
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "nowhere"))
    assert level() == "FAIL"
    monkeypatch.setenv("RAY_AUTH_MODE", "tokn")
    assert level() == "FAIL"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert level() == "warn"


def test_a_token_is_made_that_its_owner_alone_can_read(monkeypatch, tmp_path):
    token = tmp_path / "home" / ".ray" / "auth_token"
    assert keep_token() == ""
    assert (token.stat().st_mode & 0o777, token.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    made = token.read_text()
    assert len(made) == 64
    token.chmod(0o644)
    assert keep_token() == ""
    assert (token.read_text(), token.stat().st_mode & 0o777) == (made, 0o600)
    assert os.listdir(token.parent) == [token.name]


def test_an_open_cluster_needs_no_token_and_a_token_that_is_given_stays_as_it_is(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o640)
    for name, value in {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "secret"}.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert keep_token() == ""
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    assert keep_token() == ""
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o640
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("home", ["file", "file/below"])
def test_where_no_token_can_be_kept_a_run_has_one_of_its_own(home, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / home))
    (finding,) = authentication()
    assert finding.level == "warn"
    assert "RAY_AUTH_TOKEN_PATH" in finding.fix
    monkeypatch.setattr(os, "environ", dict(os.environ))
    line = keep_token()
    assert line.startswith(f"{tmp_path / home}/.ray/auth_token cannot be made (")
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_ray_gets_a_folder_whose_sockets_have_short_names(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_TMPDIR")
    long = tmp_path / ("x" * 60)
    for name in (str(long), "/dev/null"):
        monkeypatch.setenv("TMPDIR", name)
        assert ray_folder()[0] == Path("/tmp")
        assert folder_of_ray()[0].level == "warn"
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert ray_folder() == (Path("/tmp"), "")
    assert folder_of_ray()[0].level == "ok"
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    (finding,) = folder_of_ray()
    assert finding.level == "FAIL"
    assert "export RAY_TMPDIR=/tmp" in finding.fix
    longest = "/" + (107 - len(BELOW) - 1) * "y"
    assert not flaw(Path(longest)) or "cannot be written" in flaw(Path(longest))
    assert "Ray's sockets leave" in flaw(Path(longest + "y"))


def test_addresses_are_tried(monkeypatch):
    assert [finding.level for finding in cluster("")] == ["ok"]
    assert [finding.level for finding in cluster("127.0.0.1:9")] == ["FAIL"]
    assert [finding.level for finding in cluster("nonsense")] == ["FAIL"]
    assert [finding.level for finding in cluster("ray://127.0.0.1:10001")] == ["FAIL"]
    assert "Connection refused" in cluster("127.0.0.1:9")[0].found
    with web_server(200) as address:
        assert "is no Ray head" in cluster(address.removeprefix("http://"))[0].found
    monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "timed out" in cluster(f"127.0.0.1:{silent.getsockname()[1]}")[0].found
    assert [finding.level for finding in cluster("http://127.0.0.1:9")] == ["FAIL"]
    with web_server(401) as address:
        (finding,) = cluster(address)
        assert "token" in finding.fix
    with web_server(200, b'{"ray_version": "1.0.0"}') as address:
        assert "1.0.0" in cluster(address)[0].found
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert [finding.level for finding in cluster("")] == ["FAIL", "warn"]
    assert is_remote("10.0.0.5:6379")
    assert is_remote("http://head:8265")
    assert not is_remote("http://127.0.0.1:8265")
    assert not is_remote("auto")


def test_a_storage_is_tried_out_and_left_as_it_was(tmp_path, monkeypatch):
    (finding,) = storage.storage(str(tmp_path), remote=False)
    assert finding.level in ("ok", "warn")
    assert "renames and locks work" in finding.found
    assert not list(tmp_path.iterdir())
    (finding,) = storage.storage(str(tmp_path / "a" / "b"), remote=False)
    assert "will be made" in finding.found
    assert [finding.level for finding in storage.storage("s3://bucket", remote=False)] == ["FAIL"]
    (tmp_path / "file").write_text("")
    assert [finding.level for finding in storage.storage(str(tmp_path / "file"), remote=False)] == ["FAIL"]
    monkeypatch.setattr(storage, "file_system", lambda path: "ext4")
    assert "other machines do not see it" in storage.storage(str(tmp_path), remote=True)[0].found
    monkeypatch.setattr(storage, "SCARCE", 1 << 62)
    assert [finding.level for finding in storage.storage(str(tmp_path), remote=False)] == ["FAIL"]


def test_the_file_system_is_that_of_the_deepest_mount(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /mnt/sem3d nfs4 rw 0 0\nc /mnt ext3 rw 0 0\n")
    assert storage.file_system(Path("/mnt/sem3d/runs"), mounts) == "nfs4"
    assert storage.file_system(Path("/mnt/other"), mounts) == "ext3"
    assert storage.is_network("nfs4")
    assert not storage.is_network("ext4")


def test_mlflow_stores_are_asked(tmp_path, monkeypatch):
    def level(uri: str = "") -> str:
        (finding,) = storage.tracking(uri, str(tmp_path))
        return finding.level

    assert level() == "ok"
    assert not (tmp_path / "mlflow.db").exists()
    (tmp_path / "mlflow.db").write_text("no database, and longer than a header would be" * 9)
    assert level() == "FAIL"
    (tmp_path / "mlflow.db").unlink()
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("create table alembic_version (version_num text)")
    assert level() == "ok"
    monkeypatch.setattr(storage, "ANSWER_SECONDS", 0.1)
    database.execute("begin exclusive")
    assert level() == "FAIL"
    database.close()
    assert level("http://127.0.0.1:9") == "FAIL"
    assert level(str(tmp_path)) == "FAIL"
    for status, expected in {200: "ok", 403: "FAIL", 401: "warn", 500: "FAIL"}.items():
        with web_server(status) as uri:
            assert level(uri) == expected
    with web_server(200) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert level() == "ok"


def test_data_without_layout_without_index_and_with_one(tmp_path, rooms):
    assert [finding.level for finding in data("", str(tmp_path))] == ["ok"]
    assert [finding.level for finding in data(str(tmp_path / "no"), str(tmp_path))] == ["FAIL"]
    (tmp_path / "empty").mkdir()
    assert [finding.level for finding in data(str(tmp_path / "empty"), str(tmp_path))] == ["FAIL"]
    assert [finding.level for finding in data(str(rooms), str(tmp_path))] == ["ok", "warn"]
    config = PrepareConfig(stride=1)
    folder = tmp_path / "index" / inputs_digest(rooms, config)
    prepare(rooms, folder, config)
    layout, index = data(str(rooms), str(tmp_path))
    assert layout.found.endswith("layout scannet_sens")
    assert index.level == "ok"
    assert "quarantine 0" in index.found
    assert data(str(folder), str(tmp_path)) == [index]
    (folder / "pairs.parquet").write_bytes(b"broken")
    assert [finding.level for finding in data(str(rooms), str(tmp_path))] == ["ok", "FAIL"]


def test_minkowski_engine_is_missed_by_nobody_and_built_anew_where_it_does_not_run():
    absent = packages.minkowski_finding(None)
    assert absent.level == "ok"
    assert "SEM3D_EXTRAS=minkowski bash -e jobs/setup.sh" in absent.found
    broken = packages.minkowski_finding(("FAIL", "undefined symbol"))
    assert (broken.level, broken.fix) == ("warn", packages.REBUILD)
    assert packages.minkowski_finding(("ok", "0.5.4")).level == "ok"
    assert packages.installed("torch")
    assert not packages.installed("no-such-package")


@pytest.mark.slow
def test_this_environment_is_well():
    found = [*packages.python_version(), *packages.compiled_packages(), *packages.services()]
    assert not [finding for finding in found if finding.level == "FAIL"]
