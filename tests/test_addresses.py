"""Addresses with passwords: what is written down has none, what connects has all."""

import copy
import dataclasses
import json
import pickle

import pytest

from sem3d.addresses import StoreUri, without_secrets
from sem3d.config import RunConfig, flatten, override
from sem3d.runs.run_folder import identity
from sem3d.sweeps.records import SweepRecord, read_sweep, write_sweep
from tests.training.toy_method import toy_experiment

SECRET = [
    ("http://user:hunter2@host:5000", "http://host:5000", ("user", "hunter2")),
    ("https://hunter2@host/mlflow/", "https://host/mlflow/", ("hunter2", "")),
    ("http://u:hun%40ter2@[::1]:5000/x", "http://[::1]:5000/x", ("u", "hun@ter2")),
    ("http://u:hunter@hunter2@host:5000", "http://host:5000", ("u", "hunter@hunter2")),
    ("http://host:5000/?token=hunter2&x=1", "http://host:5000/?x=1", ("", "")),
    (
        "postgresql+psycopg2://u:hunter2@db:5432/x?sslmode=require",
        "postgresql+psycopg2://db:5432/x?sslmode=require",
        None,
    ),
    ("postgresql://db/x?user=u&password=hunter2", "postgresql://db/x?user=u", None),
    ("user:hunter2@host:5000", "host:5000", None),
    ("http://user:hun/ter2@host:5000", "http://host:5000", None),
    ("http://user:hun?ter2@host:5000", "http://host:5000", None),
    ("http://user:hun#ter2@host:5000", "http://host:5000", None),
    ("http://user:a@hunter2/b@host:5000", "http://host:5000", None),
]
PLAIN = [
    "",
    "http://127.0.0.1:5000",
    "https://host/mlflow/?x=1&x=2",
    "sqlite:////tmp/a@b:c/password=1/mlflow.db",
    "sqlite:///runs/mlflow.db",
    "file:///tmp/a@b",
    "/mnt/a:b/c@d",
    "databricks://profile",
    "postgresql://db:5432/x?options=a@b",
    "127.0.0.1:5000",
]


@pytest.mark.parametrize(("given", "bare", "login"), SECRET)
def test_an_address_is_written_without_its_secrets_and_connects_with_them(given: str, bare: str, login: tuple | None):
    uri = StoreUri(given)
    assert (str(uri), uri.whole) == (bare, given)
    for copied in (StoreUri(uri), pickle.loads(pickle.dumps(uri)), copy.deepcopy(uri)):
        assert (copied, copied.whole) == (bare, given)
    for written in (json.dumps({"x": uri}), repr(uri), f"{uri}", str(RunConfig(tracking_uri=given))):
        assert "hunter2" not in written
        assert "ter2" not in written
    if login is not None:
        assert uri.login == login


@pytest.mark.parametrize("uri", PLAIN)
def test_an_address_without_secrets_stays_as_it_is(uri: str):
    assert (StoreUri(uri), StoreUri(uri).whole, without_secrets(uri)) == (uri, uri, uri)


@pytest.mark.parametrize(
    "message",
    [
        "API request to http://user:hunter2@host:5/api failed",
        "Unrecognized options: --run.tracking-urii http://user:hun/ter2@host:5 (see ...)",
        "'http://hunter2@host'",
        "--x=user:hunter2@host:5000",
        "no store at postgresql://u:p@hunter2@db/x",
    ],
)
def test_messages_lose_the_users_and_passwords_of_addresses(message: str):
    assert "ter2" not in without_secrets(message)
    assert without_secrets(without_secrets(message)) == without_secrets(message)
    for harmless in ("at 12:30, a@b.org said x: see sqlite:////a@b:c", "postgresql://db:5432/x?options=a@b"):
        assert without_secrets(harmless) == harmless


def test_settings_and_records_of_a_sweep_hold_the_bare_address(tmp_path):
    experiment = toy_experiment(tmp_path, run={"tracking_uri": "http://user:hunter2@host:5000"})
    again = override(experiment, {"run.workers": 2})
    assert again.run.tracking_uri.whole == "http://user:hunter2@host:5000"
    assert flatten(again)["run.tracking_uri"] == "http://host:5000"
    assert identity(experiment) == identity(override(experiment, {"run.tracking_uri": ""}))
    settings = {"run.tracking_uri": "http://user:hunter2@host:5000"}
    asked = {"space": "pri3d", "metric": "x", "mode": "max", "arms": [], "budgets": [], "seeds": []}
    sweep = SweepRecord(name="one", **asked, settings=settings, tracking_uri="http://user:hunter2@host:5000")
    write_sweep(tmp_path, dataclasses.replace(sweep, status="FINISHED"))
    assert "hunter2" not in (tmp_path / "sweep.json").read_text()
    assert read_sweep(tmp_path).settings == {"run.tracking_uri": "http://host:5000"}
    assert sweep.tracking_uri.whole == "http://user:hunter2@host:5000"
