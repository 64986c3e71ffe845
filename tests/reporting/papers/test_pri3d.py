"""Pri3D's published segmentation results beside ours."""

from collections.abc import Mapping
from typing import Any

import pytest

from sem3d.errors import UserError
from sem3d.reporting.formatting import Budgets, metric_of
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.pri3d import SCANNET_MIOU, published_table
from sem3d.reporting.papers.reviews import data_of
from sem3d.reporting.tables import format_table


def review(settings: Mapping[str, Any], space: str = "pri3d", metric: str = "miou_scannet") -> SweepReview:
    scores = {"scratch": {0.2: {0: 0.3, 1: 0.4}, 1.0: {0: 0.5}}, "pri3d": {1.0: {0: 0.55}}}
    return SweepReview(
        name="mine",
        space=space,
        metric=metric_of(metric, "max", [0.3]),
        arms=tuple(scores),
        budgets=Budgets((0.2, 1.0)),
        seeds=(0, 1),
        scores=scores,
        trials=(),
        shared_settings=settings,
    )


ROOMS = {"data.root": "/data/rooms-1f/scans", "method.unet.encoder": "resnet18"}


def test_ours_stand_below_the_papers_by_arm_and_share_of_labels():
    rows, columns = published_table([review(ROOMS)])
    scratch = [tuple(row[column] for column in columns) for row in rows if row["initialisation"] == "scratch"]
    assert scratch == [
        ("scratch", "20 %", "resnet18", "ours", "rooms-1f/scans", "35.0 ± 63.5"),
        ("scratch", "100 %", "resnet50", "paper", "ScanNet", "39.1"),
        ("scratch", "100 %", "resnet18", "paper", "ScanNet", "37.5"),
        ("scratch", "100 %", "resnet18", "ours", "rooms-1f/scans", "50.0"),
    ]
    assert [row["initialisation"] for row in rows][-1] == "pri3d"
    assert len(format_table(rows, columns).splitlines()) == 2 + len(rows)


def test_every_figure_of_the_paper_is_a_row_also_without_a_sweep():
    rows, _ = published_table([])
    assert len(rows) == sum(len(by_encoder) for by_encoder in SCANNET_MIOU.values())
    assert {row["by"] for row in rows} == {"paper"}


def test_more_labels_and_pri3d_help_in_the_papers_own_figures():
    by_share = [SCANNET_MIOU["imagenet+pri3d", share]["resnet50"] for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert by_share == sorted(by_share)
    for encoder in ("resnet50", "resnet18"):
        figures = [
            SCANNET_MIOU[arm, 1.0][encoder] for arm in ("scratch", "imagenet", "imagenet+moco", "imagenet+pri3d")
        ]
        assert figures == sorted(figures)


@pytest.mark.parametrize(
    ("reviews", "complaint"),
    [
        ([review(ROOMS, space="ssr")], "mine is a sweep of ssr, this table is for sweeps of pri3d"),
        ([review(ROOMS, metric="accuracy")], "mine compares accuracy"),
        ([review(ROOMS), review(ROOMS)], "two sweeps have scratch with encoder resnet18 on rooms-1f/scans"),
    ],
)
def test_sweeps_that_do_not_fit_are_refused(reviews, complaint):
    with pytest.raises(UserError, match=complaint):
        published_table(reviews)


def test_sweeps_with_other_encoders_or_data_are_rows_of_their_own():
    rows, _ = published_table([review(ROOMS), review(ROOMS | {"method.unet.encoder": "resnet50"}), review({})])
    ours = [row for row in rows if row["by"] == "ours" and row["labels"] == "20 %"]
    assert [row["encoder"] for row in ours] == ["resnet18", "resnet50", "the preset's"]


def test_the_table_says_what_our_sweeps_learnt_from():
    roots = ("/data/shapes-1f/renders", "/data/nmr", "/data/shapes-1f/renders")
    assert data_of([review({"data.root": root}) for root in roots]) == "data/nmr, shapes-1f/renders"
