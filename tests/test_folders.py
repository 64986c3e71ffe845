"""What is data in a folder and what is the system's."""

import time
from pathlib import Path

import pytest

from sem3d.errors import BadSample, UserError
from sem3d.folders import await_answer, entries, is_there, matching, root_entries


def test_files_of_operating_systems_are_never_data(tmp_path: Path):
    for name in ("._a.sens", ".DS_Store", "Thumbs.db", "desktop.ini", "a.sens", "B.SENS", "notes.txt"):
        (tmp_path / name).write_text("")
    for name in ("lost+found", "__MACOSX", ".Trashes", "$RECYCLE.BIN", "System Volume Information", "scans"):
        (tmp_path / name).mkdir()
    assert [path.name for path in entries(tmp_path)] == ["B.SENS", "a.sens", "notes.txt", "scans"]
    assert [path.name for path in matching(tmp_path, "*.sens")] == ["B.SENS", "a.sens"]


def test_a_folder_that_cannot_be_looked_into_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSample, match="unreadable folder: Not a directory"):
        entries(tmp_path / "file")
    with pytest.raises(UserError, match="name another one"):
        root_entries(tmp_path / "none")


def test_there_is_also_what_may_not_be_looked_at(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    assert [is_there(tmp_path / name) for name in ("file", "loop", "none", "file/inside")] == [True, True, False, False]


def test_a_file_system_that_is_away_is_not_waited_for(tmp_path):
    await_answer(tmp_path)
    await_answer(tmp_path / "none" / "below")
    with pytest.raises(UserError, match=f"^{tmp_path} does not answer within 0 s: mount"):
        await_answer(tmp_path, look=lambda path: time.sleep(2), seconds=0.1)
