"""MATLAB files as SciPy writes them, and damaged ones."""

import io
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from sem3d.datasets.photos.mat_files import read_arrays
from sem3d.errors import BadSample


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8"])
def test_tables_of_every_type_are_read(tmp_path: Path, kind, packed):
    wanted = np.arange(12, dtype=kind).reshape(3, 4)
    others = {"text": "words", "cell": np.array([1, "a"], object), "s": {"a": 1}, "one": np.array([[2]], kind)}
    savemat(tmp_path / "a.mat", {"first": 1.5, "table": wanted, **others, "last": wanted.T}, do_compression=packed)
    found = read_arrays(tmp_path / "a.mat", "table", "last", "one", "absent")
    assert found.keys() == {"table", "last", "one"}
    np.testing.assert_array_equal(found["table"], wanted)
    np.testing.assert_array_equal(found["last"], wanted.T)
    assert found["one"] == 2


@pytest.mark.parametrize("value", ["words", 1j * np.ones((2, 2)), np.ones((2, 2, 2)), {"a": 1}])
def test_what_is_no_table_of_numbers_is_refused_by_name(tmp_path: Path, value):
    savemat(tmp_path / "a.mat", {"table": value})
    with pytest.raises(BadSample, match="table is no table of numbers"):
        read_arrays(tmp_path / "a.mat", "table")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_anywhere_is_damaged_or_lacks_the_table(tmp_path: Path, packed):
    written = io.BytesIO()
    savemat(written, {"table": np.ones((2, 10))}, do_compression=packed)
    path = tmp_path / "a.mat"
    for end in range(0, len(written.getvalue()), 3):
        path.write_bytes(written.getvalue()[:end])
        assert outcome(path) in ("MATLAB", {})


def outcome(path: Path) -> object:
    try:
        return read_arrays(path, "table")
    except BadSample as fault:
        return "MATLAB" if "MATLAB" in fault.reason else fault.reason


def test_files_of_version_7_3_say_how_to_save_them(tmp_path: Path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file, created by HDF5 schema 1.00 .".ljust(126) + b"IM")
    with pytest.raises(BadSample, match="-v7"):
        read_arrays(tmp_path / "a.mat", "table")
