import math

from sem3d.reporting.intervals import interval
from sem3d.reporting.tables import format_table, markdown_table, metric_table, table_numbers

ROWS = [
    {"setting": "scratch", "mIoU": interval([39.0, 40.0, 41.0]), "seeds": 3, "loss": 0.5},
    {"setting": "Pri3D, view|geo", "mIoU": interval([61.7]), "seeds": 1},
]
COLUMNS = ["setting", "mIoU", "seeds", "loss"]


def test_words_go_left_numbers_go_right_and_absent_cells_are_dashes():
    assert format_table(ROWS, COLUMNS).splitlines() == [
        "setting                  mIoU  seeds  loss",
        "───────────────  ────────────  ─────  ────",
        "scratch          40.00 ± 2.48      3  0.50",
        "Pri3D, view|geo         61.70      1     –",
    ]


def test_markdown_aligns_numbers_right_and_escapes_bars():
    assert markdown_table(ROWS, COLUMNS, digits=1).splitlines() == [
        "| setting | mIoU | seeds | loss |",
        "| --- | ---: | ---: | ---: |",
        "| scratch | 40.0 ± 2.5 | 3 | 0.5 |",
        "| Pri3D, view\\|geo | 61.7 | 1 | – |",
    ]


def test_a_table_without_rows_is_its_heading():
    assert format_table([], ["a", "bb"]) == "a  bb\n─  ──"


def test_a_number_that_is_not_one_is_a_dash():
    assert format_table([{"x": float("nan")}], ["x"]).splitlines()[-1] == "–"


def test_numbers_of_a_table_have_names_that_mlflow_takes_and_shares_of_one():
    rows, columns = metric_table({"miou_scannet": 0.25, "loss_cross_entropy": 2.5, "quarantined": math.nan})
    assert table_numbers(rows, columns) == {"miou_scannet": 0.25, "loss_cross_entropy": 2.5}
    rows = [{"network": "after pretraining", "within 5 px, %": 61.0, "median error, px": interval([3.0, 5.0])}]
    assert table_numbers(rows, ["network", "within 5 px, %", "median error, px"]) == {
        "within 5 px/after pretraining": 0.61,
        "median error_ px/after pretraining": 4.0,
    }
    (odd,) = table_numbers([{"of": "/../a//b?", "IoU (%)": 5}], ["of", "IoU (%)"])
    assert odd == "IoU/a/b_"
