"""A store that cannot be used is one line within seconds, and its advice is of the cause."""

import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sem3d.errors import UserError
from sem3d.tracking import trouble
from sem3d.tracking.answers import put_login
from sem3d.tracking.parent_run import open_parent
from sem3d.tracking.run import close_run, open_run
from sem3d.tracking.store import LockedStore, store_client
from sem3d.tracking.trouble import StoreAway, StoreTrouble, wrong_address
from tests.training.toy_method import toy_experiment
from tests.web_server import web_server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def few_tries(monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield
    put_login("")


def refusal(folder: Path, uri: str = "") -> StoreTrouble:
    """The error of a run that is opened there, which a sweep meets too."""
    with pytest.raises(StoreTrouble) as of_sweep:
        open_parent(folder, uri, "sem3d", "sweep", {})
    with pytest.raises(StoreTrouble) as of_run:
        open_run(toy_experiment(folder, run={"tracking_uri": uri}), folder / "mine", {})
    assert str(of_run.value) == str(of_sweep.value)
    assert "\n" not in str(of_run.value)
    return of_run.value


PAGE = b"<html><head><title>Sign in</title></head><body>\n<form>user, password</form></body></html>"


@pytest.mark.parametrize(
    ("status", "content", "advice"),
    [
        (401, PAGE, "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"),
        (401, b'{"error_code": "UNAUTHENTICATED", "message": "who?"}', "or MLFLOW_TRACKING_TOKEN"),
        (403, b"Permission denied", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        (
            403,
            b"Invalid Host header - possible DNS rebinding attack detected",
            "start the server with --allowed-hosts 127",
        ),
        (200, PAGE, "the answer is not that of MLflow): name the root address of an MLflow server"),
        (404, PAGE, "the answer is not that of MLflow): name the root address of an MLflow server"),
        (500, b"broken", "look at the server's log"),
        (503, b"soon", "wait until the server is up"),
    ],
)
def test_a_server_that_refuses_is_told_from_one_that_is_away(tmp_path, status: int, content: bytes, advice: str):
    with web_server(status, content) as uri:
        error = refusal(tmp_path, uri)
    assert advice in str(error)
    assert "start the server, or" not in str(error)
    assert isinstance(error, StoreAway) == (status == 503)
    assert "<" not in str(error)


def test_a_login_that_was_given_and_is_refused_is_said_so(tmp_path):
    with web_server(401, PAGE) as uri:
        error = refusal(tmp_path, uri.replace("//", "//user:hunter2@"))
    assert "it refuses the user, password or token that are set" in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("kind", ["http", "postgresql"])
def test_an_address_that_nobody_answers_is_one_line_within_seconds(tmp_path, monkeypatch, kind: str):
    monkeypatch.setattr(trouble, "SECONDS_FOR_ANSWER", 0.5)
    monkeypatch.setattr(trouble, "DRIVERS", {"postgresql": "json"})
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # does not listen
        silent = f"{kind}://user:hunter2@127.0.0.1:{deaf.getsockname()[1]}/x"
        began = time.monotonic()
        error = refusal(tmp_path, silent)
        if kind == "http":
            deaf.listen()  # takes connections and says nothing
            assert "timed out" in str(refusal(tmp_path, silent))
            close_run(silent, "0" * 32, tmp_path / "mine", "FINISHED")
        assert time.monotonic() - began < 10
    assert isinstance(error, StoreAway)
    assert "hunter2" not in str(error)
    assert str(error).endswith(
        (": start the server, or set run.tracking_uri", ": start the database, or set run.tracking_uri")
    )


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("127.0.0.1:5000", "write http://127.0.0.1:5000"),
        ("mlflow.example.org", "write http://mlflow.example.org"),
        ("user:hunter2@mlflow:5000", "write http://mlflow:5000"),
        ("http:/127.0.0.1:5000", "write http://127.0.0.1:5000"),
        ("http://", "write http://HOST:PORT"),
        ("http://host:port", "write http://HOST:PORT"),
        ("http://user:hun/ter2@host:5000", "write / as %2F"),
        ("./mlruns", "use a SQLite file, sqlite:////"),
        ("file:///tmp/mlruns", "use a SQLite file, sqlite:////tmp/mlruns/mlflow.db"),
        ("sqlite:/tmp/mlflow.db", "write sqlite:////tmp/mlflow.db"),
        ("sqlite://runs/mlflow.db", "write sqlite:///runs/mlflow.db"),
        ("mysql://u:hunter2@db/x", "install it: pip install MySQLdb"),
    ],
)
def test_a_wrong_address_is_told_from_an_absent_server(tmp_path, uri: str, advice: str):
    message = str(refusal(tmp_path, uri))
    assert advice in message
    assert "start the" not in message
    assert "ter2" not in message


