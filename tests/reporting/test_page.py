import base64
import hashlib
import re
import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from sem3d.reporting.formatting import MISSING, Budgets, metric_of
from sem3d.reporting.page import (
    ClassTable,
    Confusion,
    Effect,
    Limits,
    Picture,
    SweepReview,
    Training,
    TrialLine,
    cautions,
    render_page,
)
from sem3d.reporting.page.confusions import confusion_pairs
from sem3d.reporting.page.environment import FOLDER, PACKAGE, environment
from sem3d.reporting.page.gallery import MOST_PICTURES, chosen, gallery
from sem3d.reporting.page.training import MOST_POINTS, training_curves
from sem3d.reporting.page.trials import costs, shared_settings, trial_rows

ARMS = ("scratch", "pri3d")
BUDGETS = (0.2, 1.0)
VOID = {"meta", "img", "source", "input", "br"}


def made_up(
    gain: float = 0.05, seeds: int = 3, arms: tuple[str, ...] = ARMS, budgets: tuple[float, ...] = BUDGETS
) -> SweepReview:
    """A review in which every later arm is better by ``gain``, give or take a little by seed."""
    scores = {
        arm: {
            budget: {
                seed: 0.2 + gain * index + 0.1 * budget + 0.01 * seed + 0.001 * ((seed + index) % 2)
                for seed in range(seeds)
            }
            for budget in budgets
        }
        for index, arm in enumerate(arms)
    }
    trials = tuple(
        TrialLine(
            arm=arm,
            budget=budget,
            seed=seed,
            status="finished",
            value=value,
            settings={"optim.lr": 0.1},
            steps=80,
            seconds=40.0,
        )
        for arm, by_budget in scores.items()
        for budget, by_seed in by_budget.items()
        for seed, value in by_seed.items()
    )
    return SweepReview(
        name="demo",
        space="pri3d",
        made={"begun": "2026-11-27", "command": "python -m jobs.tune pri3d --name <b>", "commit": "0123abc"},
        metric=metric_of("miou_scannet", "max", [0.2]),
        arms=arms,
        budgets=Budgets(budgets),
        seeds=tuple(range(seeds)),
        scores=scores,
        trials=trials,
    )


