"""JSON files that are whole or not there."""

import json
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any) -> None:
    """Writes ``content`` beside ``path`` and renames it into place, so that no reader and no kill meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pending = path.with_name(f".{path.name}")
    pending.write_text(json.dumps(content, indent=1, default=str))
    pending.replace(path)
