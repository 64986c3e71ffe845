"""The forms of an exported network: how each is written, and compared with what the other library makes of it."""

import logging
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sem3d.errors import UserError
from sem3d.networks.encoders import Encoder

TIMM_NAMES = {"efficientnet_lite0": "tf_efficientnet_lite0"}
CLOSE = 1e-5
"""Largest difference of outputs, of their largest value."""


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of a module's weights and statistics on the CPU; other state, such as labels that it made, is left out."""
    return {
        key: value.detach().cpu().clone() for key, value in module.state_dict().items() if isinstance(value, Tensor)
    }


def as_tuple(answer: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the outputs of a network, one or several."""
    return (answer,) if isinstance(answer, Tensor) else answer


def difference_of(found: tuple[Tensor, ...], meant: tuple[Tensor, ...], by: str) -> float:
    """Return the largest difference, by the largest value; raises :class:`UserError` above ``CLOSE``."""
    worst = max(
        float((one.double() - other.double()).abs().max() / other.double().abs().max().clamp(min=1e-30))
        for one, other in zip(found, meant, strict=True)
    )
    if not worst <= CLOSE:
        raise UserError(
            f"{by} gives other numbers, by {worst:.1e} of the largest: nothing is written; please report this"
        )
    return worst


def write_encoder(encoder: Encoder, library: Literal["torchvision", "timm"], path: Path) -> tuple[str, float]:
    """Write an encoder's weights under the names of a library; return that library's name of it and the difference."""
    state = weights_of(encoder)
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) - 0.5
    if library == "torchvision" and encoder.name.startswith("resnet"):
        import torchvision

        name, other = encoder.name, torchvision.models.get_model(encoder.name, weights=None)
        maps = [other.layer1, other.layer2, other.layer3, other.layer4]
        seen: list[Tensor] = []
        for layer in maps:
            layer.register_forward_hook(lambda _module, _given, made: seen.append(made))
        missing, unexpected = other.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(key.startswith("fc.") for key in missing)
        other.eval()(image)
        found = tuple(seen)
    elif library == "timm":
        timm = imported("timm")
        name = TIMM_NAMES.get(encoder.name, encoder.name)
        whole = timm.create_model(name, pretrained=False, num_classes=0)
        if encoder.name in TIMM_NAMES:
            state = renamed_in_order(encoder, whole)
        whole.load_state_dict(state, strict=False)
        other = timm.create_model(name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4))
        other.load_state_dict({key: value for key, value in state.items() if key in other.state_dict()})
        found = tuple(other.eval()(image))
    else:
        raise UserError(
            f"{library} has no {encoder.name}: --to timm has, --to onnx, torchscript and safetensors take any"
        )
    difference = difference_of(found, encoder.cpu().eval()(image), library)
    save_file(state, path, {"architecture": name, "library": library})
    return name, difference


def renamed_in_order(encoder: Encoder, whole: nn.Module) -> dict[str, Tensor]:
    """Return weights under the names of a network that computes the same layers in the same order, as far as it goes."""
    given, wanted = (
        [(name, module) for name, module in network.named_modules() if list(module.parameters(recurse=False))]
        for network in (encoder, whole)
    )
    state = {}
    for (_, ours), (name, _) in zip(given, wanted, strict=False):
        state |= {f"{name}.{key}": value for key, value in weights_of(ours).items()}
    return state


def imported(package: str) -> Any:
    """Import a package of the extra ``export``; raises :class:`UserError` where it is missing."""
    try:
        return import_module(package)
    except ImportError as error:
        raise UserError(
            f"{package} is not installed ({error}): pip install 'sem3d[export]', or -e '.[export]' here"
        ) from error


def write_torchscript(module: nn.Module, image: Tensor, _outputs: tuple[str, ...], path: Path) -> float:
    """Write a traced network; return the difference of what is loaded again, on other pictures."""
    other = image.flip(0, -1)[:1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes, which are meant to be fixed, and of the form, which users ask for
        traced = torch.jit.trace(module, image, check_trace=False)
        assert isinstance(traced, torch.jit.ScriptModule)
        traced.save(str(path))
        found = torch.jit.load(str(path))(other)
    return difference_of(as_tuple(found), as_tuple(module(other)), "TorchScript")


def write_onnx(module: nn.Module, image: Tensor, outputs: tuple[str, ...], path: Path) -> float:
    """Write a network as ONNX, any number of pictures; return the difference of onnxruntime on other pictures."""
    runtime, _ = imported("onnxruntime"), imported("onnxscript")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own calls of what PyTorch deprecates
        program = torch.onnx.export(
            module,
            (image,),
            dynamo=True,
            verbose=False,
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
        )
    assert program is not None
    program.save(str(path), external_data=False)
    other = image.flip(0, -1)[:1]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = tuple(torch.from_numpy(array) for array in session.run(None, {"image": other.numpy()}))
    return difference_of(found, as_tuple(module(other)), "onnxruntime")
