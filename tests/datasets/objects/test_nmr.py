import json
import os
import zipfile

import numpy as np
import pytest

from sem3d.datasets.objects.copied_renders import fingerprint, shared_objects
from sem3d.datasets.objects.nmr import (
    labelled_objects,
    load_renders_index,
    load_view,
    load_views,
    views_digest,
    views_of,
    with_objects,
)
from sem3d.datasets.objects.nmr_index import index_renders
from sem3d.datasets.objects.npz_stream import npz_items, write_npz
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.errors import BadSample, UserError

CHAIR = "03001627"


def write_split(root, split, count, seed=0, synset=CHAIR):
    """Random renders as NMR released them: savez_compressed under arr_0."""
    rng = np.random.default_rng([seed, count])
    images = rng.integers(1, 255, (count, 24, 4, 64, 64), dtype=np.uint8)
    voxels = rng.random((count, 32, 32, 32)) < 0.3
    np.savez_compressed(root / f"{synset}_{split}_images.npz", images)
    np.savez_compressed(root / f"{synset}_{split}_voxels.npz", voxels)
    return images, voxels


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    root = tmp_path_factory.mktemp("nmr")
    counts = {"train": 5, "val": 11, "test": 2}
    return root, {split: write_split(root, split, count) for split, count in counts.items()}


@pytest.fixture(scope="module")
def index(released, tmp_path_factory):
    return index_renders(released[0], tmp_path_factory.mktemp("storage"))


def test_a_view_comes_back_as_it_was_stored(released, index):
    for split, (images, voxels) in released[1].items():
        views = views_of(index, "chair", split)
        assert views.num_rows == 24 * len(images)
        for row in views.slice(30, 2).to_pylist():
            view = load_view(index.folder, row)
            np.testing.assert_array_equal(view.image, images[row["object"], row["view"]])
            np.testing.assert_array_equal(view.mask, images[row["object"], row["view"], 3])
            np.testing.assert_array_equal(view.voxels, voxels[row["object"]])
            assert row["azimuth"] == -15 * row["view"]
        np.testing.assert_array_equal(load_views(index.folder, CHAIR, split, 1), images[1])


def test_objects_lie_in_shards_of_256(monkeypatch, released, tmp_path):
    for module in ("nmr", "nmr_index"):
        monkeypatch.setattr(f"sem3d.datasets.objects.{module}.OBJECTS_PER_SHARD", 2)
    index = index_renders(released[0], tmp_path)
    shards = sorted(path.name for path in (index.folder / f"{CHAIR}_train").iterdir())
    names = [f"{kind}_0000{number}" for kind in ("images", "voxels") for number in range(3)]
    assert shards == [f"{name}{ending}" for name in names for ending in (".crc32.npy", ".npy")]
    view = load_view(index.folder, views_of(index, CHAIR, "train").slice(4 * 24 + 7, 1).to_pylist()[0])
    np.testing.assert_array_equal(view.image, released[1]["train"][0][4, 7])
    np.testing.assert_array_equal(view.voxels, released[1]["train"][1][4])


def test_the_released_protocol_cuts_the_val_file_and_never_opens_the_test_file(index):
    val, test = (views_of(index, "chair", split, "released") for split in ("val", "test"))
    assert set(val["object"].to_pylist()) == {0}
    assert set(test["object"].to_pylist()) == set(range(1, 11))
    assert set(val["split"].to_pylist()) == set(test["split"].to_pylist()) == {"val"}
    assert views_of(index, "chair", "test").num_rows == 48


