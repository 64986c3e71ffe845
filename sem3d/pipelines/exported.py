"""A trained network, or its image encoder, as a file for other libraries, which is opened with the other library and compared.

=============  =======================  ==========================================================================
form           part                     opened with
=============  =======================  ==========================================================================
torchvision    encoder, a ResNet        ``get_model(name).load_state_dict(load_file(FILE), strict=False)``
timm           encoder                  ``timm.create_model(name, features_only=...)``, ``load_state_dict``
safetensors    encoder or network       ``safetensors.torch.load_file``
torchscript    encoder or network       ``torch.jit.load``; pictures of the one size it was made at
onnx           encoder or network       ``onnxruntime.InferenceSession``; pictures of the one size it was made at
=============  =======================  ==========================================================================

torchscript and onnx take ``image``, (batch, channel, height, width), RGB of 8 bits, RGBA for meshes and parts; they normalise it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tyro.conf import Positional

from sem3d.bounds import Bounds
from sem3d.config import FilePath, StorageFolder, StoreAddress
from sem3d.datasets.objects.nmr import IMAGE_SHAPE
from sem3d.errors import UserError
from sem3d.files import whole_file
from sem3d.methods.method import GivesFeatures, GivesLabels, GivesMeshes, GivesParts
from sem3d.networks.encoders import Encoder
from sem3d.networks.image_normalisation import normalise_images
from sem3d.pipelines.export_forms import weights_of, write_encoder, write_onnx, write_torchscript
from sem3d.pipelines.loaded_model import Model
from sem3d.runs.checkpoint import CHECKPOINTS

Form = Literal["torchvision", "timm", "safetensors", "torchscript", "onnx"]
ENDINGS: dict[Form, str] = {
    "torchvision": ".safetensors",
    "timm": ".safetensors",
    "safetensors": ".safetensors",
    "torchscript": ".pt",
    "onnx": ".onnx",
}
MAKES = {
    "torchvision": 'torchvision.models.get_model("{name}")',
    "timm": 'timm.create_model("{name}", features_only=True)',
}
OPENS = 'network = {made}; network.load_state_dict(load_file("{path}"), strict=False)'
"""Python that opens an encoder: neither library's own loading takes a file without the layers behind the maps."""
BATCH = 2
OutSide = Annotated[int, Bounds(0, 4096)]


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of an export: the run, the form and the file."""

    run: Positional[str]
    """Run folder, one of its checkpoint folders, or models:/NAME@ALIAS or models:/NAME/VERSION."""
    to: Form
    """Form of the file: what opens it."""
    out: FilePath = ""
    """The file: .safetensors, .pt (torchscript) or .onnx; empty: a new one here, named for run, part and form."""
    part: Literal["", "encoder", "network"] = ""
    """encoder of images alone, or the whole network; empty: the encoder for torchvision and timm, else the network."""
    height: OutSide = 0
    """Height of the pictures that torchscript and onnx take, pixels; 0: that of training."""
    width: OutSide = 0
    """Width of the pictures that torchscript and onnx take, pixels; 0: that of training."""
    storage: Annotated[StorageFolder, tyro.conf.arg(name="run.storage")] = "runs"
    """Folder of the default MLflow store; registered models are kept there once fetched."""
    tracking_uri: Annotated[StoreAddress, tyro.conf.arg(name="run.tracking-uri")] = ""
    """MLflow server or store of registered models; empty: MLFLOW_TRACKING_URI, else a SQLite file in run.storage."""


class EncoderOfPictures(nn.Module):
    """The encoder behind its normalisation: pictures to maps at strides 4, 8, 16 and 32."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return four maps of RGB of 8 bits."""
        return self.encoder(normalise_images(image))


class NetworkOfPictures(nn.Module):
    """A method's network as a function of pictures alone."""

    def __init__(self, model: Model):
        super().__init__()
        self.network = model.network
        self.answer, self.outputs = answer_of(model)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return scores of classes, features, or vertices and faces, whichever the network ends with."""
        return self.answer(image)


def answer_of(model: Model) -> tuple[Callable[[Tensor], Tensor | tuple[Tensor, ...]], tuple[str, ...]]:
    """Return the network's function of pictures and the names of what it returns; raises :class:`UserError` without one."""
    if isinstance(model.network, GivesLabels):
        return model.network.pixel_scores, ("scores",)
    if isinstance(model.network, GivesParts):
        return model.network.part_scores, ("scores",)
    if isinstance(model.network, GivesMeshes):
        return model.network.surfaces, ("vertices", "faces")
    if isinstance(model.network, GivesFeatures):
        return model.network.image_features, ("features",)
    raise UserError(
        f"{model.folder} is a run of {model.method}: whole networks are exported that give features, classes or a mesh of a "
        "picture alone, and its does not; export its weights, --to safetensors"
    )


