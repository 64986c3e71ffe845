import csv
import io
import itertools
import math

import numpy as np
import pytest

from sem3d.reporting.budget_curve import NO_MARKS, _reach, _spread, csv_text, curve_rows, draw_budget_curve
from sem3d.reporting.formatting import Budgets, duration_text, metric_of, p_text
from sem3d.reporting.intervals import interval, paired_difference

SHARES = Budgets((0.05, 0.2, 1.0))
MIOU = metric_of("miou_scannet", "max", [0.2])


def made_up(arms, budgets, seeds):
    return {
        arm: {
            budget: {seed: 0.2 + 0.05 * index + 0.1 * budget + 0.01 * seed for seed in range(seeds)}
            for budget in budgets
        }
        for index, arm in enumerate(arms)
    }


def test_the_curve_is_drawn_for_light_and_dark_and_for_narrow_screens():
    scores = made_up(("scratch", "pri3d"), SHARES.values, 3)
    light, dark = (draw_budget_curve(scores, ("scratch", "pri3d"), MIOU, SHARES, dark=dark) for dark in (False, True))
    assert light.dtype == np.uint8
    assert light.mean() > 200 > 60 > dark.mean()
    narrow = draw_budget_curve(scores, ("scratch", "pri3d"), MIOU, SHARES, size="narrow")
    assert narrow.shape[1] < 0.6 * light.shape[1]


@pytest.mark.parametrize(
    ("arms", "budgets", "seeds"),
    [
        ((), (1.0,), 3),
        (("a",), (1.0,), 1),
        (("a",), (0.0, 5.0), 2),
        (("a", "a long name of an arm, really"), (2.0, 5.0, 20.0), 2),
    ],
)
def test_odd_sweeps_are_drawn_without_a_warning(arms, budgets, seeds):
    picture = draw_budget_curve(made_up(arms, budgets, seeds), arms or ("nobody",), MIOU, Budgets(budgets))
    assert picture.std() > 0


def test_all_labels_stand_one_step_beyond_the_largest_number():
    budgets = Budgets((2.0, 8.0, 32.0, float("inf")), "labelled object")
    assert budgets.positions() == {2.0: 2.0, 8.0: 8.0, 32.0: 32.0, float("inf"): pytest.approx(128.0)}
    assert Budgets((5.0, float("inf")), "labelled object").positions()[float("inf")] == 20.0
    assert [budgets.short(value) for value in budgets.values] == ["2", "8", "32", "all"]
    assert budgets.text(float("inf")) == "all labelled objects"
    scores = {"a": {value: {0: 0.1, 1: 0.2} for value in budgets.values}}
    assert draw_budget_curve(scores, ("a",), MIOU, budgets).std() > 0


def test_no_cell_of_a_table_is_a_formula():
    rows = [{"=arm": "=HYPERLINK(1)", "error": "@x", "loss": -1.5, "low": -math.inf}, {"error": "-1+1", "loss": "\tx"}]
    lines = list(csv.reader(io.StringIO(csv_text(rows))))
    assert lines == [
        ["'=arm", "error", "loss", "low"],
        ["'=HYPERLINK(1)", "'@x", "-1.5", "-inf"],
        ["", "'-1+1", "'\tx", ""],
    ]


def test_the_same_scores_give_the_same_picture():
    scores = made_up(("a", "b"), (1.0, 5.0), 2)
    pictures = [draw_budget_curve(scores, ("a", "b"), MIOU, Budgets((1.0, 5.0)), size="narrow") for _ in range(2)]
    np.testing.assert_array_equal(*pictures)


def test_the_axis_begins_at_zero_and_an_interval_or_a_bound_far_above_the_seeds_does_not_flatten_them():
    error = metric_of("error", "min", [20.0])
    bottom, top = _reach([20.0, 22.0], [-60.0, 100.0], NO_MARKS, error)
    assert bottom == 0
    assert 22 < top < 36
    assert _reach([6.6, 6.7], [], NO_MARKS, MIOU) == (0.0, pytest.approx(6.7 * 1.05))
    marks = {"floor": {0.2: 9.0}, "bound": {0.2: 60.0, 1.0: 12.0}}
    bottom, top = _reach([5.0, 7.0], [], marks, MIOU)
    assert (bottom, 12 < top < 15) == (0.0, True)
    assert _reach([-2.0, 1.0], [], NO_MARKS, error)[0] < -2
    assert _reach([99.0], [120.0], NO_MARKS, MIOU)[1] < 106


