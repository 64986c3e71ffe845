"""A prepared index: loading it, checking it, and making it where there is none."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sem3d.bounds import AtLeastOne, Metres, Seed, Share, ShareBelowOne, check_bounds
from sem3d.config import FilePath
from sem3d.datasets.checked_files import read_rows
from sem3d.datasets.scans.schema import FORMAT_VERSION, FRAME_SCHEMA, PAIR_SCHEMA, SCENE_SCHEMA
from sem3d.errors import UserError
from sem3d.files import read_json
from sem3d.folders import is_there
from sem3d.geometry.overlap import OverlapConfig

REASONS_SHOWN = 5
KINDS = {"root": str, "digest": str, "config": dict, "quarantine": dict}
"""Kinds of values in ``index.json``."""


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """Settings of an index's preparation; part of its identity."""

    layout: str = "auto"
    """How scans lie on disk: seven_scenes, scannet_sens, scannet_export, scannet_frames_25k, tum_rgbd, nerfstudio, replica,
    arkit_scenes, or module:Class; auto looks which it is."""
    stride: int = 0
    """Least distance between the numbers of two frames taken from a scene; 0: the layout's own, 25 for .sens and exports.
    arkit_scenes counts milliseconds."""
    splits: FilePath = ""
    """Folder of scannetv2_{train,val,test}.txt; empty: those in the data root if there are any, else a seeded split."""
    val_fraction: ShareBelowOne = 0.1
    """Share of rooms held out where there are no lists; of a single room, the last share of each scene's frames."""
    seed: Seed = 0
    """Seed of the split of rooms."""
    depth_scale: float = 0.0
    """Raw depth units a metre; 0: the layout's own, 1000 for images and what its header says for .sens."""
    overlap: OverlapConfig = field(default_factory=OverlapConfig)
    """What counts as an overlapping pair."""
    pair_window: int = 0
    """Largest distance of two frames of a pair, counted in usable frames of the scene; 0: any."""
    surface_voxel: Metres = 0.01
    """Metres between points of a surface fused from depth; scenes with a mesh use its vertices instead."""
    surface_stride: AtLeastOne = 2
    """Every n-th depth pixel in rows and columns is fused."""
    min_valid_depth: Share = 0.01
    """Least share of pixels with depth; a frame with less is blank."""
    quarantine_limit: Share = 0.5
    """Largest share of items that may be unusable before preparation stops."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` for a value without meaning."""
        check_bounds(self, "data.prepare.")

    def content(self) -> dict[str, Any]:
        """Return the settings as plain values; those that older versions did not have are left out at their neutral value,
        so that an older index is found again.
        """
        content = dataclasses.asdict(self)
        if not self.depth_scale:
            del content["depth_scale"]
        return content


@dataclass(frozen=True)
class Index:
    """The tables of one index folder; schemas are those of :mod:`sem3d.datasets.scans.schema`."""

    folder: Path
    root: Path
    """Data root that locators are relative to."""
    frames: pa.Table
    pairs: pa.Table
    scenes: pa.Table
    config: dict[str, Any]
    """The :class:`PrepareConfig` it was made with, as plain values."""
    digest: str
    """Twelve hexadecimal digits of the tables' content, whatever the data root."""
    content: dict[str, Any]
    """``index.json`` whole."""
    reused: bool = False
    """Whether preparation found this index already made from the same data and settings."""

    @property
    def described(self) -> str:
        """What there is and what is in quarantine, with the commonest reasons, on one line."""
        line = f"index: {self.frames.num_rows} frames, {self.pairs.num_rows} pairs"
        reasons = self.content["quarantine"]
        if not reasons:
            return line
        named = ", ".join(f"{count} {reason}" for reason, count in list(reasons.items())[:REASONS_SHOWN])
        more = ", ..." if len(reasons) > REASONS_SHOWN else ""
        return f"{line}; {sum(reasons.values())} in quarantine: {named}{more}"

    @property
    def left_out(self) -> Path | None:
        """The quarantine report; None if the folder has none."""
        path = self.folder / "quarantine.json"
        return path if path.is_file() else None

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of the files of the index, by their names in its folder; those of older versions have none."""
        return self.content.get("files", {})

    def surface_path(self, scene: str) -> Path | None:
        """Return file of a scene's surface, see :func:`sem3d.datasets.scans.surface.read_surface`; None if the scene has
        none.
        """
        row = self.scenes["scene"].index(scene).as_py()
        name = self.scenes["surface"][row].as_py() if row >= 0 else ""
        return self.folder / "surface" / name if name else None

    def surface_digest(self, surface: Path) -> str:
        """Return the SHA-256 of a surface's file as it was written, empty where that is not known."""
        return self.files.get(surface.relative_to(self.folder).as_posix(), "")


def load_index(folder: str | Path) -> Index:
    """Return the index in ``folder``.

    Raises :class:`UserError` if there is none, if it is of another format version, if its tables are not what was written, or
    if its data root is gone.
    """
    folder = Path(folder)
    content = read_index_json(folder)
    if content is None:
        raise UserError(
            f"{folder} is no index: it has no index.json. Make one with python -m jobs.prepare scans <data>"
        )
    if content.get("format") != FORMAT_VERSION:
        raise UserError(f"{folder} has index format {content.get('format')}, not {FORMAT_VERSION}: prepare it again")
    if not all(isinstance(content.get(key), kind) for key, kind in KINDS.items()):
        raise UserError(f"{folder / 'index.json'} is damaged: prepare the index again")
    root = Path(content["root"])
    if not root.is_dir():
        raise UserError(f"the data of index {folder} are no longer at {root}: prepare them again where they are now")
    schemas = {"frames.parquet": FRAME_SCHEMA, "pairs.parquet": PAIR_SCHEMA, "scenes.parquet": SCENE_SCHEMA}
    written = content.get("files", {})
    frames, pairs, scenes = (
        read_rows(folder / name, schema, str(written.get(name, ""))) for name, schema in schemas.items()
    )
    ends = [pc.min_max(pairs[role]).as_py() for role in ("anchor", "positive")] if pairs.num_rows else []
    if any(end["min"] < 0 or end["max"] >= frames.num_rows for end in ends):
        raise UserError(f"{folder / 'pairs.parquet'} names frames that are not there: prepare the index again")
    names = scenes["surface"].to_pylist()
    if any(Path(name).name != name or name == ".." for name in names):
        raise UserError(f"{folder} names a surface outside its folder: prepare it again")
    return Index(folder, root, frames, pairs, scenes, content["config"], content["digest"], content)


def read_index_json(folder: Path) -> dict[str, Any] | None:
    """Return content of ``index.json``, or None where there is no such file or it is not an index's."""
    path = folder / "index.json"
    content = read_json(path) if is_there(path) else None
    if not isinstance(content, dict) or not {"format", "root", "digest"} <= content.keys():
        return None
    kinds = {"root": str, "digest": str, "config": dict, "quarantine": dict, "files": dict}
    wrong = [name for name, kind in kinds.items() if name in content and not isinstance(content[name], kind)]
    if wrong:
        raise UserError(f"{path} is damaged at {wrong[0]}: prepare the index again")
    return content
