"""Counts of KeypointNet as the paper prints them (2D-3D-2D, Tables 2 and 3), and those of annotations beside them."""

from collections.abc import Mapping, Sequence
from statistics import median

from sem3d.datasets.objects.keypointnet import CLASSES, SPLITS, AnnotatedModel

PAPER_KEYPOINTS = {
    "airplane": (5, 17, 14),
    "bathtub": (8, 24, 16),
    "bed": (8, 16, 12),
    "bottle": (4, 18, 17),
    "cap": (5, 6, 6),
    "car": (14, 22, 22),
    "chair": (8, 17, 10),
    "guitar": (4, 9, 9),
    "helmet": (5, 9, 9),
    "knife": (4, 6, 6),
    "laptop": (6, 6, 6),
    "motorcycle": (7, 14, 13),
    "mug": (10, 11, 11),
    "skateboard": (6, 10, 10),
    "table": (7, 12, 8),
    "vessel": (5, 21, 15),
}
"""Least, most and median of keypoints of a model, Table 2."""
PAPER_MODELS = {
    "airplane": (715, 102, 205),
    "bathtub": (344, 49, 99),
    "bed": (102, 14, 30),
    "bottle": (266, 38, 76),
    "cap": (26, 4, 8),
    "car": (701, 100, 201),
    "chair": (699, 100, 200),
    "guitar": (487, 70, 140),
    "helmet": (62, 10, 18),
    "knife": (189, 27, 54),
    "laptop": (307, 44, 88),
    "motorcycle": (208, 30, 60),
    "mug": (130, 18, 38),
    "skateboard": (98, 14, 29),
    "table": (786, 113, 225),
    "vessel": (637, 91, 182),
}
"""Models for training, validation and test, Table 3."""
PAPER_TOTALS = {
    "airplane": 13830,
    "bathtub": 7880,
    "bed": 1841,
    "bottle": 6260,
    "cap": 226,
    "car": 21403,
    "chair": 12063,
    "guitar": 5900,
    "helmet": 776,
    "knife": 1358,
    "laptop": 2634,
    "motorcycle": 3878,
    "mug": 2043,
    "skateboard": 1323,
    "table": 9047,
    "vessel": 12988,
}
"""Keypoints of all models, Table 3."""
MISSING = "not available"


def counts_beside_paper(models: Sequence[AnnotatedModel], split_of: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a row for each of the 16 classes: models by split, keypoints, and keypoints of a model, each with the paper's count
    in brackets where it differs. Of a class without annotations the models are those of the lists of splits, ``split_of``, and
    the rest is *not available*.
    """
    rows = []
    for class_id, name in CLASSES.items():
        own = [model for model in models if model.class_id == class_id]
        row = {"class": name} | dict.fromkeys((*SPLITS, "models", "keypoints", "least", "most", "median"), MISSING)
        of_models = [model.split for model in own]
        of_models = of_models or [split for model, split in split_of.items() if model.startswith(f"{class_id}-")]
        if of_models:
            found = [*map(of_models.count, SPLITS), len(of_models)]
            sizes = [len(model.keypoints) for model in own]
            found += [sum(sizes), min(sizes), max(sizes), median(sizes)] if own else []
            published = [*PAPER_MODELS[name], sum(PAPER_MODELS[name]), PAPER_TOTALS[name], *PAPER_KEYPOINTS[name]]
            cells = [
                f"{one:g}" if one == other else f"{one:g} ({other})"
                for one, other in zip(found, published, strict=False)
            ]
            row |= dict(zip(list(row)[1:], cells, strict=False))
        rows.append(row)
    return rows
