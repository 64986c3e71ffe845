"""Every parser of outside bytes, by family."""

from tests.mutations import keypoints, objects, posed, records, scans, sketched
from tests.mutations.trials import Parser

FAMILIES: dict[str, tuple[Parser, ...]] = {
    "pictures": (*scans.PICTURES, *objects.OWN_PICTURES),
    "scans": scans.SCANS,
    "preparations": scans.PREPARATIONS,
    "indexes": scans.INDEXES,
    "renders": objects.RENDERS,
    "meshes": objects.MESHES,
    "worlds": objects.WORLDS,
    "posed views": posed.VIEWS,
    "meshes with parts": posed.MESHES,
    "sketches": sketched.SKETCHES,
    "photos": keypoints.PHOTOS,
    "keypointnet": keypoints.KEYPOINTNET,
    "runs": records.RUNS,
    "sweeps": records.SWEEPS,
    "weights": records.WEIGHTS,
    "answers": records.ANSWERS,
}
PARSERS = tuple(parser for family in FAMILIES.values() for parser in family)
DEAR = {
    *(parser.name for parser in scans.PREPARATIONS),
    *("index.json", "surface in training", "labels of a scene", "segments of a scene", "parts of clouds"),
    *("picture of a view, pixels", "mask of a view", "tar of meshes", "depth of a view", "normals of a view, pixels"),
    *("photograph of a view", "voxels of a shape", "champion.json"),
}
"""Those that take 20 ms a case and more."""
