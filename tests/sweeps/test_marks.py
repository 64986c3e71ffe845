"""Figures beside the scores: recorded, read, and shown wherever scores are."""

import csv
import io
from pathlib import Path

from sem3d.sweeps.model_card import champion_lines, choose_champion
from sem3d.sweeps.publish import note, parent_metrics, publish
from sem3d.sweeps.records import EffectRecord, MarksRecord, PretrainingRecord, read_sweep, read_trials, write_record
from sem3d.sweeps.report import write_report
from sem3d.sweeps.results import read_review
from sem3d.sweeps.table import sweep_table
from tests.sweeps.fake_sweep import fake_sweep, picture

METHOD = "semantic_segmentation_2d"


def marked(storage: Path) -> Path:
    """A sweep whose first budget is below twice the floor."""
    folder = fake_sweep(storage, budgets=(0.2, 1.0))
    for budget, bound in ((0.2, 0.6), (1.0, 1.0)):
        for seed in range(2):
            write_record(
                folder,
                MarksRecord(
                    key=f"{budget}-{seed}",
                    method=METHOD,
                    budget=budget,
                    seed=seed,
                    floor={"miou_scannet": 0.2 - 0.05 * budget, "miou_pri3d": 0.1},
                    bound={"miou_scannet": bound},
                    never_shown=["bed"] if budget < 1 else [],
                    basis="4000 of 20000 training frames",
                ),
            )
    write_record(folder, PretrainingRecord(key="pre-1", method="pri3d", arm="pri3d", seed=0))
    figures = {"match_rate_5px": 0.183, "match_rate_5px_by_chance": 0.007}
    after = figures | {"match_rate_5px": 0.505}
    write_record(folder, EffectRecord(key="pre-1-matches", pretraining="pre-1", seed=0, before=figures, after=after))
    write_record(folder, EffectRecord(key="pre-1-probe", pretraining="pre-1", seed=0, error="no labelled frame"))
    write_record(folder, MarksRecord(key="0.2-seed-2", method=METHOD, budget=0.2, seed=2, error="the disk has gone"))
    return folder


def test_marks_stand_beside_the_scores_wherever_these_are_shown(tmp_path: Path):
    folder = marked(tmp_path)
    review = read_review(folder)
    assert review.not_ranked == (0.2,)
    assert {"No floor or bound: the disk has gone."} < set(review.notes)
    assert "Not measured before and after a pretraining: no labelled frame." in review.notes
    lines = sweep_table(review)
    assert lines[1] == "mIoU scannet (%), mean and 95 % interval over 3 seeds"
    assert [line.split() for line in lines if line.startswith("1 ")] == [["1", "30.5", "±", "0.9", "36.5", "±", "0.9"]]
    assert "20 % of labels: floor 19.0 %, at most 60.0 %; never shown: bed" in lines
    assert "100 % of labels: floor 15.0 %, at most 100.0 %" in lines
    assert "pretraining of pri3d: match rate 5px 18.3 % → 50.5 %; by chance 0.7 %" in lines
    assert "marks are made from 4000 of 20000 training frames" in lines
    (told,) = [line for line in lines if line.startswith("Nothing can be ranked at 20 % of labels (best")]
    published = publish(folder)
    assert "not ranked, below twice the floor at 20 % of labels; better: +6.0 (" in published[0]
    assert told in note(review)
    page = (folder / "report" / "report.html").read_text()
    for words in ("Marks beside the scores", "never shown", "18.3 %", "4000 of 20000", "not ranked</span>"):
        assert words in page, words
    metrics = parent_metrics(review)
    assert (metrics["floor/0.2"], metrics["bound/1"]) == (0.19, 1.0)