def export(model: Model, options: ExportOptions) -> list[str]:
    """Write the file and compare it with the network; return what is said of it.

    Raises :class:`UserError` for a part that the form cannot hold, a package that is missing, and outputs that differ by more
    than 1e-5 of their largest value, in which case there is no file.
    """
    part = options.part or ("encoder" if options.to in ("torchvision", "timm") else "network")
    path, ending = Path(options.out) if options.out else usual_path(model, part, options.to), ENDINGS[options.to]
    if path.suffix.lower() != ending:
        raise UserError(f"{path} must end in {ending}, which {options.to} is")
    if options.to in ("torchvision", "timm") and part == "network":
        raise UserError(f"{options.to} has no such network, only encoders: leave --part at encoder")
    module = encoder_of(model) if part == "encoder" else model.network
    with whole_file(path) as pending, torch.inference_mode():
        match options.to:
            case "torchvision" | "timm":
                assert isinstance(module, Encoder)
                name, difference = write_encoder(module, options.to, pending)
                opens = OPENS.format(made=MAKES[options.to].format(name=name), path=path.name)
                return [
                    f"encoder    {path}: {name} of {options.to}, differs by {difference:.1e}",
                    f"opened by  from safetensors.torch import load_file; {opens}",
                ]
            case "safetensors":
                state = weights_of(module)
                save_file(state, pending)
                if any(not torch.equal(value, state[key]) for key, value in load_file(pending).items()):
                    raise UserError(f"{path} does not hold what was written: is the disk full or damaged?")
                return [f"{part:<10} {path}: {len(state)} tensors"]
            case _:
                if part == "encoder":
                    shown, outputs = (
                        EncoderOfPictures(encoder_of(model)),
                        ("stride4", "stride8", "stride16", "stride32"),
                    )
                else:
                    shown = NetworkOfPictures(model)
                    outputs = shown.outputs
                image = example(model, options)
                write = write_onnx if options.to == "onnx" else write_torchscript
                difference = write(shown.eval(), image, outputs, pending)
                given = "x".join(str(length) for length in image.shape[1:])
                return [
                    f"{part:<10} {path}: image batch x {given} to {', '.join(outputs)}, differs by {difference:.1e}"
                ]


def usual_path(model: Model, part: str, form: Form) -> Path:
    """Return the place of a file that is not named; raises :class:`UserError` where something is there already."""
    folder = model.folder.resolve()
    run = f"{folder.parents[1].name}-{folder.name}" if folder.parent.name == CHECKPOINTS else folder.name
    path = Path.cwd() / f"{run}-{part}-{form}{ENDINGS[form]}"
    if path.exists():
        raise UserError(f"{path} is there already: name the file in --out")
    return path


def encoder_of(model: Model) -> Encoder:
    """Return the encoder of images; raises :class:`UserError` where the network has none of those that others know."""
    found = [module for module in model.network.modules() if isinstance(module, Encoder)]
    if len(found) != 1:
        raise UserError(
            f"{model.folder} is a run of {model.method}, which trains no image encoder that other libraries have"
        )
    return found[0]


def fixed(model: Model, options: ExportOptions, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of the only pictures that a network takes; raises :class:`UserError` where another size is asked for."""
    if options.height not in (0, shape[1]) or options.width not in (0, shape[2]):
        raise UserError(f"{model.method} takes pictures of {shape[1]} x {shape[2]} pixels: leave height and width out")
    return shape


def example(model: Model, options: ExportOptions) -> Tensor:
    """Return random pictures of the size that is asked for."""
    data = model.experiment.data
    if isinstance(model.network, GivesMeshes):
        shape = fixed(model, options, IMAGE_SHAPE[1:])
    elif isinstance(model.network, GivesParts):
        shape = fixed(model, options, (4, data.size, data.size))
    else:
        shape = (3, options.height or data.height, options.width or data.width)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (BATCH, *shape), generator=generator, dtype=torch.uint8)