def test_labelled_objects_are_nested_seeded_or_the_first(index):
    views = views_of(index, "chair", "val")
    draws = [labelled_objects(views, count, seed=3) for count in (2, 5, 11)]
    assert set(draws[0]) < set(draws[1]) < set(draws[2])
    assert draws[0] == labelled_objects(views, 2, seed=3)
    assert len({tuple(labelled_objects(views, 2, seed=seed)) for seed in range(8)}) > 3
    assert labelled_objects(views, 3, "first") == [0, 1, 2]
    assert labelled_objects(views, None) == list(range(11))
    rest = with_objects(views, draws[1], keep=False)
    assert with_objects(views, draws[1]).num_rows + rest.num_rows == views.num_rows
    assert views_digest(index, rest) != views_digest(index, views)


def test_more_labelled_objects_than_the_class_has_names_both_numbers(index):
    with pytest.raises(UserError, match=r"20 labelled objects .* has 5"):
        labelled_objects(views_of(index, "chair", "train"), 20)


def test_an_unknown_class_is_named_with_the_known_ones(index):
    with pytest.raises(UserError, match=r"no class 'lamp': it has 03001627 \(chair\)"):
        views_of(index, "lamp", "train")


@pytest.mark.parametrize("name", ["office_chair", "desk lamp", "Stühle (alt)", "test_images.npz"])
def test_a_class_may_be_named_as_the_folder_of_its_meshes(name, tmp_path):
    for seed, split in enumerate(("train", "test")):
        write_split(tmp_path, split, 1, seed, synset=name)
    index = index_renders(tmp_path, tmp_path / "runs")
    assert index.objects == {name: {"train": 1, "test": 1}}
    row = views_of(index, name, "test").slice(3, 1).to_pylist()[0]
    assert load_view(index.folder, row).voxels.any()


def test_unchanged_renders_are_found_again(released, index):
    assert index_renders(released[0], index.folder.parents[1]).folder == index.folder
    assert load_renders_index(index.folder).table.equals(index.table)


def test_names_that_are_listed_later_are_seen(tmp_path):
    write_split(tmp_path, "test", 2)
    assert set(index_renders(tmp_path, tmp_path / "runs").table["name"].to_pylist()) == {"00000", "00001"}
    (tmp_path / f"{CHAIR}_test_objects.txt").write_text("one\ntwo\n")
    assert set(index_renders(tmp_path, tmp_path / "runs").table["name"].to_pylist()) == {"one", "two"}


def test_empty_and_missing_masks_are_counted_and_the_rest_is_used(tmp_path):
    images, _ = write_split(tmp_path, "train", 3)
    images[1, 4, 3], images[2, 0, 3] = 0, 255
    np.savez_compressed(tmp_path / f"{CHAIR}_train_images.npz", images)
    index = index_renders(tmp_path, tmp_path / "runs")
    report = QuarantineReport.read(index.folder / "quarantine.json")
    assert report.counts() == {"empty mask": 1, "no alpha": 1}
    assert "object 1 (00001), view 4" in report.items[0].source
    assert index.table.num_rows == 70
    assert index_renders(tmp_path, tmp_path / "runs", check=True).counts() == report.counts()


def test_too_many_empty_masks_stop_and_are_named(tmp_path):
    images, _ = write_split(tmp_path, "train", 1)
    np.savez_compressed(tmp_path / f"{CHAIR}_train_images.npz", images * 0)
    with pytest.raises(UserError, match="24 of 24 items cannot be used"):
        index_renders(tmp_path, tmp_path / "runs")
    assert next((tmp_path / "runs" / "renders").iterdir()).name.endswith("quarantine.json")


def spoil_shape(root):
    np.savez_compressed(root / f"{CHAIR}_train_images.npz", np.zeros((2, 24, 4, 32, 32), np.uint8))


def spoil_alpha(root):
    np.savez_compressed(root / f"{CHAIR}_train_images.npz", np.zeros((2, 24, 3, 64, 64), np.uint8))


def spoil_dtype(root):
    np.savez_compressed(root / f"{CHAIR}_train_voxels.npz", np.zeros((2, 32, 32, 32), np.float32))


def spoil_count(root):
    np.savez_compressed(root / f"{CHAIR}_train_voxels.npz", np.zeros((3, 32, 32, 32), bool))


