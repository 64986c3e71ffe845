"""Table 1 of Semantic SRN beside ours."""

import pytest

from sem3d.errors import UserError
from sem3d.reporting.formatting import Budgets, metric_of
from sem3d.reporting.page import SweepReview
from sem3d.reporting.papers.semantic_srn import TABLE_1, paper_scores, published_table
from sem3d.reporting.tables import format_table


def review(category: str = "", space: str = "semantic_srn", metric: str = "miou") -> SweepReview:
    return SweepReview(
        name="mine",
        space=space,
        metric=metric_of(metric, "max", [0.3]),
        arms=("srn + linear", "random networks"),
        budgets=Budgets((3.0, 30.0), "labelled mask"),
        seeds=(0, 1),
        scores={"srn + linear": {3.0: {0: 0.2}, 30.0: {0: 0.3, 1: 0.4}}, "random networks": {30.0: {0: 0.1}}},
        trials=(),
        shared_settings={"data.root": "/data/posed-1f", "data.category": category},
    )


def test_ours_stand_below_the_papers_by_masks():
    rows, columns = published_table([review()])
    text = [tuple(row.get(column) for column in columns) for row in rows]
    assert text[0] == ("srn + linear", "3", "ours", "data/posed-1f", "chair", "20.0", None)
    linear = [row for row in text if row[:2] == ("srn + linear", "30")]
    assert linear == [
        ("srn + linear", "30", "paper", "PartNet", "chair", "48.7", "42.3"),
        ("srn + linear", "30", "paper", "PartNet", "table", "58.7", "18.3"),
        ("srn + linear", "30", "ours", "data/posed-1f", "chair", "35.0 ± 63.5", None),
    ]
    assert text[-1][:3] == ("random networks", "30", "ours")
    assert len(format_table(rows, columns).splitlines()) == 2 + len(rows)


def test_a_sweep_meets_the_numbers_of_its_class():
    assert paper_scores(review("Tables")) == {(arm, 30.0): found["table"][0] for arm, found in TABLE_1.items()}
    assert paper_scores(review())["u-net, oracle views", 30.0] == 42.2
    assert paper_scores(review("lamp")) == {}


def test_the_scene_network_is_best_in_the_papers_own_figures():
    for name in ("chair", "table"):
        others = [found[name] for arm, found in TABLE_1.items() if arm != "srn + linear"]
        assert all(
            best > other for pair in others for best, other in zip(TABLE_1["srn + linear"][name], pair, strict=True)
        )


@pytest.mark.parametrize(
    ("reviews", "complaint"),
    [
        ([review(space="ssr")], "mine is a sweep of ssr, this table is for sweeps of semantic_srn"),
        ([review(metric="psnr")], "compares psnr"),
        ([review("chair"), review("Chair")], r"two sweeps have srn \+ linear on chairs"),
    ],
)
def test_sweeps_that_do_not_fit_are_refused(reviews, complaint):
    with pytest.raises(UserError, match=complaint):
        published_table(reviews)
