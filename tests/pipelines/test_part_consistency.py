"""Agreement of part labels between views, and the sheet of the worst pictures."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sem3d.config import flatten, override
from sem3d.datasets.objects.sketch_files import write_depth
from sem3d.datasets.posed_rays import depth_of_view
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.part_labels import SAME_DEPTH
from sem3d.geometry.sphere_cameras import square_intrinsics
from sem3d.methods import method_class
from sem3d.pipelines.part_consistency import SeenFromManySides, add_object, objects_of, part_consistency
from sem3d.pipelines.part_sheet import BesideOptions, labelling
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.runs.checkpoint_files import write_checkpoint
from tests.methods.tiny import build_tiny, tiny_experiment
from tests.reference import view_scores
from tests.worlds.posed.small import write_chairs

NAMES = ("semantic_srn_parts", "semantic_srn_unet", "semantic_srn_autoencoder_parts")
LAST = {
    "semantic_srn_parts": "segmentation.0",
    "semantic_srn_unet": "unet.last",
    "semantic_srn_autoencoder_parts": "parts",
}


def run_of(name, posed, folder, change=lambda method: None, **changes) -> TrainedRun:
    """A run whose weights ``change`` has set."""
    experiment = tiny_experiment(name, posed, folder, data__evaluation_views=4, **changes)
    method = build_tiny(name, experiment, method_class(name).sources(experiment))
    with torch.no_grad():
        change(method)
    settings = json.loads(json.dumps(flatten(experiment), default=str))
    state = {"step": 1, "method": name, "counters": {}, "experiment": settings, "metrics": {}}
    write_checkpoint(folder / "step-00000001", method.state_dict(), {}, state)
    return TrainedRun(folder / "step-00000001", name, experiment)


def always(name: str, number: int):
    """Make a method say one class everywhere, a scene network with a surface of its own."""

    def change(method) -> None:
        last = method.get_submodule(LAST[name])
        last.weight.zero_()
        last.bias.zero_()
        last.bias[number] = 1.0
        if name == "semantic_srn_parts":
            solid_at_the_middle(method)

    return change


def solid_at_the_middle(method) -> None:
    """Rays end at depth 1.3, where the object is, everywhere."""
    method.scene.color[-1].bias[3] = 50.0
    method.scene.marcher.step_length.weight.zero_()
    method.scene.marcher.step_length.bias.fill_(1.25 / method.scene.marcher.steps)


def test_labels_that_are_the_same_everywhere_agree_and_miss_the_rest(posed, tmp_path):
    run = run_of("semantic_srn_parts", posed, tmp_path, always("semantic_srn_parts", 1))
    outcome = part_consistency(run, BesideOptions(run="r"))
    (row,) = outcome.tables[0].rows
    assert row["labels on own surface that agree (%)"] == 100
    assert row["of labels on own surface"] > 0
    assert "labels that agree (%)" not in row
    (line,) = outcome.lines
    assert line.startswith(
        "parts: 9 of 9 views are not compared by true depth: there is no depth/ beside test/object0/rgb/"
    )
    assert row["mIoU (%)"] == pytest.approx(
        100 * (18 / 144) / 3
    )  # 18 of 144 pixels are of class 1; three classes are there
    sheet = outcome.pictures["worst_parts"]
    assert sheet.shape[1] > 4 * 160
    assert sheet.std() > 5


def test_a_run_without_labels_is_refused(posed, tmp_path):
    run = run_of("semantic_srn", posed, tmp_path, method__segmentation_layers=0)
    with pytest.raises(UserError, match="labels no parts of views"):
        part_consistency(run, BesideOptions(run="runs/mine"))


@pytest.fixture(scope="module")
def chairs(tmp_path_factory):
    """Chairs whose test views have depth."""
    return write_chairs(tmp_path_factory.mktemp("chairs"))


@pytest.fixture
def networks(chairs, tmp_path):
    """A scene network, a U-Net and an auto-encoder, each of which says one class everywhere."""
    return [
        run_of(name, chairs, tmp_path / name, always(name, number), data__size=16, data__masks=2)
        for number, name in enumerate(NAMES, 1)
    ]


def test_scene_network_u_net_and_auto_encoder_stand_in_one_table(networks):
    options = BesideOptions(run="r", beside=tuple(str(run.folder) for run in networks[1:]))
    outcome = part_consistency(networks[0], options)
    table = outcome.tables[0]
    assert [row["labels of"] for row in table.rows] == ["parts", "unet", "autoencoder_parts"]
    assert [row["labels that agree (%)"] for row in table.rows] == [100.0, 100.0, 100.0]
    assert len({row["of labels"] for row in table.rows}) == 1
    assert len({row["true labels that agree (%)"] for row in table.rows}) == 1
    assert 60 < table.rows[0]["true labels that agree (%)"] < 100
    assert [name for name in table.columns if "surface" in name] == [
        "labels on own surface that agree (%)",
        "of labels on own surface",
    ]
    assert not outcome.lines


def test_labels_are_compared_where_the_true_depth_is_the_same(networks, chairs):
    """The pipeline's counts are those of a loop over the pixels of the files, of labels that differ from view to view."""
    run = networks[1]
    method, samples = labelling(run)
    asked = iter(range(100))

    def noise(batch):
        picked = np.random.default_rng(next(asked)).integers(0, 3, (len(batch.instance), 16, 16))
        return torch.from_numpy(picked)

    method.labelled = noise
    found, expected, parts = SeenFromManySides(), np.zeros(2, np.int64), np.zeros(2, np.int64)
    for number, (rows, batch) in enumerate(objects_of(samples)):
        add_object(found, method, samples, rows, batch)
        labels = np.random.default_rng(number).integers(0, 3, (len(rows), 16, 16))
        depth, poses = [], []
        for row in rows:
            path = chairs / row["pictures"][0].replace("/rgb/", "/depth/")
            depth.append(np.array(Image.open(path), np.float64) / 10_000)
            poses.append(np.loadtxt(path.parents[1] / "pose" / f"{path.stem}.txt").reshape(4, 4))
        loop = view_scores.agreeing_labels(labels, np.array(depth), np.array(poses), square_intrinsics(16), SAME_DEPTH)
        expected += loop
        loop = view_scores.agreeing_labels(
            labels, np.array(depth) * (labels > 0), np.array(poses), square_intrinsics(16), SAME_DEPTH
        )
        parts += loop
    np.testing.assert_array_equal(found.compared["labels"], expected)
    np.testing.assert_array_equal(found.compared["parts"], parts)
    assert 0 < expected[0] < 0.6 * expected[1]