def test_tables_for_spreadsheets_say_their_unit(tmp_path: Path):
    folder = marked(tmp_path)
    write_report(folder, tmp_path / "out")
    curve, trials, marks = (
        list(csv.DictReader(io.StringIO((tmp_path / "out" / name).read_text())))
        for name in ("budget_curve.csv", "trials.csv", "marks.csv")
    )
    assert [(row["floor (%)"], row["bound (%)"]) for row in curve[:2]] == [("19.0", "60.0"), ("15.0", "100.0")]
    scores = {trial.key: trial.metrics["miou_scannet"] for trial in read_trials(folder)}
    assert {row["trial"]: float(row["metric.miou_scannet (%)"]) for row in trials} == {
        key: round(100 * value, 10) for key, value in scores.items()
    }
    assert {row["metric.loss"] for row in trials} == {"1.5"}
    assert [row["what"] for row in marks] == ["floor", "bound"] * 4 + ["before", "after"]
    assert marks[-1]["match_rate_5px (%)"] == "50.5"


def test_a_gain_has_its_interval_over_pretrainings_and_one_picture_shows_it(tmp_path: Path):
    folder = marked(tmp_path)
    write_record(folder, PretrainingRecord(key="pre-2", method="pri3d", arm="pri3d", seed=1))
    before, after = ({"match_rate_5px": rate, "match_rate_5px_by_chance": 0.007} for rate in (0.203, 0.515))
    key = "pre-2-matches"
    write_record(
        folder, EffectRecord(key=key, pretraining="pre-2", seed=1, before=before, after=after, picture=f"{key}.png")
    )
    picture(folder / "effects" / f"{key}.png", 0.5)
    review = read_review(folder)
    half = 12.7062 * 0.5
    gain = f"+31.7 ({31.7 - half:.1f} .. {31.7 + half:.1f})"
    (line,) = [line for line in sweep_table(review) if line.startswith("pretraining of pri3d: match rate")]
    assert line.endswith(f"%, {gain}; by chance 0.7 ± 0.0 %")
    lines = publish(folder)
    assert lines[0].endswith(f" %, {gain}.")
    assert f"picture    {folder / 'effects' / key}.png: before and after pretraining" in lines
    assert f"curve      {folder / 'report' / 'budget_curve.png'}" in lines
    page = (folder / "report" / "report.html").read_text()
    for words in (gain, "before and after pretraining, seed 1"):
        assert words in page, words


def test_a_model_card_says_what_its_score_lies_between(tmp_path: Path):
    folder = marked(tmp_path)
    review = read_review(folder)
    champion = choose_champion(read_sweep(folder), read_trials(folder), tmp_path)
    assert champion is not None
    assert champion_lines(champion, review)["marks"] == (
        "mIoU scannet (%): 15.0 without a look at the input; at most 100.0 by what its labels show"
    )


def test_a_sweep_without_marks_is_shown_without_them(tmp_path: Path):
    folder = fake_sweep(tmp_path, budgets=(1.0,), seeds=1)
    review = write_report(folder, tmp_path / "out")
    lines = sweep_table(review)
    assert lines[1] == "mIoU scannet (%), one seed, no interval"
    assert not any("floor" in line or "Nothing" in line for line in lines)
    assert "Marks beside" not in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "marks.csv").read_text().strip() == ""


def test_the_pretrainings_of_a_chain_are_told_apart(tmp_path: Path):
    folder = fake_sweep(tmp_path, budgets=(0.2,))
    for seed in range(2):
        for name, after in (("pri3d", 0.5), ("ppkt", 0.1)):
            key = f"{name}-{seed}"
            write_record(folder, PretrainingRecord(key=key, method=name, arm="pri3d", seed=seed, name=name))
            figures = {"match_rate_5px": after / 2}, {"match_rate_5px": after}
            effect = EffectRecord(key=f"{key}-matches", pretraining=key, seed=seed, before=figures[0], after=figures[1])
            write_record(folder, effect)
    lines = [line for line in sweep_table(read_review(folder)) if line.startswith("pretraining of")]
    assert sorted(line.partition(" %")[0] for line in lines) == [
        "pretraining of pri3d (ppkt): match rate 5px 5.0 ± 0.0",
        "pretraining of pri3d (pri3d): match rate 5px 25.0 ± 0.0",
    ]
