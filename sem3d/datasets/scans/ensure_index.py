"""The index of scans that training reads: loaded, or prepared where there is none."""

import json
import logging
from pathlib import Path

from sem3d.datasets.scans.index import Index, PrepareConfig, load_index, read_index_json
from sem3d.datasets.scans.prepare import inputs_digest, prepare
from sem3d.errors import UserError

logger = logging.getLogger(__name__)


def ensure_index(root: str | Path, storage: str | Path, config: PrepareConfig) -> Index:
    """Return the index at ``root`` if that is one, else one of the data at ``root``, kept under ``storage/index`` by the
    digest of ``config`` and of the files' names, sizes and times, so that unchanged data are prepared once, with progress
    in sem3d's log.

    Raises :class:`UserError` as :func:`sem3d.datasets.scans.prepare.prepare` does.
    """
    return index_at(root, config) or index_in(place_of_index(root, storage, config), root, config)


def index_at(root: str | Path, config: PrepareConfig) -> Index | None:
    """Return the index that ``root`` is; None where it is none. Raises :class:`UserError` where its settings are others."""
    if read_index_json(Path(root)) is None:
        return None
    index = load_index(root)
    wanted = json.loads(json.dumps(config.content()))
    if config != PrepareConfig() and wanted != index.config:
        raise UserError(f"{root} is an index made with other settings: leave data.prepare out, or name the scans")
    return index


def place_of_index(root: str | Path, storage: str | Path, config: PrepareConfig) -> Path:
    """Return the folder in which the index of the data at ``root`` is kept; walks the data."""
    return Path(storage) / "index" / inputs_digest(Path(root), config)


def index_in(place: Path, root: str | Path, config: PrepareConfig) -> Index:
    """Return the index in :func:`place_of_index`, prepared unless it is there."""
    return prepare(root, place, config, say=logger.info, inputs=place.name)
