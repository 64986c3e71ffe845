"""The paper's table beside ours."""

from statistics import fmean

import pytest

from sem3d.datasets.objects.nmr import SYNSETS
from sem3d.errors import UserError
from sem3d.reporting.formatting import Budgets, metric_of
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.ssr import SSR_CLASSES, SSR_VOXEL_IOU, published_table, ssr_table
from sem3d.reporting.tables import format_table


@pytest.mark.parametrize(
    ("row", "mean"),
    [
        (("softras", 2), 0.36),
        (("ssr", 2), 0.50),
        (("softras", 5), 0.40),
        (("ssr", 5), 0.55),
        (("softras", 20), 0.47),
        (("ssr", 20), 0.59),
        (("softras", float("inf")), 0.62),
    ],
)
def test_the_means_over_classes_are_those_that_the_paper_prints(row, mean):
    assert len(SSR_VOXEL_IOU[row]) == len(SSR_CLASSES)
    assert fmean(SSR_VOXEL_IOU[row]) == pytest.approx(mean, abs=0.0052)


def test_the_classes_are_those_of_the_renders():
    assert list(SYNSETS) == SSR_CLASSES


def test_the_mean_of_13_is_ours_where_all_were_run():
    every_class = {name: [0.1 * (number + 1)] for number, name in enumerate(SSR_CLASSES)}
    rows, _ = ssr_table({("ssr", 5.0): every_class}, "nmr")
    (ours,) = [row for row in rows if row["by"] == "ours"]
    assert ours["mean of 13"] == ours["mean"] == pytest.approx(0.7)


def test_only_classes_that_were_run_have_a_column_and_ours_stands_below_the_papers():
    ours = {("ssr", 2.0): {"chair": [0.3, 0.4], "table": [0.2, 0.2]}, ("another", 2.0): {"chair": [0.1]}}
    rows, columns = ssr_table(ours, "shapes-1/renders")
    assert columns == ["method", "N", "by", "data", "chair", "table", "mean", "mean of 13"]
    two = [(row["method"], row["by"], row["mean"]) for row in rows if row["N"] == "2"]
    assert two == [
        ("softras", "paper", pytest.approx((0.26 + 0.17) / 2)),
        ("another", "ours", pytest.approx(0.1)),
        ("ssr", "paper", pytest.approx((0.37 + 0.27) / 2)),
        ("ssr", "ours", pytest.approx(0.275)),
    ]
    whole = {row["by"]: row.get("mean of 13") for row in rows if (row["method"], row["N"]) == ("ssr", "2")}
    assert whole == {"paper": pytest.approx(0.50, abs=0.0052), "ours": None}
    assert {(row["by"], row["data"]) for row in rows} == {("paper", "ShapeNet"), ("ours", "shapes-1/renders")}
    text = format_table(rows, columns)
    assert "0.35 ± " in text
    assert text.splitlines()[-1].startswith("softras  all")


def test_the_papers_rows_stay_where_none_of_its_classes_was_run():
    rows, columns = ssr_table({("ssr", 2.0): {"teapot": [0.3]}}, "mine")
    assert columns == ["method", "N", "by", "data", "teapot", "mean", "mean of 13"]
    papers = [row for row in rows if row["by"] == "paper"]
    assert len(papers) == len(SSR_VOXEL_IOU)
    assert all(row["mean"] is None and 0.3 < row["mean of 13"] < 0.7 for row in papers)
    assert format_table(rows, columns).count("paper") == len(papers)


def review(category: str, space: str = "ssr") -> SweepReview:
    return SweepReview(
        name="mine",
        space=space,
        metric=metric_of("voxel_iou", "max", [0.3]),
        arms=("ssr",),
        budgets=Budgets((2.0,), "labelled object"),
        seeds=(0, 1),
        scores={"ssr": {2.0: {0: 0.3, 1: 0.4}}},
        trials=(),
        shared_settings={"data.root": "/data/shapes-1f/renders", "data.category": category},
    )


def test_sweeps_of_several_classes_make_one_table_whether_named_by_word_or_synset():
    rows, columns = published_table([review("chair"), review(SYNSETS["sofa"])])
    assert columns[4:6] == ["chair", "sofa"]
    (ours,) = [row for row in rows if row["by"] == "ours"]
    assert (ours["data"], ours["mean"]) == ("shapes-1f/renders", pytest.approx(0.35))


@pytest.mark.parametrize(
    ("reviews", "complaint"),
    [
        ([review("chair", space="pri3d")], "mine is a sweep of pri3d, this table is for sweeps of ssr"),
        ([review("chair"), review(SYNSETS["chair"])], "two sweeps have ssr on chair"),
    ],
)
def test_sweeps_that_do_not_fit_are_refused(reviews, complaint):
    with pytest.raises(UserError, match=complaint):
        published_table(reviews)
