from sem3d.reporting.intervals import interval
from sem3d.reporting.tables import format_table, markdown_table

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
