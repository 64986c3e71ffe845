"""Numbers without meaning are refused by the name of their setting, before anything begins."""

from dataclasses import dataclass
from math import inf, nan

import pytest

from sem3d.bounds import Bounds, Share, check_bounds, numbers_of
from sem3d.config import Experiment, flatten, override
from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class

NEVER = (-1.0, -1e-300, -inf, inf, nan)
EXTREME = (0.0, 1e-300, 1e-9, 0.5, 1.0, 1.5, 1e30, 1.7e308)
COUNTS = (0, 1, 2, 3, 1000, 2**31, 2**63, 10**30)
WHOLE = [
    "run.batch_size", "run.log_every", "run.checkpoint_every", "run.keep", "optim.accumulate", "schedule.gamma_every",
]  # fmt: skip
REFUSED = {
    "pri3d": {
        "data.geo_threshold": (0.0, 1e-9, 1e30),
        "data.view_threshold": (
            0.0,
            1e-9,
        ),
        "data.voxel_size": (
            0.0,
            1e-9,
        ),
        "data.height": (0, 2**31),
        "data.matches": (0, 2**31),
        "data.share": (
            0.0,
            1.5,
        ),
        "data.evaluation_pairs": (0,),
        "data.augmentation.hue": (1.0,),
        "data.augmentation.brightness": (1.5,),
        "data.augmentation.blur_sigma_low": (0.0,),
        "data.prepare.seed": (2**63,),
        "data.prepare.surface_voxel": (
            0.0,
            1e-9,
            inf,
        ),
        "data.prepare.surface_stride": (0,),
        "data.prepare.val_fraction": (1.0,),
        "data.prepare.overlap.minimum": (1.5,),
        "method.temperature": (
            0.0,
            1e-300,
            1e30,
        ),
        "method.projection_dim": (0, 2**31),
        "method.sparse_unet.init_dim": (0, 2**31),
        "optim.momentum": (1.0,),
        "optim.beta2": (1.0,),
        "optim.eps": (0.0,),
        "run.seed": (2**63,),
        "run.quarantine_limit": (1.5,),
        **dict.fromkeys(WHOLE, (0,)),
    },
    "ppkt": {
        "data.matches": (0, 2**31),
        "data.share": (0.0, 1.5),
        "data.height": (0, 2**31),
        "data.voxel_size": (0.0, 1e-9),
        "data.evaluation_frames": (0,),
        "data.window.resize": (1.0, 1.5),
        "data.window.mirror_probability": (1.5,),
        "data.points.scale": (1.0,),
        "data.points.elastic_probability": (1.5,),
        "method.temperature": (0.0, 1e30),
        "method.projection_dim": (0,),
    },
    "pointcontrast": {
        "data.matches": (0, 2**31),
        "data.match_radius": (0.0, 101.0),
        "method.temperature": (0.0, 1e30),
        "method.embedding_dim": (0,),
    },
    "semantic_segmentation_2d": {
        "data.budget": (
            0.0,
            1.5,
        ),
        "data.mirror_probability": (1.5,),
        "data.width": (0, 2**31),
    },
    "semantic_segmentation_3d": {
        "data.budget": (0.0, 1.5),
        "data.voxel_size": (0.0, 1e-9),
        "data.evaluation_turns": (0, 1000),
        "data.clouds.chunk": (1e-9, 1e30),
        "data.clouds.vote_voxel": (0.0,),
    },
    "object_detection_3d": {
        "data.budget": (0.0, 1.5),
        "data.seeds": (0, 2**31),
        "data.moved.mirror_probability": (1.5,),
        "data.moved.scale": (1.0,),
        "method.votes.proposals": (0, 2**31),
        "method.votes.radius": (0.0, 1e30),
        "method.kept_boxes.overlap": (1.5,),
    },
    "ssr": {
        "method.sigma": (
            0.0,
            1e-300,
        ),
        "method.gate": (1.5,),
        "method.decoder.subdivisions": (2**31,),
        "method.silhouette_size": (0,),
        "method.cycle": (0,),
        "data.evaluation_views": (0, 2**31),
    },
}


def numeric_leaves(experiment: Experiment) -> dict[str, bool]:
    """Return the leaves whose type is a number, and whether they count."""
    parts = [("", experiment), *parts_of(experiment)]
    return {f"{prefix}{name}": whole for prefix, part in parts for name, _, whole in numbers_of(type(part))}


def parts_of(config, prefix: str = ""):
    for name, value in vars(config).items():
        if hasattr(value, "__dataclass_fields__"):
            yield f"{prefix}{name}.", value
            yield from parts_of(value, f"{prefix}{name}.")


def fault(experiment: Experiment, leaf: str, value: float) -> str:
    """Return the line that refuses a value of a leaf; empty where it is taken."""
    before = flatten(experiment)[leaf]
    try:
        override(experiment, {leaf: (value,) * max(len(before), 1) if isinstance(before, tuple) else value})
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("method", METHODS)
def test_every_number_is_taken_or_refused_by_name_on_one_line(method: str):
    experiment = method_class(method).presets["paper"]()
    leaves = numeric_leaves(experiment)
    assert len(leaves) > 30
    for leaf, whole in leaves.items():
        for value in (-1, *COUNTS) if whole else (*NEVER, *EXTREME):
            said = fault(experiment, leaf, value)
            never = value in NEVER and (leaf, value) != ("run.max_failures", -1)
            assert said.startswith((leaf, "method.cycle")) if said else not never, (leaf, value, said)
            assert not said or said.isprintable()


@pytest.mark.parametrize("method", METHODS)
def test_presets_are_within_their_bounds(method: str):
    for preset in method_class(method).presets.values():
        check_bounds(preset())


@pytest.mark.parametrize("method", REFUSED)
def test_what_would_fail_later_is_refused(method: str):
    experiment = method_class(method).presets["paper"]()
    for leaf, values in REFUSED[method].items():
        for value in values:
            assert fault(experiment, leaf, value), (leaf, value)


def test_bounds_say_what_a_number_must_be():
    assert Bounds(1).fault(0, whole=True) == "it must be a whole number from 1"
    assert Bounds(0, 1, below=True).fault(1.0, whole=False) == "it must be a number from 0 to below 1"
    assert Bounds(above=True).fault(0.0, whole=False) == "it must be a number above 0"
    assert Bounds(1).fault(3 * 10**9, whole=True) == "it must be a whole number from 1 to 2147483647"
    assert Bounds(0).fault(nan, whole=False) == "it must be a number from 0"
    assert Bounds().fault(2.5, whole=True) == "it must be a whole number from 0"


def test_parts_tuples_and_absent_numbers_are_looked_into():
    @dataclass(frozen=True)
    class Part:
        shares: tuple[Share, ...] = (0.1, 0.2)
        size: int | None = None
        flag: bool = True

    @dataclass(frozen=True)
    class Whole:
        part: Part

    check_bounds(Whole(Part()))
    with pytest.raises(UserError, match=r"part\.shares is \(0\.1, 1\.2\), it must be a number from 0 to 1"):
        check_bounds(Whole(Part(shares=(0.1, 1.2))))
    with pytest.raises(UserError, match=r"part\.size is -1, it must be a whole number from 0"):
        check_bounds(Whole(Part(size=-1)))