def test_a_view_whose_depth_cannot_be_used_is_named_and_left_out(networks, chairs, tmp_path):
    data = tmp_path / "damaged"
    shutil.copytree(chairs, data)
    whole = part_consistency(networks[1], BesideOptions(run="r")).tables[0].rows[0]
    deepest = np.full((16, 16), 65535, np.uint16)
    Image.fromarray(deepest).save(data / "test" / "chair-test-00001" / "depth" / "000000.png")
    shutil.rmtree(data / "test" / "chair-test-00000" / "depth")
    damaged = replace(networks[1], experiment=override(networks[1].experiment, {"data.root": str(data)}))
    outcome = part_consistency(damaged, BesideOptions(run="r"))
    assert 0 < outcome.tables[0].rows[0]["of labels"] < whole["of labels"]
    (line,) = outcome.lines
    assert line.startswith("unet: 5 of 8 views are not compared by true depth: there is no depth/ beside")


def test_one_view_of_each_object_has_no_number_and_a_line_says_why(networks):
    one = replace(networks[1], experiment=override(networks[1].experiment, {"data.evaluation_views": 1}))
    outcome = part_consistency(one, BesideOptions(run="r"))
    assert outcome.tables[0].columns == ["labels of", "run", "mIoU (%)"]
    assert outcome.lines == ["unet: nothing is compared: no two of the views that are scored show the same point"]


def test_depth_is_the_nearest_of_the_middle_square_and_checked(chairs, tmp_path):
    folder = tmp_path / "test" / "one"
    source = chairs / "test" / "chair-test-00000"
    wide = np.array([[4.1, 0, 3], [0, 4.1, 2], [0, 0, 1]])
    row = {"pictures": ["test/one/rgb/000000.png"], "height": 4, "width": 6, "intrinsics": wide.ravel()}
    row["poses"] = np.loadtxt(source / "pose" / "000000.txt").ravel()
    assert depth_of_view(tmp_path, row, 0, 4) is None
    depth = np.zeros((4, 6), np.float32)
    depth[1:3, 2:4] = [[1.1, 1.2], [1.3, 1.4]]
    write_depth(folder, 0, depth)
    np.testing.assert_allclose(depth_of_view(tmp_path, row, 0, 4), depth[:, 1:5], atol=1e-4)
    np.testing.assert_allclose(depth_of_view(tmp_path, row, 0, 2), [[1.1, 0], [0, 0]], atol=1e-4)
    with pytest.raises(BadSample, match="another size: 6x4, the object's pictures are 5x4"):
        depth_of_view(tmp_path, row | {"width": 5}, 0, 4)
    write_depth(folder, 0, 3 * depth)
    with pytest.raises(BadSample, match=r"another unit or pose: it shows points 2\.\d+ from the middle"):
        depth_of_view(tmp_path, row, 0, 4)
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "depth" / "000000.png")
    with pytest.raises(BadSample, match="wrong kind of image"):
        depth_of_view(tmp_path, row, 0, 4)
