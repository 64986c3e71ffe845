"""Records that wait for a tracking store, on a disk that was full or went away."""

from pathlib import Path

import pytest

from sem3d.tracking.spool import RECORD, Spool, is_waiting


@pytest.mark.parametrize("content", [b"", b'{"kind": "ta', b"\0" * 30, b"[]", b'{"kind": "tags"}'])
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


def test_strange_files_in_the_spool_are_no_records(tmp_path: Path):
    for name in ("._00000001-abcdef", "notes.txt", ".DS_Store"):
        (tmp_path / name).write_text("")
    spool = Spool(tmp_path)
    assert spool.is_empty()
    spool.add({"kind": "status", "value": "FINISHED"})
    assert spool.entries[0].name.startswith("00000001-")
