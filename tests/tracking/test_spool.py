"""Records that wait for a tracking store, on a disk that was full or went away."""

import json
from pathlib import Path

import pytest

from sem3d.tracking.spool import RECORD, Spool, is_waiting

DAMAGED = (
    {"kind": "metrics", "pointr": [["loss", 0.5, 3, 3]]},
    {"kind": "metrics", "points": [["loss", 0.5, 3]]},
    {"kind": "metrics", "points": [["loss", 0.5, 3, 10**30]]},
    {"kind": "metrics", "points": [["loss", "0.5", 3, 3]]},
    {"kind": "metricr", "points": []},
    {"kind": ["tags"], "values": {}},
    {"kind": "tags", "values": {"a": 1}},
    {"kind": "status", "value": "FINISHEE"},
    {"kind": "value", "name": "a" * 300, "content": 1},
    {"kind": "value", "name": "a" * 250, "content": 1},
    {"kind": "value", "name": "/".join(["a" * 90] * 50), "content": 1},
    {"kind": "value", "content": 1},
    {"kind": "value", "name": ".", "content": 1},
    {"kind": "value", "name": "", "content": 1},
    {"kind": "value", "name": "evaluation/../../a.json", "content": 1},
    {"kind": "file", "folder": ""},
    {"kind": "file", "folder": "", "file": "gone.txt"},
    {"kind": "file", "folder": "weights", "file": "a" * 300},
)


@pytest.mark.parametrize(
    "content",
    [b"", b'{"kind": "ta', b"\0" * 30, b"[]", b'{"kind": "tags"}']
    + [json.dumps({"file": None} | record).encode() for record in DAMAGED],
)
def test_a_damaged_record_is_dropped_by_name_and_the_others_keep_their_order(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
):
    spool = Spool(tmp_path)
    for number in range(3):
        spool.add({"kind": "tags", "values": {"number": str(number)}})
    damaged = spool.entries[1]
    (damaged / RECORD).write_bytes(content)
    again = Spool(tmp_path)
    assert [record["values"]["number"] for _, record in again.waiting(10)] == ["0", "2"]
    assert not damaged.exists()
    assert str(damaged) in caplog.messages[0]
    again.remove(list(again.entries))
    assert not is_waiting(tmp_path)


def test_records_of_every_kind_are_read_as_they_were_written(tmp_path: Path):
    (tmp_path / "weights").write_text("weights")
    records = [
        {"kind": "metrics", "points": [["loss", value, 3, 3] for value in (0.5, 1e300, float("inf"))]},
        {"kind": "tags", "values": {"device": "cpu"}},
        {"kind": "status", "value": "KILLED"},
        {"kind": "value", "name": "evaluation/step-1/names.json", "content": {"a": [None]}},
        {"kind": "value", "name": "evaluation/note.json", "content": "see //a/../b,\n or nothing"},
        {"kind": "file", "folder": ""},
    ]
    spool = Spool(tmp_path / "waits")
    for record in records:
        spool.add(record, tmp_path / "weights" if record["kind"] == "file" else None)
    read = [record for _, record in Spool(tmp_path / "waits").waiting(10)]
    assert [{**record, "file": None} for record in read] == [{**record, "file": None} for record in records]
    assert read[-1]["file"].read_text() == "weights"


def test_strange_files_in_the_spool_are_no_records(tmp_path: Path):
    for name in ("._00000001-abcdef", "notes.txt", ".DS_Store"):
        (tmp_path / name).write_text("")
    spool = Spool(tmp_path)
    assert spool.is_empty()
    spool.add({"kind": "status", "value": "FINISHED"})
    assert spool.entries[0].name.startswith("00000001-")
