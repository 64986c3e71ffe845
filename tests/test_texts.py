"""Text as editors, shells and other systems leave it."""

import codecs
import os
from pathlib import Path

import pytest

from sem3d.errors import BadSample, UserError
from sem3d.texts import decode_any_text, decode_text, lines_of, read_sample_text, read_text

LINES = ["scene0000_00", "Möbel", "scene0001_00"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("last", [True, False])
def test_encodings_line_ends_and_the_last_line_mean_nothing(tmp_path: Path, end: str, encoding: str, last: bool):
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    path = tmp_path / "list.txt"
    path.write_bytes(mark + (end.join(LINES) + end * last).encode(encoding))
    assert lines_of(read_text(path)) == LINES
    assert lines_of(decode_any_text(path.read_bytes(), "list")) == LINES


def test_names_of_old_programs_are_latin_1_where_they_are_no_utf_8():
    assert decode_any_text("Möbel".encode("latin-1"), "x.mtl") == "Möbel"
    with pytest.raises(BadSample, match="NUL characters"):
        decode_any_text("scene".encode("utf-32"), "x.mtl")


def test_an_empty_text_has_no_lines():
    assert lines_of("") == []
    assert lines_of("a\n\n") == ["a", ""]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"scene\xff\xfe", "no UTF-8 text at byte 5: save it as UTF-8"),
        ("scene".encode("utf-16-le"), "NUL characters: save it as UTF-8"),
        (codecs.BOM_UTF16_LE + b"a", "no UTF-16 text"),
        ("scene".encode("utf-32"), "NUL characters"),
        (b"a\0b", "NUL characters"),
    ],
)
def test_bytes_that_are_no_text_are_one_line_with_the_file_and_the_remedy(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / "train.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as error:
        read_text(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    with pytest.raises(BadSample, match=words):
        read_sample_text(path)


def test_a_text_may_have_another_encoding_where_its_format_says_so():
    assert decode_text("Stühle\r\n".encode("latin-1"), "catalogue", fallback="latin-1") == "Stühle\n"
    assert decode_text("Stühle\r\n".encode("utf-8-sig"), "catalogue", fallback="latin-1") == "Stühle\n"


def test_only_regular_files_of_bounded_size_are_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_bytes(b"1 " * 100)
    for name, words in (
        ("pipe", "no regular file"),
        ("zeros", "no regular file"),
        ("folder", "no regular file"),
        ("loop", "cannot be read"),
        ("none", "missing file"),
        ("large/inside", "missing file"),
        ("n" * 300, "cannot be read: File name too long"),
        ("large", "too large: 200 bytes, at most 100"),
    ):
        with pytest.raises(BadSample, match=words):
            read_sample_text(tmp_path / name, largest=100)
