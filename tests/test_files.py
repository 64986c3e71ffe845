"""JSON that sem3d wrote: whole or absent, whatever happened to the disk."""

import fcntl
import json
import logging
import os
import threading
from pathlib import Path
from stat import S_IMODE

import pytest

from sem3d.errors import UserError
from sem3d.files import (
    MEGABYTE,
    WRITING,
    check_room,
    read_json,
    record_paths,
    replaced_folder,
    stored_json,
    unfinished,
    whole_file,
    whole_folder,
    write_json,
    writes_in,
)

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
    (tmp_path / "index.json").write_text('{"a": 1' + 400 * "0" + "}")
    with pytest.raises(UserError, match=r"index\.json is no JSON: a whole number of 401 digits"):
        read_json(tmp_path / "index.json")
    (tmp_path / "index.json").write_text(f'{{"a": {2**64 - 1}}}')
    assert read_json(tmp_path / "index.json") == {"a": 2**64 - 1}
    (tmp_path / "index.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert read_json(tmp_path / "index.json") == {"a": 1}


def test_a_file_is_readable_as_the_umask_says_whatever_wrote_it(tmp_path: Path):
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a") as pending:
            pending.unlink()
            pending.touch(0o600)
    finally:
        os.umask(before)
    assert S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


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


def test_a_disk_that_is_full_or_refuses_is_one_line_that_says_where(tmp_path: Path):
    with pytest.raises(UserError, match=rf"no room in {tmp_path}/run: \d+ MB are free; free some"):  # noqa: SIM117
        with writes_in(tmp_path / "run"), open("/dev/full", "wb") as full:
            full.write(b"0" * 100_000)
    with pytest.raises(UserError, match=r"55 MB are needed for a checkpoint, \d+ MB are free"):  # noqa: SIM117
        with writes_in(tmp_path, 54 * MEGABYTE + 1, "a checkpoint"), open("/dev/full", "wb") as full:
            full.write(b"0" * 100_000)
    (tmp_path / "file").write_text("")
    for write in (write_json, lambda path, _: whole_folder(path).__enter__()):
        with pytest.raises(
            UserError, match=r"file/record\.json cannot be written: (.*/file is no folder|Not a directory)"
        ):
            write(tmp_path / "file" / "record.json", {})
        with pytest.raises(UserError, match="cannot be written: File name too long"):
            write(tmp_path / ("n" * 300), {})
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(UserError, match="folder cannot be written: Is a directory"):
        write_json(tmp_path / "folder", {})
    with (
        pytest.raises(UserError, match="folder cannot be written: Directory not empty"),
        whole_folder(tmp_path / "folder"),
    ):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_what_is_no_refusal_to_write_passes(tmp_path: Path):
    for error in (
        ConnectionResetError(104, "reset"),
        TimeoutError(110, "timed out"),
        OSError("of a library"),
        OSError(5, "I/O"),
    ):
        with pytest.raises(type(error)) as met, writes_in(tmp_path):
            raise error
        assert met.value is error
    with pytest.raises(UserError, match=r"^/data/scan\.png: Permission denied$"), writes_in(tmp_path):
        raise PermissionError(13, "Permission denied", "/data/scan.png")


def test_room_is_asked_for_before_anything_is_written(tmp_path: Path):
    check_room(tmp_path / "not" / "yet" / "there", 1, "a checkpoint")
    with pytest.raises(
        UserError, match=rf"no room in {tmp_path}/run: {1 << 44} MB are needed for a checkpoint, \d+ MB are free"
    ):
        check_room(tmp_path / "run", 1 << 64, "a checkpoint")


def left_long_ago(path: Path) -> Path:
    os.utime(path, (1e9, 1e9))
    return path


def test_what_killed_writers_left_goes_with_the_next_write_and_nothing_else(tmp_path: Path):
    for name in (".a.json.0a1b2c3d", ".a.json.copy", ".b.json.0a1b2c3d", "a.json.0a1b2c3d"):
        (tmp_path / name).write_text("{")
        left_long_ago(tmp_path / name)
    (tmp_path / ".a.json.99999999").write_text("just begun")
    with (tmp_path / ".a.json.aaaaaaaa").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        left_long_ago(tmp_path / ".a.json.aaaaaaaa")
        write_json(tmp_path / "a.json", {})
    kept = {".a.json.99999999", ".a.json.aaaaaaaa", ".a.json.copy", ".b.json.0a1b2c3d", "a.json", "a.json.0a1b2c3d"}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_folders_that_killed_writers_left_go_and_those_of_living_ones_stay(tmp_path: Path):
    for name in (".idx.0a1b2c3d", ".idx.bbbbbbbb"):
        (tmp_path / name / "surface").mkdir(parents=True)
        (tmp_path / name / WRITING).touch()
        left_long_ago(tmp_path / name)
    with (tmp_path / ".idx.bbbbbbbb" / WRITING).open("a") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        with whole_folder(tmp_path / "idx") as place:
            (place / "table").write_text("rows")
    assert {path.name for path in tmp_path.iterdir()} == {".idx.bbbbbbbb", "idx"}
    assert [path.name for path in (tmp_path / "idx").iterdir()] == ["table"]


def test_a_folder_that_stands_is_never_taken_away_from_its_readers(tmp_path: Path):
    path, made = tmp_path / "model", []

    def fetch(number: int) -> None:
        with replaced_folder(path, lambda: (path / "whole").exists()) as place:
            (place / "whole").write_text(str(number))
            barrier.wait(10)
        made.append(path.stat().st_ino)

    barrier = threading.Barrier(6)
    fetchers = [threading.Thread(target=fetch, args=(number,)) for number in range(6)]
    for fetcher in fetchers:
        fetcher.start()
    for fetcher in fetchers:
        fetcher.join()
    assert len(made) == 6
    assert len(set(made)) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".locks", "model"]
