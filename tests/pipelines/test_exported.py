"""Networks as files for other libraries: each is opened with the other library, and gives the same numbers."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file

import sem3d
from jobs import export as job
from sem3d.errors import UserError
from sem3d.pipelines import export_forms
from sem3d.pipelines.export_forms import difference_of
from sem3d.pipelines.exported import ExportOptions, export
from sem3d.pipelines.loaded_model import Model
from tests.jobs.outcome import outcome
from tests.methods.tiny import tiny_checkpoint


@pytest.fixture(scope="module", params=["efficientnet_lite0", "resnet18"])
def pri3d(request, tmp_path_factory) -> Model:
    """A network of pictures, with either kind of encoder, whose statistics are not those of a new one."""
    folder = tmp_path_factory.mktemp(request.param)
    model = sem3d.load(tiny_checkpoint("pri3d", folder, method__unet__encoder=request.param)[0])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in model.network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                value.add_(0.1 * torch.rand(value.shape, generator=generator))
    return model


def options(model: Model, form: str, out: Path, **more: object) -> ExportOptions:
    """Options of the export of a model."""
    return ExportOptions(run=str(model.folder), to=form, out=str(out), **more)


def test_timm_opens_the_encoder(pri3d, tmp_path):
    said = export(pri3d, options(pri3d, "timm", tmp_path / "a.safetensors"))
    name = {"efficientnet_lite0": "tf_efficientnet_lite0"}.get(pri3d.network.unet.encoder.name, "resnet18")
    network = timm.create_model(name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4)).eval()
    given = load_file(tmp_path / "a.safetensors")
    network.load_state_dict({key: value for key, value in given.items() if key in network.state_dict()})
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(tuple(network(image)), pri3d.network.unet.encoder(image), rtol=1e-5, atol=1e-5)
    assert_printed_python_opens(said[-1], name, tmp_path, network)


def assert_printed_python_opens(line: str, name: str, folder: Path, network: torch.nn.Module) -> None:
    """Run the Python that an export prints, where the file lies, and compare the weights."""
    label, _, program = line.partition("  ")
    assert label == "opened by"
    assert f'"{name}"' in program
    found: dict = {"timm": timm, "torchvision": torchvision}
    with contextlib.chdir(folder):
        exec(program.strip(), found)
    state = found["network"].state_dict()
    assert all(
        torch.equal(state[key], value) for key, value in network.state_dict().items() if not key.startswith("fc.")
    )


def test_torchvision_opens_a_resnet_and_has_no_other(pri3d, tmp_path):
    asked = options(pri3d, "torchvision", tmp_path / "a.safetensors")
    if pri3d.network.unet.encoder.name != "resnet18":
        with pytest.raises(UserError, match="torchvision has no efficientnet_lite0: --to timm has"):
            export(pri3d, asked)
        assert not (tmp_path / "a.safetensors").exists()
        return
    said = export(pri3d, asked)
    network = torchvision.models.resnet18(weights=None).eval()
    network.load_state_dict(load_file(tmp_path / "a.safetensors"), strict=False)
    image = torch.randn(1, 3, 64, 64)
    whole = torch.nn.Sequential(*list(network.children())[:-2])
    with torch.no_grad():
        torch.testing.assert_close(whole(image), pri3d.network.unet.encoder(image)[3])
    assert_printed_python_opens(said[-1], "resnet18", tmp_path, network)


def test_weights_are_those_of_the_network(pri3d, tmp_path):
    export(pri3d, options(pri3d, "safetensors", tmp_path / "a.safetensors", part="encoder"))
    found = load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(found[key], value) for key, value in pri3d.network.unet.encoder.state_dict().items())


SCORING = ("semantic_segmentation_2d", "semantic_srn_unet")
"""Methods whose networks score the classes of pixels."""


@pytest.fixture(scope="module")
def traced(tmp_path_factory) -> Path:
    """Networks of both kinds as TorchScript and ONNX, made without the hook that checks types, which tracing does not bear."""
    folder = tmp_path_factory.mktemp("traced")
    for name in ("pri3d", "ssr", *SCORING):
        (folder / name).mkdir()
        tiny_checkpoint(name, folder / name)
    program = (
        "import sem3d; from sem3d.pipelines.exported import ExportOptions, export\n"
        f"for name in ('pri3d', 'ssr', *{SCORING}):\n"
        "    model = sem3d.load(f'{name}/step-00000001')\n"
        "    for form, ending in (('torchscript', 'pt'), ('onnx', 'onnx')):\n"
        "        print(export(model, ExportOptions(run='', to=form, out=f'{name}.{ending}')))\n"
    )
    places = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=folder, env=places, check=True)
    return folder


def test_onnxruntime_and_torchscript_give_the_same_features(traced):
    picture = np.random.default_rng(0).integers(0, 256, (33, 44, 3), dtype=np.uint8)
    expected = sem3d.load(traced / "pri3d" / "step-00000001").features(picture)
    image = picture.transpose(2, 0, 1)[None]
    session = onnxruntime.InferenceSession(traced / "pri3d.onnx")
    np.testing.assert_allclose(session.run(["features"], {"image": image})[0][0], expected, rtol=1e-5, atol=1e-6)
    with pytest.warns(DeprecationWarning, match="torch.jit.load"):
        network = torch.jit.load(traced / "pri3d.pt")
    np.testing.assert_allclose(network(torch.tensor(image))[0].detach(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "channels", "size"), [(SCORING[0], 3, (33, 44)), (SCORING[1], 4, (12, 12))])
def test_onnxruntime_and_torchscript_give_the_same_scores(traced, name, channels, size):
    image = np.random.default_rng(0).integers(0, 256, (1, channels, *size), dtype=np.uint8)
    network = sem3d.load(traced / name / "step-00000001").network
    with torch.no_grad():
        expected = (network.pixel_scores if channels == 3 else network.part_scores)(torch.tensor(image))
    session = onnxruntime.InferenceSession(traced / f"{name}.onnx")
    np.testing.assert_allclose(session.run(["scores"], {"image": image})[0], expected, rtol=1e-5, atol=1e-5)
    with pytest.warns(DeprecationWarning, match="torch.jit.load"):
        opened = torch.jit.load(traced / f"{name}.pt")
    np.testing.assert_allclose(opened(torch.tensor(image)).detach(), expected, rtol=1e-5, atol=1e-5)


def test_onnxruntime_gives_the_mesh_of_any_number_of_pictures(traced):
    cut = np.zeros((3, 64, 64, 4), np.uint8)
    cut[:, 16:48, 20:44] = (200, 120, 40, 255)
    expected = sem3d.load(traced / "ssr" / "step-00000001").mesh(cut[0])
    session = onnxruntime.InferenceSession(traced / "ssr.onnx")
    vertices, faces = session.run(["vertices", "faces"], {"image": cut.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(vertices[2], expected.vertices, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(faces, expected.faces)


def test_a_form_that_has_no_such_network_is_refused(tmp_path):
    model = sem3d.load(tiny_checkpoint("ssr", tmp_path)[0])
    with pytest.raises(UserError, match="trains no image encoder"):
        export(model, options(model, "timm", tmp_path / "a.safetensors"))
    with pytest.raises(UserError, match="takes pictures of 64 x 64 pixels"):
        export(model, options(model, "onnx", tmp_path / "a.onnx", height=32))


def test_a_network_of_points_has_weights_only(tmp_path):
    model = sem3d.load(tiny_checkpoint("semantic_segmentation_3d", tmp_path)[0])
    with pytest.raises(UserError, match="its does not; export its weights, --to safetensors"):
        export(model, options(model, "onnx", tmp_path / "a.onnx"))
    export(model, options(model, "safetensors", tmp_path / "a.safetensors"))
    assert set(load_file(tmp_path / "a.safetensors")) == set(model.network.state_dict())


def test_other_numbers_leave_no_file(tmp_path, monkeypatch):
    model = sem3d.load(tiny_checkpoint("pri3d", tmp_path)[0])
    right = export_forms.weights_of
    monkeypatch.setattr(
        export_forms, "weights_of", lambda module: {key: value * 2 for key, value in right(module).items()}
    )
    with pytest.raises(UserError, match="timm gives other numbers"):
        export(model, options(model, "timm", tmp_path / "a.safetensors"))
    assert not list(tmp_path.glob("a.*"))


def test_numbers_that_are_none_are_not_the_same():
    with pytest.raises(UserError, match="other numbers"):
        difference_of((torch.tensor([float("nan")]),), (torch.tensor([1.0]),), "x")


def test_the_command_says_what_it_wrote(tmp_path, monkeypatch, capsys):
    checkpoint, _ = tiny_checkpoint("pri3d", tmp_path)
    words = [checkpoint, "--to", "safetensors", "--out", tmp_path / "a.safetensors"]
    code, said, _ = outcome(job.main, monkeypatch, capsys, *words)
    assert code == 0
    assert f"network    {tmp_path / 'a.safetensors'}" in said
    monkeypatch.chdir(tmp_path)
    words = [checkpoint, "--to", "safetensors"]
    code, said, _ = outcome(job.main, monkeypatch, capsys, *words)
    assert code == 0
    assert f"network    {tmp_path / 'step-00000001-network-safetensors.safetensors'}" in said
    code, _, told = outcome(job.main, monkeypatch, capsys, *words)
    assert code == 2
    assert "is there already: name the file in --out" in told
    code, _, told = outcome(job.main, monkeypatch, capsys, checkpoint, "--to", "onnx", "--out", tmp_path / "a.pt")
    assert code == 2
    assert "must end in .onnx" in told
