"""Files of an index that are no longer what was written: refused by name, or one item of the quarantine."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sem3d.datasets.checked_files import mapped, read_item, read_rows, write_rows, write_shard
from sem3d.datasets.frame_pairs import FramePairs, pair_samples
from sem3d.datasets.objects.nmr import load_renders_index, load_view, load_views
from sem3d.datasets.objects.nmr_index import index_renders
from sem3d.datasets.scans.index import Index, PrepareConfig, load_index
from sem3d.datasets.scans.prepare import prepare
from sem3d.datasets.scans.schema import FRAME_SCHEMA, PAIR_SCHEMA
from sem3d.datasets.scans.surface import read_surface
from sem3d.datasets.voxel_matches import VoxelMatching, scene_voxels
from sem3d.errors import BadSample, UserError
from tests.datasets.objects.tiny_renders import CHAIR, write_tiny_renders
from tests.datasets.scans.official_files import write_seven_scenes

TABLES = ("frames.parquet", "pairs.parquet", "scenes.parquet")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("scans")
    write_seven_scenes(folder / "data" / "room", 6)
    return prepare(folder / "data", folder / "index", PrepareConfig())


@pytest.fixture
def copied(scans: Index, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scans.folder, tmp_path / "index"))


def flip(path: Path, place: float, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_one_other_bit_is_refused_by_name(copied: Path, name: str):
    for place in np.linspace(0, 1, 40):
        flip(copied / name, place)
        with pytest.raises(UserError, match=f"{name} is not what was written: prepare the index again"):
            load_index(copied)
        flip(copied / name, place)
    assert load_index(copied).pairs.num_rows


def test_a_table_that_another_program_wrote_is_another_one_even_with_the_same_rows(copied: Path):
    table = load_index(copied).frames
    poses = [[2 * number for number in pose] for pose in table["world_from_camera"].to_pylist()]
    place = table.schema.get_field_index("world_from_camera")
    field = table.schema.field(place)
    write_rows(copied / "frames.parquet", table.set_column(place, field, pa.array(poses, field.type)))
    with pytest.raises(UserError, match=r"frames\.parquet is not what was written"):
        load_index(copied)


def test_an_index_of_an_older_version_is_read_without_digests_and_its_pages_are_still_checked(copied: Path):
    content = json.loads((copied / "index.json").read_text())
    assert set(TABLES) < set(content.pop("files"))
    (copied / "index.json").write_text(json.dumps(content))
    index = load_index(copied)
    assert index.surface_digest(index.surface_path("room")) == ""
    assert scene_voxels(index, "room", VoxelMatching()).indices.shape[1] == 3
    found = 0
    for place in np.linspace(0.02, 0.2, 30):
        flip(copied / "frames.parquet", place)
        with suppress(UserError):
            found -= bool(load_index(copied))
        found += 1
        flip(copied / "frames.parquet", place)
    assert found


@pytest.mark.parametrize("row", [-1, 6, 1 << 30])
def test_a_pair_that_points_outside_is_refused_when_the_index_is_opened(copied: Path, row: int):
    rows = [{"scene": "room", "anchor": 0, "positive": row, "overlap": 0.5}]
    digest = write_rows(copied / "pairs.parquet", pa.Table.from_pylist(rows, PAIR_SCHEMA))
    content = json.loads((copied / "index.json").read_text())
    content["files"]["pairs.parquet"] = digest
    (copied / "index.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"pairs\.parquet names frames that are not there"):
        load_index(copied)


@pytest.mark.parametrize("change", [{"root": 3}, {"digest": None}, {"files": []}, {"config": "x"}, {"quarantine": 1}])
def test_an_index_json_of_other_types_is_one_line(copied: Path, change: dict):
    content = json.loads((copied / "index.json").read_text())
    (copied / "index.json").write_text(json.dumps(content | change))
    with pytest.raises(UserError, match=r"index\.json is damaged"):
        load_index(copied)


def test_a_surface_with_one_other_bit_is_one_unusable_sample(copied: Path):
    index = load_index(copied)
    surface = index.surface_path("room")
    assert surface is not None
    flip(surface, 0.5)
    with pytest.raises(BadSample, match=r"room\.parquet.*not what was written"):
        scene_voxels(index, "room", VoxelMatching(voxel_size=0.03))
    with pytest.raises(BadSample, match="unreadable surface"):
        read_surface(surface.with_name("none.parquet"))


def test_the_samples_of_an_index_do_not_carry_its_pairs_twice(scans: Index):
    config = FramePairs(root=str(scans.folder), height=30, width=40, matches=8)
    samples = pair_samples(config, "", 0, voxels=False, depth=False)
    for part in samples.values():
        assert part.load.index.pairs.num_rows == 0
    row = samples["train"].table.to_pylist()[0]
    assert samples["train"].load(row, np.random.default_rng(0))["image"].shape == (2, 3, 30, 40)
    assert samples["train"].described == scans.described


def test_errors_of_parquet_are_one_line(tmp_path: Path):
    path = tmp_path / "rows.parquet"
    for content in (b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"PAR1" + b"\xff" * 40 + b"\x10\0\0\0PAR1"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"cannot read .*rows\.parquet.*Prepare the index again") as error:
            read_rows(path, FRAME_SCHEMA)
        assert "\n" not in str(error.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="cannot read"):
        read_rows(path, FRAME_SCHEMA)


@pytest.fixture
def renders(tmp_path: Path):
    root = write_tiny_renders(tmp_path / "renders", {"train": 2, "val": 1, "test": 1})
    return index_renders(root, tmp_path / "storage")


def test_a_view_with_one_other_bit_is_one_unusable_sample_and_the_others_stay(renders):
    shard = renders.folder / f"{CHAIR}_train" / "images_00000.npy"
    header = shard.stat().st_size - 2 * 24 * 4 * 64 * 64
    content = bytearray(shard.read_bytes())
    content[header + 5 * 4 * 64 * 64 + 77] ^= 1
    shard.write_bytes(content)
    mapped.cache_clear()
    row = {"class": CHAIR, "split": "train", "object": 0, "view": 5}
    with pytest.raises(BadSample, match="not what was written"):
        load_view(renders.folder, row)
    with pytest.raises(BadSample, match="not what was written"):
        load_views(renders.folder, CHAIR, "train", 0, [4, 5])
    assert load_view(renders.folder, row | {"view": 4}).image.shape == (4, 64, 64)
    assert load_views(renders.folder, CHAIR, "train", 1).shape == (24, 4, 64, 64)
    voxels = shard.with_name("voxels_00000.npy")
    flip(voxels, 0.75)
    mapped.cache_clear()
    with pytest.raises(BadSample, match="not what was written"):
        load_view(renders.folder, row | {"object": 1, "view": 0})


@pytest.mark.parametrize("change", [{"class": "../x"}, {"class": ".."}, {"split": "a/b"}, {"view": 24}, {"object": -1}])
def test_rows_of_renders_that_lead_outside_are_refused(renders, change: dict):
    rows = [row | change for row in renders.table.to_pylist()[:2]]
    digest = write_rows(renders.folder / "rows.parquet", pa.Table.from_pylist(rows, renders.table.schema))
    with pytest.raises(UserError, match=r"rows\.parquet is not what was written"):
        load_renders_index(renders.folder)
    content = json.loads((renders.folder / "renders.json").read_text())
    content["files"]["rows.parquet"] = digest
    (renders.folder / "renders.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"rows\.parquet names views outside its folder"):
        load_renders_index(renders.folder)


def test_a_shard_of_an_older_version_is_read_unchecked(tmp_path: Path):
    items = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_shard(tmp_path / "new_00000.npy", items, 2)
    np.save(tmp_path / "old_00000.npy", items)
    for name in ("new", "old"):
        np.testing.assert_array_equal(read_item(tmp_path / f"{name}_00000.npy", (1, 2)), items[1, 2])