def spoil_pickle(root):
    np.savez_compressed(root / f"{CHAIR}_train_images.npz", np.array([{"a": 1}], dtype=object))


def spoil_key(root):
    np.savez_compressed(root / f"{CHAIR}_train_images.npz", images=np.zeros((2, 24, 4, 64, 64), np.uint8))


def spoil_tail(root):
    path = root / f"{CHAIR}_train_images.npz"
    path.write_bytes(path.read_bytes()[:5000])


def spoil_bytes(root):
    path = root / f"{CHAIR}_train_images.npz"
    content = bytearray(path.read_bytes())
    content[3000:3020] = bytes(20)
    path.write_bytes(bytes(content))


def spoil_length(root):
    path = root / f"{CHAIR}_train_images.npz"
    with zipfile.ZipFile(path) as archive:
        content = archive.read("arr_0.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", content[:-100])


def spoil_pair(root):
    (root / f"{CHAIR}_train_voxels.npz").unlink()


def spoil_names(root):
    (root / f"{CHAIR}_train_objects.txt").write_text("one\n")


def spoil_all(root):
    for path in root.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_shape, "is uint8 .*, not uint8"),
        (spoil_alpha, "no alpha channel"),
        (spoil_dtype, "float32"),
        (spoil_count, "has 2 objects but .* has 3"),
        (spoil_pickle, "pickled objects"),
        (spoil_key, "no array 'arr_0' but images.npy"),
        (spoil_tail, "truncated or damaged"),
        (spoil_bytes, "truncated or damaged"),
        (spoil_length, "entry 1 of 2 is cut short"),
        (spoil_pair, "has no .*_voxels.npz beside it"),
        (spoil_names, "names 1 objects"),
        (spoil_all, "no <synset>_<split>_images.npz"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_a_bad_file_is_one_clear_error_and_leaves_nothing_behind(spoil, words, check, tmp_path):
    root = tmp_path / "nmr"
    root.mkdir()
    write_split(root, "train", 2)
    spoil(root)
    with pytest.raises(UserError, match=words) as error:
        index_renders(root, tmp_path / "runs", check=check)
    assert "\n" not in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and root not in path.parents]


@pytest.mark.parametrize("count", [30_000_000, 10**12])
def test_an_array_that_announces_more_than_its_file_can_hold_is_refused_at_once(tmp_path, count):
    for kind, shape, dtype in (("images", (24, 4, 64, 64), np.uint8), ("voxels", (32, 32, 32), np.bool_)):
        with (
            zipfile.ZipFile(tmp_path / f"{CHAIR}_train_{kind}.npz", "w") as archive,
            archive.open("arr_0.npy", "w") as out,
        ):
            header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (count, *shape)}
            np.lib.format.write_array_header_1_0(out, header)
    with pytest.raises(UserError, match=r"announces .* bytes, .* and holds at most"):
        index_renders(tmp_path, tmp_path / "runs")


def test_masks_of_zero_and_one_are_refused_and_told_how_to_be_made_right(tmp_path):
    images, _ = write_split(tmp_path, "train", 2)
    images[:, :, 3] = images[:, :, 3] > 128
    np.savez_compressed(tmp_path / f"{CHAIR}_train_images.npz", images)
    for check in (False, True):
        with pytest.raises(UserError, match="no opaque mask: alpha is at most 1 of 255; multiply it by 255"):
            index_renders(tmp_path, tmp_path / "runs", check=check)


