"""PPKT's published results and the data-efficient ScanNet rows beside ours."""

from collections.abc import Mapping
from typing import Any

import pytest

from sem3d.errors import UserError
from sem3d.reporting.formatting import Budgets, metric_of
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.ppkt import MAP_25, PUBLISHED, paper_scores, published_table
from sem3d.reporting.tables import format_table
from sem3d.sweeps.space import read_space


def review(space: str = "ppkt", metric: str = "miou_scannet", **settings: Any) -> SweepReview:
    scores: Mapping[str, Mapping[float, Mapping[int, float]]] = {
        "scratch": {0.15: {0: 0.3, 1: 0.4}, 1.0: {0: 0.5}},
        "ppkt, last layer": {1.0: {0: 0.55}},
    }
    return SweepReview(
        name="mine",
        space=space,
        metric=metric_of(metric, "max", [0.3]),
        arms=tuple(scores),
        budgets=Budgets((0.15, 1.0)),
        seeds=(0, 1),
        scores=scores,
        trials=(),
        shared_settings={"data.root": "/data/rooms-1f/scans"} | settings,
    )


def ours(*reviews: SweepReview) -> list[tuple[object, ...]]:
    rows, columns = published_table(reviews)
    return [tuple(row.get(column) for column in columns if row.get(column)) for row in rows if row["by"] == "ours"]


def test_ours_stand_below_the_papers_rows_of_their_task():
    rows, columns = published_table([review()])
    tasks = [row["task"] for row in rows]
    assert tasks == sorted(tasks, key=tasks.index)
    assert ours(review()) == [
        ("ScanNet segmentation", "scratch", "15 %", "ours", "rooms-1f/scans", "35.0 ± 63.5"),
        ("ScanNet segmentation", "scratch", "100 %", "ours", "rooms-1f/scans", "50.0"),
        ("ScanNet segmentation", "ppkt, last layer", "100 %", "ours", "rooms-1f/scans", "55.0"),
    ]
    assert len(format_table(rows, columns).splitlines()) == 2 + len(rows)


def test_other_classes_and_budgets_of_points_are_rows_of_their_own():
    boxes = review("ppkt_detection", "map_25", **{"data.boxes": "sun_rgbd"})
    assert {row[0] for row in ours(boxes)} == {"SUN RGB-D detection"}
    few = review(**{"data.points_per_scene": 20})
    assert [row[2] for row in ours(review(), few)][-1] == "100 %, 20 points a scene"
    assert {row[0] for row in ours(review(**{"data.classes": "s3dis"}))} == {"S3DIS Area 5 segmentation"}


def test_the_papers_numbers_go_to_the_arms_that_learn_as_it_does():
    assert paper_scores(review()) == {("scratch", 1.0): 69.49, ("ppkt", 1.0): 69.56, ("ppkt, last layer", 1.0): 69.56}
    assert paper_scores(review(**{"data.classes": "s3dis"}))["pointcontrast", 1.0] == 66.86
    assert paper_scores(review("ppkt_detection", "map_50"))["ppkt", 1.0] == 38.90
    assert not paper_scores(review(**{"data.points_per_scene": 20}))
    for space, metric in (("ppkt", "miou_scannet"), ("ppkt_detection", "map_25")):
        arms = {arm.name for arm in read_space(space).arms}
        assert {"scratch", "ppkt"} <= arms & {arm for arm, _ in paper_scores(review(space, metric))}


def test_without_a_sweep_every_figure_of_the_papers_is_a_row():
    rows, _ = published_table([])
    assert len(rows) == len(PUBLISHED)
    assert [row[MAP_25] for row in rows if row["task"] == "SUN RGB-D detection"] == ["55.2", "57.3", "58.9"]


@pytest.mark.parametrize(
    ("reviews", "complaint"),
    [
        ([review(space="ssr")], "mine is a sweep of ssr, this table is for sweeps of ppkt or ppkt_detection"),
        ([review(metric="loss")], "mine compares loss"),
        ([review(), review()], "two sweeps have scratch at 15 % on rooms-1f/scans"),
    ],
)
def test_sweeps_that_do_not_fit_are_refused(reviews, complaint):
    with pytest.raises(UserError, match=complaint):
        published_table(reviews)