def test_addresses_that_mlflow_takes_are_not_refused(monkeypatch):
    for uri in (
        "http://host:5000/mlflow",
        "sqlite:///runs/mlflow.db",
        "sqlite:////tmp/a@b.db",
        "databricks",
        "plug-in://x",
    ):
        assert wrong_address(uri) == ("", "")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert wrong_address("./mlruns") == ("", "")


def test_an_experiment_that_was_deleted_is_restored_or_another_one_chosen(tmp_path):
    store = LockedStore(tmp_path)
    client = store_client(store.uri)
    number = store.experiment_id(client, "sem3d")
    client.delete_experiment(number)
    message = str(refusal(tmp_path))
    assert "was deleted in sqlite:///" in message
    assert "choose another run.experiment" in message
    assert "start the server" not in message
    restore = message.partition("restore it (")[2].partition(")")[0]
    name, _, command = restore.partition(" ")
    assert name == f"MLFLOW_TRACKING_URI={store.uri}"
    assert command.split()[1:] == ["experiments", "restore", "--experiment-id", number]
    client.restore_experiment(number)
    assert open_run(toy_experiment(tmp_path), tmp_path / "mine", {})


def test_a_file_that_cannot_be_a_store_is_told_with_what_to_do(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").write_bytes(b"no database at all, and longer than the header of one is" * 9)
    assert "it is no file): name a file" in str(refusal(tmp_path, f"sqlite:///{tmp_path / 'folder'}"))
    assert "is no folder): name a file" in str(refusal(tmp_path, f"sqlite:///{tmp_path / 'other' / 'x.db'}"))
    assert "not a database): restore a copy" in str(refusal(tmp_path, f"sqlite:///{tmp_path / 'other'}"))
    asked = tmp_path / "a?b"
    asked.mkdir()
    with pytest.raises(UserError, match=r"has a \? in its path"):
        open_run(toy_experiment(asked), asked / "mine", {})


def test_a_store_that_may_only_be_read_is_told_so_and_its_file_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MLflow takes such an address for a path, and makes its folders where it stands
    store_client(f"sqlite:///{tmp_path / 'mlflow.db'}").search_experiments()
    message = str(refusal(tmp_path, f"sqlite:///file:{tmp_path / 'mlflow.db'}?mode=ro&uri=true"))
    assert "(sqlite3.OperationalError) attempt to write a readonly database" in message
    assert "make it and its folder writable" in message
    assert "start the server" not in message


ORDINARY_USER = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)
ASK = "import sys; from pathlib import Path; from sem3d.tracking.answers import sqlite_trouble as a; print(a(Path(sys.argv[1])))"


def test_files_and_folders_without_the_right_to_write_are_found_before_mlflow_tries_them(tmp_path):
    (tmp_path / "mlflow.db").touch(mode=0o444)
    (tmp_path / "closed").mkdir(mode=0o555)
    for path in (tmp_path / "mlflow.db", tmp_path / "closed" / "mlflow.db"):
        command = [*ORDINARY_USER, sys.executable, "-c", ASK, str(path)]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no setpriv here that can take rights away")
        assert asked.stdout == "it cannot be written\n"


def test_a_store_that_another_process_holds_is_tried_again_later(tmp_path, monkeypatch):
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    store_client(store).search_experiments()
    holder = sqlite3.connect(tmp_path / "mlflow.db")
    holder.execute("begin exclusive")
    assert trouble.is_away(store) is False
    held = sqlite3.OperationalError("database is locked")
    assert isinstance(trouble.trouble(store, held), StoreAway)
    holder.close()