def test_black_renders_and_renders_before_a_bright_wall_are_noted(tmp_path):
    images = np.zeros((2, 24, 4, 64, 64), np.uint8)
    images[..., 16:48, 16:48] = 255
    images[0, :3, :3] = 1
    images[1, :5, :3] = 200
    np.savez_compressed(tmp_path / "02958343_train_images.npz", images)
    voxels = np.ones((2, 32, 32, 32), bool)
    voxels[:, 0] = False
    np.savez_compressed(tmp_path / "02958343_train_voxels.npz", voxels)
    report = index_renders(tmp_path, tmp_path / "runs", check=True)
    assert not report.items
    assert report.note_counts() == {
        "black render, a network sees nothing in it": 1,
        "background that is not black, multiply RGB by the mask": 1,
    }
    assert [note.reason.rpartition(": ")[2] for note in report.notes] == ["3 views", "5 views"]


def test_inverted_masks_are_refused_and_views_that_an_object_fills_are_not(tmp_path):
    images = np.zeros((2, 24, 4, 64, 64), np.uint8)
    images[..., 16:48, 16:48] = 255
    images[0, :, 3] = 255 - images[0, :, 3]
    images[0, 0, 3, 0, 0] = 0
    images[1, :17, 3] = 255
    images[1, :17, 3, 30:34, 30:34] = 0
    np.savez_compressed(tmp_path / "02958343_train_images.npz", images)
    np.savez_compressed(tmp_path / "02958343_train_voxels.npz", np.tri(32, dtype=bool) * np.ones((2, 32, 1, 1), bool))
    report = index_renders(tmp_path, tmp_path / "runs", check=True)
    assert report.counts() == {"inverted mask": 24}
    assert {item.source.partition(", view")[0] for item in report.items} == {
        "02958343_train_images.npz: object 0 (00000)"
    }


def test_inverted_voxels_are_in_quarantine_and_a_single_box_is_not(tmp_path):
    _, voxels = write_split(tmp_path, "train", 4)
    voxels = np.zeros_like(voxels)
    voxels[:, 8:24, 8:20, 6:20] = True
    for changed, counts in ((voxels[:1], {}), (voxels, {"inverted voxels": 96})):
        changed[:] = ~changed
        np.savez_compressed(tmp_path / f"{CHAIR}_train_voxels.npz", voxels)
        assert index_renders(tmp_path, tmp_path / "runs", check=True, quarantine_limit=1.0).counts() == counts
        changed[:1] = ~changed[:1]


def test_a_camera_that_has_not_turned_is_noted(tmp_path):
    images, _ = write_split(tmp_path, "train", 2)
    images[1] = images[1, :1]
    images[:, :, :3] = np.minimum(images[:, :, :3], images[:, :, 3:])
    np.savez_compressed(tmp_path / f"{CHAIR}_train_images.npz", images)
    report = index_renders(tmp_path, tmp_path / "runs", check=True)
    assert [note.reason for note in report.notes] == [
        "same picture from everywhere, the camera has not turned: 24 views"
    ]


def test_copies_of_a_file_in_two_splits_are_refused_and_objects_of_both_are_noted(tmp_path):
    images, voxels = write_split(tmp_path, "train", 3)
    np.savez(tmp_path / f"{CHAIR}_val_images.npz", images)
    np.savez(tmp_path / f"{CHAIR}_val_voxels.npz", voxels)
    with pytest.raises(UserError, match=r"val_images\.npz is a copy of .*train_images\.npz: held-out objects"):
        index_renders(tmp_path, tmp_path / "runs", check=True)
    images = images.copy()
    images[1] += 1
    np.savez(tmp_path / f"{CHAIR}_val_images.npz", images)
    report = index_renders(tmp_path, tmp_path / "runs", check=True, quarantine_limit=1.0)
    assert [(note.source, note.reason) for note in report.notes] == [
        (f"{CHAIR}_val_voxels.npz", f"a copy of another file: {CHAIR}_train_voxels.npz"),
        (f"{CHAIR}_val_images.npz", f"objects of another split: 2 of its 3 are also in {CHAIR}_train_images.npz"),
    ]


