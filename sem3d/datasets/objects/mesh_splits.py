"""Splits of meshes, seeded, in which all copies of one stand together."""

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from sem3d.datasets.objects.mesh_places import MeshFile, copied_meshes, in_other_classes
from sem3d.datasets.quarantine import Quarantined
from sem3d.errors import UserError


@dataclass(frozen=True, kw_only=True)
class RendersConfig:
    """Split of the objects of each class, and the limit of unusable ones."""

    val_fraction: float = 0.1
    """Share of a class's objects in val; paper: 0.1."""
    test_fraction: float = 0.2
    """Share in test; paper: 0.2."""
    seed: int = 0
    """Seed of the split."""
    quarantine_limit: float = 0.5
    """Largest share of meshes that may be unusable."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` for shares that make no sense."""
        if min(self.val_fraction, self.test_fraction) < 0 or self.val_fraction + self.test_fraction >= 1:
            raise UserError("val_fraction and test_fraction must not be negative and must leave objects to train on")


def notes_on_copies(contents: Mapping[MeshFile, Hashable]) -> list[Quarantined]:
    """Return a remark on each mesh that is a copy of another, in its class or in another one."""
    copies, elsewhere = copied_meshes(contents), in_other_classes(contents)
    return [
        *(
            Quarantined(
                mesh.path, mesh.category, f"a copy of a mesh: it has the bytes of {first.path}; one split takes both"
            )
            for mesh, first in copies.items()
        ),
        *(
            Quarantined(
                mesh.path,
                mesh.category,
                f"a mesh of two classes: it has the bytes of {first.path}, of {first.category}, whose split may be another; "
                "keep one of them",
            )
            for mesh, first in elsewhere.items()
        ),
    ]


def split_meshes(meshes: list[MeshFile], config: RendersConfig, copies: dict[MeshFile, MeshFile]) -> dict[str, str]:
    """Return splits of the meshes of a class by name, the same for all copies of one."""
    first: dict[MeshFile, str] = {}
    alike = {mesh.identity: first.setdefault(copies.get(mesh, mesh), mesh.identity) for mesh in meshes}
    split_of = split_names(list(first.values()), config)
    return {name: split_of[own] for name, own in alike.items()}


def split_names(names: list[str], config: RendersConfig) -> dict[str, str]:
    """Return splits by name, drawn by a hash of seed and name; of three objects or more each split that is wanted gets one."""
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{config.seed}/{name}".encode()).digest())
    least = 1 if len(names) >= 3 else 0
    test = max(round(config.test_fraction * len(names)), least if config.test_fraction else 0)
    val = max(round(config.val_fraction * len(names)), least if config.val_fraction else 0)
    return {
        name: "test" if rank < test else "val" if rank < test + val else "train" for rank, name in enumerate(ranked)
    }
