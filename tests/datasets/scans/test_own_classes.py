"""Label sets of a user's own: what a table may be, what its classes are called everywhere, and that data follow it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import sem3d
from jobs import train
from sem3d.config import flatten, override
from sem3d.datasets.labelled_frames import LabelledFrames, labelled_samples
from sem3d.datasets.scans.class_lists import SCANNET
from sem3d.datasets.scans.own_classes import OwnClasses, label_set_of
from sem3d.datasets.scene_clouds import SceneClouds, cloud_samples
from sem3d.errors import BadSample, UserError
from sem3d.methods.method import Found
from sem3d.runs.run_folder import ADDED_LATER, identity
from tests.datasets.scans.labelled_walls import TABLE, wall_labels, wall_points, write_labels, write_walls
from tests.datasets.scans.official_files import COLOR_SIZE, write_image
from tests.jobs.outcome import outcome
from tests.methods.tiny import build_tiny, tiny_checkpoint, tiny_experiment

LAMP = 200
CSV = f"id, name, color\n{LAMP}, lamp, #ffcc00\n{TABLE}, work bench, #0080ff\n"
OWN = {"ids": (LAMP, TABLE), "names": ("lamp", "work bench"), "colors": ("#ffcc00", "#0080ff")}


def table(folder: Path, text: str = CSV, name: str = "own.csv") -> str:
    """A file of classes."""
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_table_is_csv_or_json_and_is_part_of_the_settings(tmp_path):
    rows = [{"id": LAMP, "name": "lamp", "color": "#ffcc00"}, {"id": TABLE, "name": "work bench", "color": "#0080ff"}]
    files = [table(tmp_path), table(tmp_path, json.dumps(rows), "own.json")]
    for file in files:
        own = OwnClasses(file=file)
        Path(file).unlink()
        assert flatten(own) == OWN | {"file": file, "others": "ignored"}
        assert override(own, {"others": "refused", "file": "elsewhere"}).ids == own.ids  # nothing is read again
    classes = OwnClasses(**OWN).label_set
    assert classes is not None
    assert (classes.names, classes.ids) == (("ignored", "lamp", "work bench"), (0, LAMP, TABLE))
    assert classes.palette.tolist() == [[0, 0, 0], [255, 204, 0], [0, 128, 255]]
    plain = OwnClasses(ids=(1, 2, 3), names=("a", "b", "c")).label_set
    assert plain is not None
    assert len({tuple(one) for one in plain.palette.tolist()}) == 4


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("id,name\n3,a\n3,b\n", "t.csv", "two classes have the id 3"),
        ("id,name\n3,a\n4,a\n", "t.csv", "two classes have the name a"),
        ("id,name\n3,\n", "t.csv", "line 2: name is missing"),
        ("id,name\n3\n", "t.csv", "line 2: name is missing"),
        ("id,name\n3,ignored\n", "t.csv", "give it a word of its own"),
        ("id,name,color\n3,a,#1234zz\n", "t.csv", "a has the colour '#1234zz'"),
        ("id,name,color\n3,a,300 0 0\n", "t.csv", "a has the colour '300 0 0'"),
        ("id,name,color\n3,a,#000000\n4,b,\n", "t.csv", "line 3: color is missing"),
        ("id,name,rgb\n3,a,1\n", "t.csv", "unknown column rgb"),
        ("id,name\n3,a,b\n", "t.csv", "more cells than columns"),
        ("id,name\n", "t.csv", "has no class"),
        ("", "t.csv", "has no class"),
        ("id,name\n0,a\n", "t.csv", "a has the id 0"),
        ("id,name\n256,a\n", "t.csv", "a has the id 256"),
        ("id,name\n3.5,a\n", "t.csv", "id is 3.5"),
        ("id,name\n-3,a\n", "t.csv", "id is -3"),
        ('[{"id": 1}]', "t.json", "class 1: name is missing"),
        ('[{"id": true, "name": "a"}]', "t.json", "id is True"),
        ('{"1": "a"}', "t.json", "must be a list of classes"),
        ("[1]", "t.json", "must be a list of classes"),
        ("[", "t.json", "is no JSON"),
        ("id name\n", "t.txt", "must end in .csv or .json"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, text, name, said):
    with pytest.raises(UserError) as error:
        OwnClasses(file=table(tmp_path, text, name))
    assert said in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_table_ends_a_command_in_one_line(tmp_path, monkeypatch, capsys):
    words = ["semantic_segmentation_2d", "--data.root", tmp_path, "--data.labels.file", tmp_path / "absent.csv"]
    code, _, error = outcome(train.main, monkeypatch, capsys, *words)
    assert (code, error.count("\n")) == (2, 1)
    assert "absent.csv: missing file" in error


def test_settings_of_classes_that_do_not_belong_together_are_refused():
    with pytest.raises(UserError, match="2 ids, 1 names"):
        OwnClasses(ids=(1, 2), names=("a",))
    with pytest.raises(UserError, match="give one of them"):
        SceneClouds(classes="s3dis", labels=OwnClasses(**OWN))


@pytest.mark.parametrize("strict", [False, True])
def test_ids_become_numbers_and_others_are_ignored_or_refused(strict):
    classes = OwnClasses(**OWN, others="refused" if strict else "ignored").label_set
    assert classes is not None
    ids = np.random.default_rng(0).choice(np.array([0, TABLE, LAMP], np.uint8), (5, 7))
    naive = [[{0: 0, LAMP: 1, TABLE: 2}[int(one)] for one in row] for row in ids]
    assert classes.numbers(ids, "image").tolist() == naive
    ids[2, 3] = 90
    if strict:
        with pytest.raises(BadSample, match="ids 90"):
            classes.numbers(ids, "image")
    else:
        naive[2][3] = 0
        assert classes.numbers(ids, "image").tolist() == naive


def test_runs_with_classes_of_scannet_stay_the_same_runs(tmp_path):
    for name in ("semantic_segmentation_2d", "semantic_segmentation_3d"):
        experiment = tiny_experiment(name, tmp_path, tmp_path)
        assert label_set_of(experiment.data) is SCANNET
        assert not [leaf for leaf in identity(experiment) if leaf.startswith("data.labels")]
        assert {leaf for leaf in flatten(experiment) if leaf.startswith("data.labels.")} <= ADDED_LATER.keys()
        own = override(experiment, {f"data.labels.{part}": value for part, value in OWN.items()})
        assert identity(own)["data.labels.ids"] == [LAMP, TABLE]


def own_walls(folder: Path) -> Path:
    """Walls whose left half is lamps, with frames of which a quarter is; id 38 is none of the classes."""
    root = write_walls(folder)
    for scene in sorted(root.glob("scene*_00")):
        number = int(scene.name[5:9])
        points = wall_points() + np.float32(0.001 * number)
        ids = wall_labels(wall_points())
        write_labels(root, scene.name, points, np.where(ids == 5, LAMP, ids))
        label = np.full(COLOR_SIZE, TABLE, np.uint8)
        label[:, : COLOR_SIZE[1] // 4], label[-COLOR_SIZE[0] // 12 :] = LAMP, 38
        for color in (scene / "color").iterdir():
            write_image(scene / "label-filt" / f"{color.stem}.png", label)
    return root


def test_frames_and_points_are_labelled_by_the_table(tmp_path):
    root, own = str(own_walls(tmp_path / "data")), OwnClasses(file=table(tmp_path))
    frames = labelled_samples(LabelledFrames(root=root, labels=own, height=24, width=32), str(tmp_path))
    usual = labelled_samples(LabelledFrames(root=root, height=24, width=32), str(tmp_path))
    assert frames["val"].digest != usual["val"].digest
    row = frames["val"].table.to_pylist()[0]
    label = frames["val"].load(row, np.random.default_rng(0))["label"]
    counts = np.bincount(label.ravel(), minlength=3) / label.size
    assert 0 < counts[0] < 0.1
    assert counts[1] / counts[2] == pytest.approx(1 / 3, rel=0.1)
    with pytest.raises(BadSample, match=f"ids {LAMP}"):
        usual["val"].load(row, np.random.default_rng(0))
    refused = override(frames["val"].load.config, {"labels.others": "refused"})
    strict = labelled_samples(refused, str(tmp_path))["val"]
    with pytest.raises(BadSample, match="ids 38"):
        strict.load(row, np.random.default_rng(0))
    clouds = cloud_samples(SceneClouds(root=root, labels=own, voxel_size=0.1), str(tmp_path))["val"]
    labels = clouds.load(clouds.table.to_pylist()[0], np.random.default_rng(0))["point_label"]
    expected = {5: 1, TABLE: 2, 38: 0}
    assert labels.tolist() == [expected[int(one)] for one in wall_labels(wall_points())]


@pytest.mark.parametrize("name", ["semantic_segmentation_2d", "semantic_segmentation_3d"])
def test_networks_tables_and_predictions_have_the_classes_of_the_table(tmp_path, name):
    given = {f"data__labels__{part}": value for part, value in OWN.items()}
    method = build_tiny(name, tiny_experiment(name, tmp_path, tmp_path, **given))
    assert method.artifacts(Found({"confusion": torch.eye(3)}))["confusion"]["names"] == ["ignored", *OWN["names"]]
    checkpoint, _ = tiny_checkpoint(name, tmp_path / "run", **given)
    model = sem3d.load(checkpoint)
    assert model.classes == ("ignored", *OWN["names"])
    assert label_set_of(model.experiment.data).ids == (0, LAMP, TABLE)  # what predictions are written as