def test_floor_and_bound_are_drawn():
    scores = made_up(("a",), SHARES.values, 2)
    marks = {"floor": dict.fromkeys(SHARES.values, 0.1), "bound": dict.fromkeys(SHARES.values, 0.4)}
    plain, marked = (draw_budget_curve(scores, ("a",), MIOU, SHARES, given) for given in (NO_MARKS, marks))
    assert (plain != marked).mean() > 0.005


def test_names_at_the_ends_of_lines_do_not_overlap():
    placed = _spread([0.1, 0.11, 0.12, 0.9], 0.05)
    assert all(upper - lower >= 0.05 - 1e-9 for lower, upper in itertools.pairwise(placed))
    assert sum(placed) == pytest.approx(sum([0.1, 0.11, 0.12, 0.9]))


def test_the_table_has_a_row_an_arm_and_budget_with_the_paired_difference():
    scores = {"scratch": {0.2: {0: 0.1, 1: 0.3}}, "pri3d": {0.2: {0: 0.25, 1: 0.4}, 1.0: {0: 0.5}}}
    marks = {"floor": {0.2: 0.05}, "bound": {}}
    rows = curve_rows(scores, ("scratch", "pri3d"), MIOU, marks)
    read = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert [(row["arm"], row["budget"], row["seeds"]) for row in read] == [
        ("scratch", "0.2", "2"),
        ("pri3d", "0.2", "2"),
        ("pri3d", "1.0", "1"),
    ]
    assert float(read[0]["high (%)"]) == pytest.approx(100 * interval([0.1, 0.3]).high)
    gap = paired_difference(scores["scratch"][0.2], scores["pri3d"][0.2])
    assert float(read[1]["difference_mean (%)"]) == pytest.approx(100 * gap.mean)
    assert float(read[1]["p"]) == gap.p
    assert [row["floor (%)"] for row in read] == ["5.0", "5.0", ""]
    assert read[2]["low (%)"] == read[2]["p"] == read[0]["difference_mean (%)"] == read[0]["bound (%)"] == ""
    assert "mean" in curve_rows(scores, ("scratch",), metric_of("error", "min", [0.1]))[0]


def test_csv_keeps_every_column_and_quotes_what_needs_it():
    text = csv_text([{"a": 1}, {"a": 'x, "y"', "b": float("nan")}])
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ["1", ""], ['x, "y"', ""]]


def test_words_for_metrics_budgets_and_times():
    assert MIOU.text(0.3125) == "31.2"
    assert MIOU.axis == "mIoU scannet (%)"
    assert MIOU.signed(-0.031) == "−3.1"
    assert [MIOU.signed(value) for value in (-0.0004, 0.0, 0.0004, 0.0006)] == ["0.0", "0.0", "0.0", "+0.1"]
    assert (MIOU.text(-0.0004), MIOU.named) == ("0.0", "miou_scannet (%)")
    error = metric_of("match_median_error_px", "min", [12.34])
    assert (error.text(12.34), error.axis) == ("12.3", "match median error px, lower is better")
    assert error.named == "match_median_error_px"
    assert [error.same(0.02, 12.34), error.same(0.06, 12.34), error.same(0.0, 0.0)] == [True, False, True]
    assert not metric_of("accuracy", "max", [71.0]).percent
    assert SHARES.text(0.05) == "5 % of labels"
    assert Budgets((2.0, 20.0), "labelled frame").text(20.0) == "20 labelled frames"
    views = Budgets((1.0, 50.0), "observed view")
    assert [(views.short(value), views.text(value)) for value in views.values] == [
        ("1 view", "1 observed view"),
        ("50 views", "50 observed views"),
    ]
    assert (views.axis, [views.number(value) for value in views.values]) == ("observed views, logarithmic", ["1", "50"])
    assert [Budgets((1.0,), unit).short(1.0) for unit in ("", "labelled mask")] == ["100 %", "1"]
    assert [duration_text(value) for value in (4.21, 59, 754, 7500)] == ["4.2 s", "59 s", "12 min 34 s", "2 h 5 min"]
    assert [p_text(value) for value in (1e-9, 0.0312, 0.4)] == ["< 0.001", "0.031", "0.40"]
