"""Items left out, with reasons: one report type for preparation, training and evaluation."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sem3d.errors import BadSample, UserError
from sem3d.files import read_json, write_json


@dataclass(frozen=True)
class Quarantined:
    """One item that is not used: the file or row, its scene ("" if it has none), and what is wrong with it."""

    source: str
    scene: str
    reason: str
    lost: int = 1
    """What is lost with it and was never looked at one by one, such as the frames of a scan that breaks off."""

    @classmethod
    def of(cls, error: BadSample, scene: str = "", lost: int = 1) -> "Quarantined":
        """Return the item that ``error`` names."""
        return cls(error.source, scene, error.reason, lost)


@dataclass
class QuarantineReport:
    """Items left out, in the order found, and remarks on items that are used all the same."""

    items: list[Quarantined] = field(default_factory=list)
    notes: list[Quarantined] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(item.lost for item in self.items)

    def counts(self) -> dict[str, int]:
        """Return what is lost by kind of reason, most frequent first; numbers inside reasons do not make new kinds."""
        return counted(self.items)

    def note_counts(self) -> dict[str, int]:
        """Return the remarks by kind, as :meth:`counts`."""
        return counted(self.notes)

    def write(self, path: Path) -> None:
        """Write JSON with ``counts``, ``items`` and ``notes``."""
        content = {
            "counts": self.counts(),
            "items": [asdict(item) for item in self.items],
            "notes": [asdict(note) for note in self.notes],
        }
        write_json(path, content)

    @classmethod
    def read(cls, path: Path) -> "QuarantineReport":
        """Return the report that :meth:`write` left at ``path``; raises :class:`UserError` where it is none."""
        content = read_json(path)
        try:
            return cls(*([Quarantined(**item) for item in content[kind]] for kind in ("items", "notes")))
        except (TypeError, LookupError) as error:
            raise UserError(f"{path} is no quarantine report: {error}") from error


def first_reasons(report: QuarantineReport) -> str:
    """Return what is wrong with the first three items."""
    return "; ".join(f"{item.source}: {item.reason}" for item in report.items[:3])


def counted(items: Sequence[Quarantined]) -> dict[str, int]:
    """Return what is lost with ``items`` by kind of reason, most frequent first."""
    kinds: Counter[str] = Counter()
    for item in items:
        kinds[reason_kind(item.reason)] += item.lost
    return dict(sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0])))


@contextmanager
def faults_of(source: str) -> Iterator[None]:
    """Turn whatever the reading of one item raises into :class:`BadSample`: one odd file must not end the work on all."""
    try:
        yield
    except (BadSample, UserError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise BadSample(source, f"unforeseen {type(error).__name__}: {reason}") from error


def reason_kind(reason: str) -> str:
    """Return ``reason`` up to its first colon, numbers taken out: what items with the same trouble share."""
    return re.sub(r"\s+", " ", re.sub(r"-?\d[\d.x]*", "", reason.partition(":")[0])).strip()


def check_limit(report: QuarantineReport, total: int, limit: float, path: Path | None) -> None:
    """Raise :class:`UserError` with counts and the first three reasons if more than ``limit`` of ``total`` items are bad.

    All of them are then written to ``path``, if one is given.
    """
    if len(report) <= limit * total:
        return
    if path is not None:
        report.write(path)
    named = f"All are named in {path}; " if path is not None else ""
    raise UserError(
        f"{len(report)} of {total} items cannot be used, more than the limit of {limit:.0%} allows: {first_reasons(report)}. "
        f"{named}fix the data, or raise quarantine_limit"
    )
