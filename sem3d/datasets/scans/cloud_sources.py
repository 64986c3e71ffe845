"""The scenes that labelled clouds are made of: those of an index, or meshes alone, without a single frame."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from sem3d.config import digest
from sem3d.datasets.budgets import listed_name
from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.axis_alignment import UNALIGNED
from sem3d.datasets.scans.cloud_labels import find_labelled_mesh, labelled_mesh_in
from sem3d.datasets.scans.index import Index, PrepareConfig
from sem3d.datasets.scans.instances import find_instance_files
from sem3d.datasets.scans.labelled_scene import LEARNT_FROM, LabelledScene
from sem3d.datasets.scans.labels import CLASS_NAMES
from sem3d.datasets.scans.layouts import detected_layouts, scene_name, survey
from sem3d.datasets.scans.scannet import find_mesh
from sem3d.datasets.scans.splits import held_out_rooms, listed_elsewhere, read_split_lists, room_of
from sem3d.datasets.scans.surface import LARGEST_MESH
from sem3d.errors import UserError
from sem3d.files import first_of_content
from sem3d.folders import is_there

WHOLE = 1000
"""Shares of a scene that is divided count in thousandths."""


@dataclass(frozen=True)
class CloudSource:
    """Scenes of one folder, and what their clouds depend on besides the settings of clouds."""

    root: Path
    scenes: Callable[[], Iterator[LabelledScene]]
    total: int
    """Number of scenes that train or are held out."""
    digest: str
    described: str
    left_out: Path | None = None
    """The report of what was left out of them before."""
    missing: str = "no scene has a labelled mesh or labelled frames; segmentation needs scans with labels"
    """Words for a source of which no scene can be used and none is faulty."""
    untrained: str = "lower --data.prepare.val-fraction"
    """What to do where all scenes that can be used are held out."""
    unread: tuple[str, ...] = ()
    """Settings of clouds that its scenes do not depend on."""
    names: Sequence[str] = CLASS_NAMES
    """Classes of its points, or of its boxes."""
    counted: str = "points"
    """What has these classes."""
    unusable: tuple[Quarantined, ...] = ()
    """Scenes that no list of a split names, that have the name of another one, and folders that cannot be looked into."""
    notes: tuple[Quarantined, ...] = ()
    """Other names and copies of scenes, and listed ones that are not there."""


def scans_of_index(index: Index) -> CloudSource:
    """Return the scenes of an index; raises :class:`UserError` where its tables do not belong together."""
    frames, states = [], []
    start = 0
    for scene in index.scenes.to_pylist():
        own = index.frames.slice(start, scene["frames"])
        start += len(own)
        if set(own["scene"].unique().to_pylist()) != {scene["scene"]}:
            raise UserError(f"{index.folder / 'scenes.parquet'} and frames.parquet differ: prepare the index again")
        if not set(LEARNT_FROM).isdisjoint(scene["split"].split(",")):
            frames.append(own)
            states += state_of(index.root, find_labelled_mesh(index.root, own.slice(0, 1).to_pylist()[0]))
    return CloudSource(
        root=index.root,
        scenes=lambda: map(partial(scene_of_index, index), frames),
        total=len(frames),
        digest=digest([index.digest, index.content.get("inputs"), states]),
        described=index.described,
        left_out=index.left_out,
    )


def scene_of_index(index: Index, frames: pa.Table) -> LabelledScene:
    """Return one scene of an index, its surface and its labelled frames."""
    rows = frames.to_pylist()
    surface = index.surface_path(rows[0]["scene"])
    return LabelledScene(
        scene=rows[0]["scene"],
        named=rows[0]["color"],
        shares=dict(Counter(row["split"] for row in rows if row["split"] in LEARNT_FROM)),
        labelled_mesh=find_labelled_mesh(index.root, rows[0]),
        voters=[row for row in rows if row["label"]],
        surface=surface,
        written=index.surface_digest(surface) if surface else "",
    )


def with_objects(source: CloudSource) -> CloudSource:
    """Return the source of the same scenes with the files that tell their objects apart, without which none is used."""

    def scenes() -> Iterator[LabelledScene]:
        for scene in source.scenes():
            yield replace(scene, objects=find_instance_files(source.root, scene.labelled_mesh))

    files = [(scene, scene.objects) for scene in scenes() if scene.objects]
    states = [
        state_of(source.root, one.segments) + state_of(source.root, one.groups) + state_of(source.root, one.alignment)
        for _, one in files
    ]
    aligned = any(one.alignment for _, one in files)
    notes = [
        Quarantined(scene.named, scene.scene, f"{UNALIGNED}: other scenes have a <scene>.txt, it has none")
        for scene, one in files
        if aligned and not one.alignment
    ]
    missing = (
        "no scene has a labelled mesh with <scene>_vh_clean_2.0.010000.segs.json and <scene>.aggregation.json beside it; "
        "detection needs objects, and generated rooms of older versions have none: make those anew"
    )
    key = digest(["objects", source.digest, states])
    return replace(source, scenes=scenes, digest=key, missing=missing, notes=(*source.notes, *notes))


def meshes_alone(root: Path, config: PrepareConfig) -> CloudSource | None:
    """Return the scenes of a folder that has meshes, ``<scene>/<scene>_vh_clean_2.ply``, and no frames; None of another one.

    Splits are those of the lists, or a seeded share of the rooms, or of a single room a share of its space. Of copies of a mesh,
    which would stand on both sides of a split, and of scenes of one name the first is taken that has labels and is listed.
    """
    if not root.is_dir() or detected_layouts(root):
        return None
    places = survey(root)
    meshes = {folder: mesh for folder in places.folders if (mesh := find_mesh(root, folder, folder.name))}
    if not meshes:
        return None
    split_of = read_split_lists(root, config.splits)
    meshes = dict(sorted(meshes.items(), key=lambda item: usefulness(root, item[0], split_of)))
    copies = copied_meshes(root, meshes)
    named, namesakes = by_name(root, {folder: mesh for folder, mesh in meshes.items() if mesh not in copies})
    shares = shares_of(list(named), split_of, config)
    scenes = [
        LabelledScene(
            scene=scene,
            named=meshes[folder],
            shares=shares[scene],
            labelled_mesh=labelled_mesh_in(root, folder),
            mesh=meshes[folder],
        )
        for scene, folder in named.items()
        if scene in shares
    ]
    states = [state_of(root, scene.mesh) + state_of(root, scene.labelled_mesh) for scene in scenes]
    unlisted = [
        Quarantined(meshes[folder], scene, f"scene in no split list: its name is {scene}")
        for scene, folder in named.items()
        if split_of and not listed_name(scene, split_of)
    ]
    every_name = [scene_name(root, folder) for folder in meshes]
    return CloudSource(
        root=root,
        scenes=lambda: iter(scenes),
        total=len(scenes),
        digest=digest(["meshes", str(root.resolve()), states, [scene.shares for scene in scenes]]),
        described=f"index: no frames, {len(scenes)} scene{'s' * (len(scenes) != 1)} with a mesh",
        unusable=(*places.unreadable, *unlisted, *namesakes),
        notes=(*places.aliases, *copies.values(), *listed_elsewhere(split_of, every_name)),
    )


def usefulness(root: Path, folder: Path, split_of: dict[str, str]) -> tuple[bool, bool]:
    """Return the place of a scene among copies of it: those with labels come first, then those that the lists name."""
    listed = not split_of or bool(listed_name(scene_name(root, folder), split_of))
    return not labelled_mesh_in(root, folder), not listed


def copied_meshes(root: Path, meshes: Mapping[Path, str]) -> dict[str, Quarantined]:
    """Return a note on each of the meshes by folder that has the bytes of one before it."""
    first = first_of_content([root / mesh for mesh in meshes.values()], LARGEST_MESH)
    return {
        mesh: Quarantined(
            mesh,
            scene_name(root, folder),
            f"a copy of a mesh: it has the bytes of {first[root / mesh].relative_to(root).as_posix()}; taken once",
        )
        for folder, mesh in meshes.items()
        if first[root / mesh] != root / mesh
    }


def by_name(root: Path, meshes: Mapping[Path, str]) -> tuple[dict[str, Path], list[Quarantined]]:
    """Return the folder of each scene by its name, and the others that have the name of one before them."""
    named: dict[str, Path] = {}
    namesakes = []
    for folder, mesh in meshes.items():
        scene = scene_name(root, folder)
        if (known := named.setdefault(scene, folder)) != folder:
            reason = f"another scan has this name: {scene} is that of {meshes[known]}; rename one of them"
            namesakes.append(Quarantined(mesh, scene, reason))
    return named, namesakes


def shares_of(scenes: list[str], split_of: dict[str, str], config: PrepareConfig) -> dict[str, dict[str, int]]:
    """Return of each scene that trains or is held out the weight of its splits."""
    if split_of:
        placed = {scene: split_of.get(listed_name(scene, split_of) or "") for scene in scenes}
        return {scene: {split: 1} for scene, split in placed.items() if split in LEARNT_FROM}
    rooms = sorted({room_of(scene) for scene in scenes})
    if len(rooms) < 2:
        held_out = round(WHOLE * config.val_fraction)
        both = {"train": WHOLE - held_out, "val": held_out} if held_out else {"train": 1}
        return dict.fromkeys(scenes, both)
    held_out = held_out_rooms(rooms, config.val_fraction, config.seed)
    return {scene: {"val" if room_of(scene) in held_out else "train": 1} for scene in scenes}


def state_of(root: Path, locator: str) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of a file, if there is one."""
    if not locator:
        return []
    path = root / locator
    if not os.path.lexists(path):
        return []
    state = path.stat() if is_there(path) else path.lstat()
    return [(locator, state.st_size, state.st_mtime_ns)]
