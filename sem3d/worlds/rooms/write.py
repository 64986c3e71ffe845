"""Generated rooms on disk, in ScanNet's own layout, written by a Ray Data job.

::

    scans/scene0000_00/scene0000_00.sens                    JPEG colour, zlib depth in mm, pose of every frame
                       label-filt/<n>.png                   8-bit NYU40 ids at the colour size
                       instance-filt/<n>.png                16-bit label * 1000 + instance
                       scene0000_00_vh_clean_2.ply          coloured points of the whole surface
                       scene0000_00_vh_clean_2.labels.ply   the same points with their NYU40 id
                       scene0000_00_vh_clean_2.0.010000.segs.json, scene0000_00.aggregation.json    the object of each point
    scannetv2_train.txt, scannetv2_val.txt                  scene names
    rooms.json                                              configuration, summary, furniture and credits

Every frame is written, so ``prepare`` must be told a frame stride of 1. A whole data set appears at once: it is built in a folder
beside ``out`` whose name carries the digest of the configuration, scene by scene; a second call resumes where the first stopped.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sem3d.config import digest
from sem3d.datasets.objects.sweet_home import read_catalogue
from sem3d.datasets.tasks import in_tasks
from sem3d.errors import UserError
from sem3d.files import read_json, whole_folder, write_json, write_text
from sem3d.folders import file_states
from sem3d.worlds.rooms.config import RoomsConfig, check
from sem3d.worlds.rooms.scan import write_room
from sem3d.worlds.rooms.supply import SPLITS

FORMAT = 2
"""2: chairs and tables are those of the single shapes."""
SUMMARY = "rooms.json"


@dataclass(frozen=True)
class RoomsSummary:
    """Outcome of :func:`write_rooms`."""

    out: str
    digest: str
    reused: bool
    """True if the data set was already there, whole."""
    rooms: int
    frames: int
    frame_stride: int
    """Stride that ``prepare`` should use: every frame counts."""
    label_shares: dict[str, float]
    """Share of all pixels by NYU40 id."""
    quarantine: list[dict[str, str]]
    """Catalogue entries that could not be used."""
    notes: list[dict[str, str]] = field(default_factory=list)
    """Remarks on entries that are used."""


def write_rooms(out: str | Path, config: RoomsConfig) -> RoomsSummary:
    """Write the data set to ``out``, or find it there; ``out`` must be seen by all Ray workers.

    Raises :class:`UserError` for an impossible configuration, an unusable catalogue, or another data set in ``out``.
    """
    check(config)
    out = Path(out).absolute()
    catalogue, files = None, ""
    settings = {"format": FORMAT, "config": asdict(config)}
    if config.furniture != "parametric":
        config = replace(config, furniture=str(Path(config.furniture).absolute()))
        catalogue = read_catalogue(config.furniture)
        models = [(entry.identity, entry.kind, entry.size, entry.rotation) for entry in catalogue.entries]
        settings["config"] |= {"furniture": models}
        files = digest(file_states(Path(config.furniture), made=out))
    key = digest(settings)
    if out.exists():
        return found(out, key, files)
    with whole_folder(out, out.with_name(f".{out.name}.building-{key}{files}")) as building:
        rooms = build_rooms(building, config)
        for split in SPLITS:
            names = [room["scene"] for room in rooms if room["split"] == split]
            write_text(building / f"scannetv2_{split}.txt", "".join(f"{name}\n" for name in names))
        bad = {entry["source"]: entry["reason"] for entry in (catalogue.quarantine if catalogue else [])}
        notes: dict[str, str] = {}
        pixels: Counter[str] = Counter()
        for room in rooms:
            bad |= room.pop("quarantine")
            notes |= room.pop("notes", {})
            pixels.update(room.pop("pixels"))
        total = sum(pixels.values())
        summary = RoomsSummary(
            out=str(out),
            digest=key,
            reused=False,
            rooms=len(rooms),
            frames=len(rooms) * config.frames_per_room,
            frame_stride=1,
            label_shares={label: pixels[label] / total for label in sorted(pixels, key=int)},
            quarantine=listed(bad),
            notes=listed(notes),
        )
        content = asdict(summary) | {"format": FORMAT, "config": asdict(config), "scenes": rooms}
        write_json(building / SUMMARY, content | ({"furniture_files": files} if catalogue else {}))
    return summary


def listed(reasons: dict[str, str]) -> list[dict[str, str]]:
    """Return reasons by source as rooms.json has them."""
    return [{"source": source, "reason": reason} for source, reason in sorted(reasons.items())]


def build_rooms(building: Path, config: RoomsConfig) -> list[dict[str, Any]]:
    """Write every room that is not yet in ``building`` by a Ray Data job; returns their entries of rooms.json in order."""
    (building / "scans").mkdir(exist_ok=True)
    splits = ["train"] * config.rooms_train + ["val"] * config.rooms_val
    rows = [
        {"number": number, "split": split, "kind": config.kinds[number % len(config.kinds)]}
        for number, split in enumerate(splits)
    ]
    return in_tasks(lambda row: write_room(building, config, row), rows)


def found(out: Path, key: str, files: str = "") -> RoomsSummary:
    """Read the summary of a data set that is already there; raises :class:`UserError` if it is another one, or if ``files``, the
    digest of the catalogue's files, says that they have changed since.
    """
    try:
        stored = read_json(out / SUMMARY)
        same = stored["digest"] == key
    except (UserError, KeyError, TypeError) as error:
        raise UserError(f"{out} exists and is no generated data set: choose another folder or remove it") from error
    if not same:
        raise UserError(
            f"{out} holds rooms of another configuration ({stored['digest']}, not {key}): choose another folder"
        )
    if stored.get("furniture_files", files) != files:
        raise UserError(
            f"{out} holds rooms whose models of furniture have changed since: remove it, or choose another folder"
        )
    named = {name: stored[name] for name in RoomsSummary.__dataclass_fields__ if name in stored}
    try:
        return RoomsSummary(**named | {"out": str(out), "reused": True})
    except TypeError as error:
        raise UserError(f"{out / SUMMARY} is damaged ({error}): remove {out} and make it again") from error
