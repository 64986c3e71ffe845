"""SSR by its commands, small: a sweep on generated shapes, its evaluations, a mesh of a picture, the paper's table."""

import re

import numpy as np
import pytest
import trimesh
from PIL import Image

from jobs import evaluate, predict, report, train, tune
from sem3d.datasets.objects.nmr import load_view
from sem3d.sweeps.records import read_trials
from sem3d.tracking.store import store_client
from tests.jobs.outcome import outcome

TINY = [
    "method.encoder.width=2",
    "method.encoder.hidden=8",
    "method.decoder.subdivisions=1",
    "method.decoder.hidden=8",
    "method.viewpoint.width=2",
    "method.viewpoint.dim=8",
    "data.evaluation_views=2",
    "schedule.steps=2",
    "run.batch_size=4",
]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_sweep_on_generated_shapes_can_be_evaluated_predicted_from_and_reported(
    ray_cluster, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def printed(main, *arguments):
        code, out, error = outcome(main, monkeypatch, capsys, *arguments)
        assert code == 0, error
        return out

    shapes = ["--shapes.objects", 6, "--arms", "softras", "ssr", "--budgets", 2, "inf", "--seeds", 1]
    text = printed(tune.main, "ssr", "--storage", tmp_path, "--probe-steps", 1, *shapes, "--set", *TINY)
    assert "rendered 6 objects" in text
    assert "probing ssr: 1 steps" in text
    assert "0 GPUs; estimate: " in text
    assert "models:/sem3d-ssr@champion" in text
    sweep = next((tmp_path / "sweeps").iterdir())
    trials = read_trials(sweep)
    expected = {("softras", 2.0), ("ssr", 2.0), ("softras", float("inf"))}
    assert {(trial.arm, trial.budget) for trial in trials} == expected
    assert all(0 <= trial.metrics["voxel_iou"] <= 1 for trial in trials)
    table = printed(report.main, sweep, "--published")
    assert [line.split()[:3] for line in table.splitlines() if " ours " in line] == [
        ["softras", "2", "ours"],
        ["ssr", "2", "ours"],
        ["softras", "all", "ours"],
    ]
    assert all(re.search(r"ours +shapes-\w+/renders", line) for line in table.splitlines() if " ours " in line)
    page = (sweep / "report" / "report.html").read_text()
    assert "all labelled objects" in page

    folder = trials[0].run_folder
    assert "voxel_iou" in printed(evaluate.main, folder)
    (meshes,) = tmp_path.glob("shapes-*/meshes")
    assert "chamfer" in printed(evaluate.main, "surfaces", folder, "--meshes", meshes)
    assert np.asarray(Image.open(f"{folder}/figures/surfaces.png")).std() > 5

    (index,) = (tmp_path / "renders").glob("[!.]*")
    row = {"class": "03001627", "split": "test", "object": 0, "view": 3}
    image = load_view(index, row).image.transpose(1, 2, 0)
    Image.fromarray(image).save(tmp_path / "chair.png")
    store = ["--storage", tmp_path, "--image", tmp_path / "chair.png", "--out", tmp_path / "chair.glb"]
    text = printed(predict.main, "ssr", *store)
    assert "42 vertices, 80 faces" in text
    assert "experiment sem3d-predictions, run mesh of chair" in text
    client = store_client(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (record,) = client.search_runs([client.get_experiment_by_name("sem3d-predictions").experiment_id])
    assert record.data.params["model"] == "models:/sem3d-ssr@champion"
    assert record.data.params["weights"].endswith(".safetensors")
    turntable = np.asarray(Image.open(client.download_artifacts(record.info.run_id, "turntable.png", str(tmp_path))))
    assert turntable.std() > 5
    assert np.array_equal(np.asarray(Image.open(tmp_path / "chair.turntable.png")), turntable)
    mesh = trimesh.load(tmp_path / "chair.glb", force="mesh")
    assert mesh.volume > 0


@pytest.mark.parametrize(
    ("main", "arguments", "words"),
    [
        (train.main, ["ssr", "--preset", "laptop"], "no data"),
        (
            train.main,
            ["ssr", "--preset", "laptop", "--data.root", "RENDERS", "--data.labelled", "99"],
            "has 9 to choose",
        ),
        (train.main, ["ssr", "--preset", "laptop", "--data.root", "RENDERS", "--data.category", "sofa"], "no class"),
        (report.main, [".", "."], "name one sweep"),
        (predict.main, ["ssr", "--image", "none.png", "--out", "x.glb"], "cannot be read"),
    ],
)
def test_a_mistake_is_one_line(main, arguments, words, renders, ray_cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    given = [str(renders) if word == "RENDERS" else word for word in arguments]
    storage = ["--run.storage", tmp_path] if main is train.main else []
    code, _, error = outcome(main, monkeypatch, capsys, *given, *storage)
    assert code == 2
    assert words in error
    assert error.count("\n") == 1