def test_objects_that_no_view_shows_are_copies_of_nothing():
    blank = np.zeros((24, 4, 64, 64), np.uint8)
    assert shared_objects({(CHAIR, "train"): [fingerprint(blank)], (CHAIR, "test"): [fingerprint(blank)]}) == []


@pytest.mark.parametrize("highest", [100, 127])
def test_masks_that_never_reach_the_top_are_refused_by_file(tmp_path, highest):
    images, _ = write_split(tmp_path, "train", 2)
    images[:, :, 3] = np.minimum(images[:, :, 3], highest)
    np.savez_compressed(tmp_path / f"{CHAIR}_train_images.npz", images)
    with pytest.raises(UserError, match=rf"_train_images\.npz: alpha is at most {highest} of 255 in all its images"):
        index_renders(tmp_path, tmp_path / "runs", check=True)


def test_voxels_that_are_all_solid_are_in_quarantine(tmp_path):
    _, voxels = write_split(tmp_path, "train", 3)
    voxels[1] = True
    np.savez_compressed(tmp_path / f"{CHAIR}_train_voxels.npz", voxels)
    assert index_renders(tmp_path, tmp_path / "runs", check=True).counts() == {"no voxel of it is empty": 24}


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_one_file_under_the_names_of_two_splits_is_refused(tmp_path, link):
    write_split(tmp_path, "train", 1)
    write_split(tmp_path, "test", 1)
    (tmp_path / f"{CHAIR}_test_images.npz").unlink()
    link(tmp_path / f"{CHAIR}_train_images.npz", tmp_path / f"{CHAIR}_test_images.npz")
    with pytest.raises(UserError, match=r"_images\.npz is another name of .*_images\.npz: remove one of them"):
        index_renders(tmp_path, tmp_path / "runs", check=True)


def test_a_pipe_in_the_place_of_an_archive_is_refused_at_once(tmp_path):
    write_split(tmp_path, "train", 1)
    (tmp_path / f"{CHAIR}_train_images.npz").unlink()
    os.mkfifo(tmp_path / f"{CHAIR}_train_images.npz")
    with pytest.raises(UserError, match="no regular file"):
        index_renders(tmp_path, tmp_path / "runs", check=True)


def test_an_object_without_a_voxel_is_in_quarantine_with_all_its_views(tmp_path):
    _, voxels = write_split(tmp_path, "train", 3)
    voxels[1] = False
    np.savez_compressed(tmp_path / f"{CHAIR}_train_voxels.npz", voxels)
    index = index_renders(tmp_path, tmp_path / "runs")
    assert sorted(set(index.table["object"].to_pylist())) == [0, 2]
    report = QuarantineReport.read(index.folder / "quarantine.json")
    assert report.counts() == {"no voxel of it is solid": 24}


def test_a_folder_with_other_content_is_not_overwritten(released, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="no index of renders"):
        index_renders(released[0], tmp_path, out=tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_an_index_of_another_version_or_none_is_refused(index, tmp_path):
    with pytest.raises(UserError, match="no index of renders"):
        load_renders_index(tmp_path)
    content = json.loads((index.folder / "renders.json").read_text()) | {"format": 99}
    (tmp_path / "renders.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="render format 99"):
        load_renders_index(tmp_path)


def test_a_lost_shard_is_one_bad_sample(index):
    row = index.table.slice(0, 1).to_pylist()[0] | {"object": 99_999}
    with pytest.raises(BadSample, match="cannot be read"):
        load_view(index.folder, row)


def test_streamed_npz_is_what_numpy_writes_and_reads(tmp_path):
    items = np.random.default_rng(0).integers(0, 255, (4, 3, 5), dtype=np.uint8)
    write_npz(tmp_path / "ours.npz", iter(items), items.shape, items.dtype)
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["arr_0"], items)
    np.savez_compressed(tmp_path / "theirs.npz", items)
    np.testing.assert_array_equal(np.stack(list(npz_items(tmp_path / "theirs.npz"))), items)
