"""JSON that sem3d wrote: whole or absent, whatever happened to the disk."""

import json
import logging
import threading
from pathlib import Path

import pytest

from sem3d.errors import UserError
from sem3d.files import read_json, record_paths, stored_json, unfinished, write_json

DAMAGE = [b"", b"{", b'{"key": 1', b"\xff\xfe\x00", b"\0" * 40, b"[" * 200_000, b"[]", b"null", b'{"other": 1}']


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_record_counts_as_absent_and_is_said_in_one_line(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "sem3d.files"):
        assert stored_json(path, "key") is None
    (line,) = caplog.messages
    assert line.startswith(str(path))
    assert "\n" not in line


def test_an_absent_record_is_not_worth_a_line_and_a_whole_one_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert stored_json(tmp_path / "none.json", "key") is None
    assert stored_json(tmp_path / "none" / "none.json") is None
    write_json(tmp_path / "record.json", {"key": "Möbel"})
    assert stored_json(tmp_path / "record.json", "key") == {"key": "Möbel"}
    assert not caplog.messages


def test_json_that_the_user_names_must_be_there(tmp_path: Path):
    for content in DAMAGE[:6]:
        (tmp_path / "index.json").write_bytes(content)
        with pytest.raises(UserError, match=r"index\.json") as error:
            read_json(tmp_path / "index.json")
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="missing file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "index.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert read_json(tmp_path / "index.json") == {"a": 1}


def test_what_is_not_whole_has_a_name_that_no_reader_takes(tmp_path: Path):
    write_json(tmp_path / "b.json", {})
    write_json(tmp_path / "a.json", {})
    for name in (unfinished(tmp_path / "a.json").name, ".a.json", "._a.json", "notes.txt"):
        (tmp_path / name).write_text("{")
    assert [path.name for path in record_paths(tmp_path)] == ["a.json", "b.json"]
    assert record_paths(tmp_path / "none") == []


def test_many_writers_of_one_file_and_a_reader_disturb_each_other_never(tmp_path: Path):
    path, faults = tmp_path / "config.json", []
    write_json(path, {"writer": -1})

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_json(path, {"writer": number, "ballast": "x" * 20_000})
        except OSError as error:
            faults.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert "writer" in json.loads(path.read_text())
        assert len(record_paths(tmp_path)) == 1
    assert not faults
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]