class Reader(HTMLParser):
    """Checks that elements are closed in order, and keeps addresses, ids and text."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset") and value]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f"{data} "


def full(tmp_path: Path) -> SweepReview:
    """A review with every part."""
    places = [(arm, budget, seed) for arm in ARMS for budget in BUDGETS for seed in range(3)]
    path = tmp_path / "predictions.png"
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(path)
    failed = TrialLine(
        arm="pri3d",
        budget=0.2,
        seed=7,
        status="failed",
        value=float("nan"),
        settings={},
        steps=0,
        seconds=3.0,
        error="out of memory",
    )
    review = made_up()
    return replace(
        review,
        trials=(*review.trials, failed),
        class_tables=tuple(ClassTable(*place, "iou_by_class", {"wall": 0.5, "chair": 0.1}) for place in places),
        confusions=tuple(
            Confusion(
                *place, "confusion", ("wall", "chair"), np.array([[3.0, 1.0], [2.0, 2.0]]), ("#aa0000", "#00bb00")
            )
            for place in places
        ),
        pictures=tuple(Picture(arm, budget, 0, "predictions", path) for arm in ARMS for budget in BUDGETS),
        trainings=tuple(Training(*place, (10, 20, 30), (4.0, 2.0, 1.0)) for place in places),
        shared_settings={"schedule.steps": 80},
        estimate={"seconds": 600.0, "trials": 12.0},
        spent={"seconds": 754.0, "trials": 12.0, "cpu_hours": 0.42},
        champion={
            "registered as": "sem3d-pri3d, version 3",
            "load": "python -m jobs.evaluate models:/sem3d-pri3d@champion",
        },
        notes=("One note.",),
        limits=(
            Limits(budget=0.2, seed=0, floor=0.16, bound=0.6, never_shown=("bed",), basis="4 of 9 frames"),
            Limits(budget=0.2, seed=1, floor=0.14, bound=0.5, never_shown=("bed", "sink")),
            Limits(budget=1.0, seed=0, floor=0.14, bound=1.0),
        ),
        effects=tuple(
            Effect(arms=("pri3d",), seed=seed, before={"probe_miou_scannet": 0.03}, after={"probe_miou_scannet": 0.12})
            for seed in (0, 1)
        ),
    )


def test_the_page_has_every_part_and_asks_nobody_for_anything(tmp_path: Path):
    page = render_page(full(tmp_path))
    read = Reader(page)
    for words in (
        "not ranked, below twice the floor at 20\u00a0% of labels; better: +5.0 (",
        "Nothing can be ranked at 20 % of labels (best 28.1, floor 15.0)",
        "never shown",
        "sink (seed 1)",
        "probe mIoU scannet",
        "most often confused: chair → wall",
        "out of memory",
        "12 min 34 s",
        "2026-11-27",
        "python -m jobs.tune pri3d --name <b>",
        "pri3d, seed 2: 1 at step 30",
    ):
        assert words in read.text, words
    for anchor in (
        "curve",
        "table",
        "marks",
        "classes",
        "confusion",
        "training",
        "predictions",
        "champion",
        "failed",
        "trials",
        "cost",
    ):
        assert f'<section id="{anchor}"' in page
    assert all(address.startswith(("data:image/", "#")) for address in read.addresses)
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", page)
    assert render_page(full(tmp_path)) == page


def test_the_page_obeys_its_own_content_security_policy(tmp_path: Path):
    page = render_page(full(tmp_path))
    assert not {name for name in Reader(page).attributes if name == "style" or name.startswith("on")}
    for kind in ("style", "script"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        sealed = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src &#39;sha256-{sealed}&#39;" in page
    assert "default-src &#39;none&#39;" in page


def test_every_string_is_escaped(tmp_path: Path):
    evil = '"><script>alert(1)</script>'
    review = made_up(arms=("scratch", evil))
    hostile = replace(
        review,
        name=evil,
        trials=tuple(
            replace(trial, settings={evil: evil}, error=evil, status="failed", run_id=evil) for trial in review.trials
        ),
        class_tables=tuple(ClassTable(arm, 0.2, 0, evil, {evil: 0.5}) for arm in review.arms),
        confusions=tuple(Confusion(arm, 0.2, 0, evil, (evil, "b"), np.ones((2, 2))) for arm in review.arms),
        shared_settings={evil: evil},
        champion={evil: evil},
        made={evil: evil},
        notes=(evil,),
        spent={evil: 1.0},
    )
    page = render_page(hostile)
    assert page.count("<script>") == 1
    assert "alert(1)" not in re.sub(r"&#34;&gt;&lt;script&gt;alert\(1\)", "", page)
    Reader(page)


def test_a_template_that_asks_for_a_name_that_is_not_given_raises():
    with pytest.raises(UndefinedError, match="headline"):
        environment().get_template("page.html.j2").render(
            review=made_up(), style="", script="", policy="", scope="", ends=None
        )


def test_templates_style_and_script_are_shipped_with_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    shipped = project["tool"]["setuptools"]["package-data"][PACKAGE]
    folder = Path(str(files(PACKAGE)))
    present = {str(path.relative_to(folder)) for path in (folder / FOLDER).iterdir()}
    assert {"templates/page.html.j2", "templates/style.css", "templates/script.js"} <= present
    assert not {name for name in present if not any(fnmatch(name, pattern) for pattern in shipped)}


def test_few_seeds_are_called_a_weak_test():
    said = " ".join(cautions(made_up(seeds=3)))
    assert "3 seeds make a weak test" in said
    assert "p = 0.25" in said
    assert "weak" not in " ".join(cautions(made_up(seeds=8)))
    assert cautions(made_up(seeds=1))[0].startswith("One seed an arm and budget: no interval and no test.")


def test_one_seed_shows_no_interval_and_no_p_value():
    text = Reader(re.sub("<style>.*?</style>", "", render_page(made_up(seeds=1)), flags=re.DOTALL)).text
    assert "±" not in text
    assert "Holm" not in text


def test_the_gallery_is_bounded_and_prefers_predictions_at_the_ends():
    budgets = tuple(float(value) for value in range(1, 12))
    pictures = tuple(
        Picture(arm, budget, 0, name, Path("x"))
        for name in ("features", "predictions")
        for arm in ("a", "b", "c")
        for budget in budgets
    )
    kept, left_out = chosen(pictures, budgets)
    assert (len(kept), left_out) == (MOST_PICTURES, len(pictures) - MOST_PICTURES)
    assert {picture.name for picture in kept} == {"predictions"}
    assert {1.0, 11.0} <= {picture.budget for picture in kept}


def test_a_picture_that_cannot_be_read_is_counted_and_left_out(tmp_path: Path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    review = replace(made_up(), pictures=(Picture("scratch", 0.2, 0, "predictions", tmp_path / "broken.png"),))
    page = render_page(review)
    assert "1 more figure not shown here" in page


def test_every_matrix_has_the_same_classes_in_rows_and_columns():
    names = ("ignored", "wall", "chair", "absent")
    counts = {arm: np.zeros((4, 4)) for arm in ("scratch", "pri3d")}
    counts["scratch"][1, 1], counts["pri3d"][1, 0], counts["pri3d"][2, 1] = 5, 3, 4
    review = replace(
        made_up(), confusions=tuple(Confusion(arm, 0.2, 0, "confusion", names, found) for arm, found in counts.items())
    )
    (pair,) = confusion_pairs(review)
    assert [matrix.classes for matrix in pair.matrices] == 2 * [("ignored", "wall", "chair")]
    cells = [{(share.row, share.column): share.kind for share in matrix.shares} for matrix in pair.matrices]
    assert cells == [{(1, 1): "right"}, {(1, 0): "wrong", (2, 1): "wrong"}]


def test_a_class_that_does_not_occur_is_left_out_and_one_that_is_only_predicted_has_an_empty_row():
    counts = np.array([[0.0, 0.0, 0.0], [1.0, 9.0, 0.0], [0.0, 0.0, 0.0]])
    names = ("ignored", "wall", "absent")
    review = replace(made_up(), confusions=(Confusion("scratch", 0.2, 0, "confusion", names, counts),))
    page = render_page(review)
    assert "wall predicted as ignored: 10" in page
    assert "absent" not in page
    assert "ignored predicted" not in page


def test_curves_of_training_end_where_the_trials_do(tmp_path: Path):
    curves = training_curves(full(tmp_path))
    assert curves is not None
    assert [drawing.title for drawing in curves.drawings] == ["20 % of labels", "100 % of labels"]
    drawing, third = curves.drawings[0], f"{curves.width / 3:.1f}"
    assert (drawing.top, drawing.bottom, drawing.steps, len(drawing.lines)) == ("4", "0", "30", 6)
    assert drawing.lines[0].points == f"{third},0.0 200.0,75.0 300.0,112.5"
    short = training_curves(replace(made_up(), trainings=(Training("scratch", 1.0, 0, (6,), (2.0,)),)))
    assert short is not None
    assert short.drawings[0].lines[0].point == ("300.0", "0.0"), "a line of one point would show nothing"
    long = Training("scratch", 1.0, 0, tuple(range(1, 2002)), tuple(-1.0 / step for step in range(1, 2002)))
    drawn = training_curves(replace(made_up(), trainings=(long,)))
    assert drawn is not None
    points = drawn.drawings[0].lines[0].points.split()
    assert len(points) <= MOST_POINTS + 1
    assert points[-1].startswith("300.0,")
    assert (drawn.drawings[0].top, drawn.drawings[0].bottom) == ("0", "-1")
    assert [arm for _, arm in drawn.arms] == ["scratch"]


def test_predictions_have_a_legend_of_the_classes_that_occur(tmp_path: Path):
    assert gallery(full(tmp_path)).legend == (("#aa0000", "wall"), ("#00bb00", "chair"))
    plain = replace(full(tmp_path), confusions=tuple(replace(one, colors=()) for one in full(tmp_path).confusions))
    assert gallery(plain).legend == ()


def test_what_was_not_estimated_and_cost_nothing_is_not_in_the_account(tmp_path: Path):
    spent = {"trials": 12.0, "seconds": 754.0, "cpu_hours": 0.42, "gpu_hours": 0.0, "money": 0.0}
    review = replace(full(tmp_path), estimate={**dict.fromkeys(spent, 0.0), "trials": 12.0}, spent=spent)
    rows = [(cost.name, cost.estimate, cost.spent) for cost in costs(review)]
    assert rows == [("trials", "12", "12"), ("time", MISSING, "12 min 34 s"), ("cpu hours", MISSING, "0.42")]
    with_pretraining = replace(review, pretraining_seconds={"pretraining for pri3d, seed 0": 70.0, "found": 0.0})
    last = costs(with_pretraining)[-1]
    assert (last.name, last.spent) == ("time of pretraining for pri3d, seed 0", "1 min 10 s")


def test_settings_that_all_trials_have_are_said_once(tmp_path: Path):
    review = full(tmp_path)
    assert {row.settings for row in trial_rows(review)} == {MISSING}
    assert shared_settings(review) == {"optim.lr": "0.1", "schedule.steps": "80"}
    first, *others = review.trials
    varied = replace(review, trials=(replace(first, settings={"optim.lr": 0.2}), *others))
    assert [row.settings for row in trial_rows(varied)][:2] == ["optim.lr 0.2", "optim.lr 0.1"]
    assert shared_settings(varied) == {"schedule.steps": "80"}


@pytest.mark.slow
def test_a_page_of_five_hundred_trials_is_small(tmp_path: Path):
    review = made_up(seeds=20, arms=("a", "b", "c", "d", "e"), budgets=(0.01, 0.05, 0.1, 0.2, 1.0))
    assert len(review.trials) == 500
    names = tuple(f"class {number}" for number in range(21))
    cells = [(arm, budget) for arm in review.arms for budget in review.budgets.values]
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (480, 1280, 3), np.uint8)).save(tmp_path / "noise.png")
    review = replace(
        review,
        confusions=tuple(
            Confusion(arm, budget, seed, "confusion", names, rng.integers(0, 10**6, (21, 21)).astype(float))
            for arm, budget in cells
            for seed in review.seeds
        ),
        pictures=tuple(
            Picture(arm, budget, seed, "predictions", tmp_path / "noise.png")
            for arm, budget in cells
            for seed in (0, 1)
        ),
        class_tables=tuple(
            ClassTable(arm, budget, seed, "iou_by_class", dict.fromkeys(names, 0.5))
            for arm, budget in cells
            for seed in review.seeds
        ),
    )
    assert len(render_page(review)) < 10_000_000
