"""The scans: their layout, their indexes, and the samples that were left out."""

from pathlib import Path

from sem3d.doctor.finding import Finding
from sem3d.errors import UserError


def data(root: str, storage: str) -> list[Finding]:
    """Check layout and indexes of the scans in ``root``; indexes are those in ``storage``."""
    try:
        from sem3d.datasets.scans.index import read_index_json
        from sem3d.datasets.scans.layouts import detect_layout
    except ImportError as error:
        fix = "bash -e jobs/setup.sh && . .venv/bin/activate"
        return [Finding("data", "FAIL", f"cannot be checked: {error}", fix)]
    if not root:
        return [Finding("data", "ok", "not checked: no --data.root")]
    path = Path(root).expanduser().resolve()
    if not path.is_dir():
        return [Finding("data", "FAIL", f"no folder {path}", "name the folder of scans with --data.root, or mount it")]
    try:
        if read_index_json(path) is not None:
            return [index(path)]
        layout = Finding("data", "ok", f"{path} has layout {detect_layout(path)}")
    except UserError as error:
        fix = "name the folder above the scenes, or prepare with --layout; jobs/data.md lists the layouts"
        return [Finding("data", "FAIL", str(error), fix)]
    folders = sorted(Path(storage).expanduser().resolve().glob("index/*/index.json"))
    of_these = [file.parent for file in folders if (read_index_json(file.parent) or {}).get("root") == str(path)]
    if not of_these:
        fix = f"python -m jobs.prepare scans {path} --storage {storage}    # or training does it when it starts"
        return [layout, Finding("index", "warn", f"no index of {path} in {storage}", fix)]
    return [layout, *(index(folder) for folder in of_these)]


def index(folder: Path) -> Finding:
    """Check that an index loads, and report its counts."""
    from sem3d.datasets.quarantine import QuarantineReport
    from sem3d.datasets.scans.index import load_index

    try:
        loaded = load_index(folder)
        report = QuarantineReport.read(folder / "quarantine.json")
    except (UserError, OSError, ValueError, KeyError) as error:
        return Finding("index", "FAIL", f"{folder}: {error}", f"rm -r {folder}    # then prepare again")
    found = f"{folder}: scenes {loaded.scenes.num_rows}, frames {loaded.frames.num_rows}, pairs {loaded.pairs.num_rows}"
    reasons = ", ".join(f"{count} {reason}" for reason, count in list(report.counts().items())[:3])
    found += f", quarantine {len(report)}" + (f" ({reasons})" if reasons else "")
    if len(report) > 0.1 * (len(report) + loaded.frames.num_rows):
        return Finding("index", "warn", found, f"read {folder / 'quarantine.json'}: more than a tenth cannot be used")
    return Finding("index", "ok", found)
