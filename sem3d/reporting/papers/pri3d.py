"""Pri3D (arXiv 2104.11225): mIoU of 2D segmentation on ScanNet by initialisation and share of labels.

The paper's figures are those of its tables and of the authors' README: 240 x 320 pixels, one confusion matrix over the
validation scenes without class 0, the best of the evaluations on these same scenes. Its Pri3D rows were pretrained with a
depth head that the paper does not mention, worth about 1 mIoU (Sekunde/Pri3D, issue 4). On other data than ScanNet ours say
which initialisation is better, not whether the paper's number is met.
"""

from collections.abc import Mapping, Sequence

from sem3d.errors import UserError
from sem3d.reporting.formatting import Budgets
from sem3d.reporting.intervals import interval
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.reviews import data_of, require_space
from sem3d.reporting.tables import Cell, Table

SPACE, METRIC, ENCODER = "pri3d", "miou_scannet", "method.unet.encoder"
PAPERS_DATA = "ScanNet"
ALL = 1.0
SCANNET_MIOU: Mapping[tuple[str, float], Mapping[str, float]] = {
    ("scratch", ALL): {"resnet50": 39.1, "resnet18": 37.5},
    ("imagenet", ALL): {"resnet50": 55.7, "resnet18": 51.0},
    ("imagenet+scannet, combined", ALL): {"resnet50": 54.9},
    ("imagenet+scannet, mixed", ALL): {"resnet50": 54.5},
    ("imagenet+moco", ALL): {"resnet50": 56.6, "resnet18": 52.9},
    ("imagenet+trivial", ALL): {"resnet50": 56.4, "resnet18": 52.1},
    ("imagenet+pri3d, view", ALL): {"resnet50": 61.3, "resnet18": 54.4},
    ("imagenet+pri3d, geo", ALL): {"resnet50": 61.1, "resnet18": 55.3},
    ("imagenet+pri3d", 0.2): {"resnet50": 51.5},
    ("imagenet+pri3d", 0.4): {"resnet50": 56.2},
    ("imagenet+pri3d", 0.6): {"resnet50": 58.9},
    ("imagenet+pri3d", 0.8): {"resnet50": 60.3},
    ("imagenet+pri3d", ALL): {"resnet50": 61.7, "resnet18": 55.7},
    ("no supervised imagenet: moco on imagenet", ALL): {"resnet50": 54.6},
    ("no supervised imagenet: moco on scannet", ALL): {"resnet50": 55.4},
    ("no supervised imagenet: pri3d, view", ALL): {"resnet50": 60.5},
    ("no supervised imagenet: pri3d, geo", ALL): {"resnet50": 60.8},
    ("no supervised imagenet: pri3d", ALL): {"resnet50": 60.8},
}
"""mIoU in percent by initialisation and share of labels, then by encoder; ``pri3d`` is both losses, view and geo."""
COLUMNS = ["initialisation", "labels", "encoder", "by", "data", "mIoU"]


def paper_scores(review: SweepReview) -> Mapping[tuple[str, float], float]:
    """Return the paper's mIoU in percent by arm and share of labels: with the sweep's encoder where it has it, else ResNet50."""
    encoder = str(review.shared_settings.get(ENCODER, ""))
    return {place: found.get(encoder, found["resnet50"]) for place, found in SCANNET_MIOU.items()}


def published_table(reviews: Sequence[SweepReview]) -> Table:
    """Return the paper's figures with ours below each: mean and interval over seeds, in percent.

    An arm of ours meets the paper's initialisation of the same name; those that the paper does not have come last. Raises
    :class:`UserError` for sweeps of something else, and where two sweeps have the same row.
    """
    ours = _ours(reviews)
    order = list(dict.fromkeys(arm for arm, _ in (*SCANNET_MIOU, *ours)))
    rows: list[dict[str, Cell]] = []
    for arm, budget in sorted({*SCANNET_MIOU, *ours}, key=lambda place: (order.index(place[0]), place[1])):
        place: dict[str, Cell] = {"initialisation": arm, "labels": Budgets((budget,)).short(budget)}
        for encoder, miou in SCANNET_MIOU.get((arm, budget), {}).items():
            rows.append(place | {"encoder": encoder, "by": "paper", "data": PAPERS_DATA, "mIoU": f"{miou:.1f}"})
        for (encoder, data), miou in ours.get((arm, budget), {}).items():
            rows.append(place | {"encoder": encoder, "by": "ours", "data": data, "mIoU": miou})
    return rows, COLUMNS


def _ours(reviews: Sequence[SweepReview]) -> dict[tuple[str, float], dict[tuple[str, str], str]]:
    """Return mIoU as text by arm and share of labels, then by encoder and data."""
    require_space(reviews, SPACE)
    found: dict[tuple[str, float], dict[tuple[str, str], str]] = {}
    for review in reviews:
        if review.metric.name != METRIC:
            raise UserError(f"{review.name} compares {review.metric.name}, the paper's table {METRIC}: leave it out")
        source = str(review.shared_settings.get(ENCODER, "the preset's")), data_of([review])
        for arm, by_budget in review.scores.items():
            for budget, by_seed in by_budget.items():
                beside = found.setdefault((arm, budget), {})
                if source in beside:
                    raise UserError(f"two sweeps have {arm} with encoder {source[0]} on {source[1]}: name one of them")
                beside[source] = review.metric.with_interval(interval(list(by_seed.values())))
    return found
