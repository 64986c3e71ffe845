"""Starting a method from another method's checkpoint, part by part and strictly."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sem3d.errors import UserError
from sem3d.networks.encoders import Encoder
from sem3d.networks.initial_weights import load_encoder

EMBEDDING = {"unet.last.weight", "unet.last.bias"}
"""The layer whose outputs pretraining compares."""


def start_image_network(method: nn.Module, source: str, without: tuple[str, ...] = ()) -> str:
    """Load the 2D network ``method.unet``; return a line on what is loaded, left out and new.

    ``scratch``, ``imagenet`` and published weights files are about its encoder; the weights file of a sem3d checkpoint
    gives every part that both have, ``unet`` at least, but for those in ``without``, and for the 1x1 layer that a classifier
    has taken the place of in ``method``. Raises :class:`UserError` where a source is missing or does not fit.
    """
    path = Path(source)
    if path.suffix == ".safetensors" and path.is_file():
        stored = read_safetensors(path)
        if "unet" in parts(stored):
            replaced = set() if method.state_dict().keys() >= EMBEDDING else EMBEDDING & stored.keys()
            kept = {name: value for name, value in stored.items() if name not in replaced}
            line = load_parts(method, kept, source, without)
            return f"{line}; unet.last gives way to a classifier" if replaced else line
    refuse_without(source, without)
    encoder = method.get_submodule("unet.encoder")
    assert isinstance(encoder, Encoder)
    return load_encoder(encoder, source, method)


def start_point_network(method: nn.Module, source: str, without: tuple[str, ...] = (), remark: str = "") -> str:
    """Start a method with a 3D network from nothing, or from every part that it and a sem3d checkpoint share; return a line.

    Raises :class:`UserError`, with ``remark`` at its end, for a source that has no weights of a 3D network.
    """
    if source.endswith(".safetensors") and Path(source).is_file():
        return load_parts(method, read_safetensors(Path(source)), source, without)
    refuse_without(source, without)
    if source != "scratch":
        raise UserError(f"init {source} has no weights of a 3D network: give scratch or a run of sem3d{remark}")
    return "3D network: random weights"


def own_weights(source: str, without: tuple[str, ...], starts: str) -> dict[str, Tensor] | None:
    """Return the weights of a sem3d checkpoint, or nothing for scratch.

    Raises :class:`UserError`, which says with ``starts`` what the method starts from, for any other source.
    """
    if source.endswith(".safetensors"):
        return read_safetensors(Path(source))
    refuse_without(source, without)
    if source != "scratch":
        raise UserError(f"--init {source}: {starts}")
    return None


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return tensors of a file by name; raises :class:`UserError` where it is damaged or cannot be read."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged: {' '.join(str(error).split())}") from error


def refuse_without(source: str, without: tuple[str, ...]) -> None:
    """Raise :class:`UserError` if parts are to be left out of a source that has no parts."""
    if without:
        raise UserError(f"init_without {' '.join(without)}: {source} is no checkpoint of sem3d, whose parts have names")


def load_parts(method: nn.Module, stored: dict[str, Tensor], source: str, without: tuple[str, ...] = ()) -> str:
    """Load the parts (direct children) that ``stored`` shares with ``method``; return what is loaded, new, left out.

    A part is taken whole or not at all; those in ``without`` stay as they are. Raises :class:`UserError` where a shared part
    differs in any name or shape, and for a part in ``without`` that ``stored`` does not have.
    """
    if unknown := sorted(set(without) - parts(stored)):
        raise UserError(f"init_without {unknown[0]}: {source} has the parts {', '.join(sorted(parts(stored)))}")
    whole = method.state_dict()
    own = {
        name: value for name, value in whole.items() if isinstance(value, Tensor)
    }  # that of a frozen part is no tensor
    shared = parts(own) & parts(stored) - set(without)
    if not shared:
        raise UserError(
            f"{source} shares no part with this method: it has {', '.join(sorted(parts(stored)))}, this method "
            f"{', '.join(sorted(parts(own)))}; choose another init"
        )
    for name in sorted({name for name in (*own, *stored) if part_of(name) in shared}):
        fault = difference(name, own, stored)
        if fault:
            raise UserError(f"{source} does not fit this method at {name}: {fault}; give the settings it was made with")
    method.load_state_dict(whole | {name: value for name, value in stored.items() if part_of(name) in shared})
    counts = Counter(part_of(name) for name in stored)
    report = [f"loaded {', '.join(f'{part} ({counts[part]} tensors)' for part in sorted(shared))} from {source}"]
    report += listed("new", parts(own) - shared) + listed("left out", parts(stored) - shared)
    return "; ".join(report)


def part_of(name: str) -> str:
    """Return the direct child that a tensor belongs to."""
    return name.partition(".")[0]


def parts(names: Iterable[str]) -> set[str]:
    """Return the direct children that tensors belong to."""
    return {part_of(name) for name in names}


def difference(name: str, own: dict[str, Tensor], stored: dict[str, Tensor]) -> str:
    """Return what keeps one tensor from being loaded, or nothing."""
    if name not in stored:
        return "missing there"
    if name not in own:
        return "unknown here"
    if own[name].shape != stored[name].shape:
        return f"shape {tuple(stored[name].shape)} there, {tuple(own[name].shape)} here"
    return ""


def listed(what: str, names: set[str]) -> list[str]:
    """Return one clause of the report, if there is anything to say."""
    return [f"{what}: {', '.join(sorted(names))}"] if names else []
