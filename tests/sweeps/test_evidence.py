"""Evidence: sizes become sweeps that resume, their findings become one record and one table."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.evidence.__main__ import KEPT, block
from sem3d.errors import UserError
from sem3d.sweeps.evidence import (
    Size,
    evidence_of,
    evidence_table,
    read_evidence,
    sizes_of,
    tune_arguments,
    write_evidence,
)
from sem3d.sweeps.other_metrics import lines_beside
from sem3d.sweeps.records import MarksRecord, read_trials, write_record
from sem3d.sweeps.results import read_review
from sem3d.sweeps.space import read_space, written_spaces
from tests.sweeps.fake_sweep import fake_sweep

ROOT = Path(__file__).parents[2]
WITH_SIZES = (
    "pixel_semantics",
    "pixel_semantics_viewpoint",
    "ppkt",
    "ppkt_detection",
    "pri3d",
    "semantic_srn",
    "semantic_srn_masks",
    "ssr",
)


def found(tmp_path: Path, size: str = "laptop", **changes):
    folder = fake_sweep(tmp_path, arms=("imagenet", "imagenet+pri3d"), **changes)
    return evidence_of(folder, read_space("pri3d"), size, f"python -m jobs.evidence pri3d --size {size}")


@pytest.mark.parametrize("space", WITH_SIZES)
def test_every_size_asks_for_arms_budgets_and_settings_that_its_space_has(space):
    from jobs.tune import settings_of

    assert {"laptop", "gpu", "paper"} <= sizes_of(space).keys()
    assert [sizes_of(space)[name].preset for name in ("gpu", "paper")] == ["gpu", "paper"]
    assert 0 < sizes_of(space)["gpu"].settings["run.gpus_per_worker"] * sizes_of(space)["gpu"].max_concurrent <= 1
    for name, size in sizes_of(space).items():
        known = read_space(space, size.preset)
        assert [known.arm(arm).name for arm in size.arms] == list(size.arms)
        words = tune_arguments(space, name, size, "" if size.world else "/data", "/runs", "world")
        if "--set" in words:
            settings_of(known, tuple(words[words.index("--set") + 1 :]))
        assert bool(size.world) != (name == "paper")


def test_a_size_of_the_papers_data_wants_their_folder():
    with pytest.raises(UserError, match=r"--data\.root"):
        tune_arguments("pri3d", "paper", Size(arms=("a",), budgets=(1.0,), seeds=1), "", "runs", "rooms")


def test_a_dry_run_is_of_the_same_sweep_and_tries_steps():
    size = sizes_of("ssr")["gpu"]
    run, said = (tune_arguments("ssr", "gpu", size, "", "runs", "shapes", dry_run) for dry_run in (False, True))
    assert [word for word in said if word != "--dry-run"] == " ".join(run).replace(" --probe-steps 0", "").split(" ")
    assert "--probe-steps" not in said


def test_a_space_without_sizes_is_refused_with_those_that_have_some():
    assert set(WITH_SIZES) < set(written_spaces())
    with pytest.raises(
        UserError,
        match=f"choose one of {', '.join(WITH_SIZES)}, or run",
    ):
        sizes_of("semantic_segmentation_2d")


def test_a_record_says_what_the_scores_say(tmp_path):
    def score(arm: str, budget: float, seed: int) -> float:
        return 0.10 + 0.01 * seed + (0.05 + 0.001 * seed if "pri3d" in arm else 0.0)

    evidence = found(tmp_path, budgets=(0.2, 1.0), score=score)
    (_, gain, _, _) = evidence.rows
    assert (gain.budget, gain.arm, gain.paper) == ("20 %", "imagenet+pri3d", 0.515)
    assert gain.scores == pytest.approx([0.15, 0.161, 0.172])
    assert gain.differences == pytest.approx([0.05, 0.051, 0.052])
    assert evidence.rows[0].differences == []
    half = 4.302652730 * 0.1 / math.sqrt(3)
    row = evidence_table(evidence)[0][1]
    assert (row["paper"], row["ours, here"]) == ("51.5", f"16.1 ± {11 * half:.1f}")
    assert row["difference"] == f"+5.1 ({5.1 - half:.1f} .. {5.1 + half:.1f})"
    assert row["p"] == "< 0.001"
    path = tmp_path / "evidence" / "one.json"
    write_evidence(path, evidence)
    assert read_evidence(path) == evidence


def test_ours_stands_under_the_papers_protocol_only_where_the_papers_data_were_learnt_from(tmp_path):
    here, paper = (evidence_table(found(tmp_path / size, size))[0][-1] for size in ("laptop", "paper"))
    assert here["paper"] == paper["paper"] == "61.7"
    assert here["ours, paper's protocol"] == "–" == paper["ours, here"]
    assert here["ours, here"] == paper["ours, paper's protocol"] != "–"


def test_other_metrics_that_a_space_names_stand_beside(tmp_path):
    folder = fake_sweep(tmp_path, arms=("a", "b"), budgets=(1.0,))
    for trial in read_trials(folder):
        gain = 0.2 if trial.arm == "b" else 0.0
        write_record(folder, replace(trial, metrics=trial.metrics | {"pck_far": 0.3 + gain + 0.01 * trial.seed}))
    space = replace(read_space("pri3d"), also=("pck_far", "not_measured"))
    (line,) = lines_beside(folder, space, read_review(folder))
    half = 4.302652730 * 1 / math.sqrt(3)
    assert line == f"PCK far (%) at 100 %: a 31.0 ± {half:.1f}, b 51.0 ± {half:.1f} (+20.0)"


@pytest.mark.parametrize(
    ("unit", "shown", "said"),
    [
        ("observed view", "1 view", "1 observed view: "),
        (" ", "1 ", "1  : "),  # what a damaged record may hold
        ("labelled mask", "1", "1 labelled mask: "),
        ("", "100 %", "100 % of labels: "),
        (None, "100 %", "100 % of labels: "),
    ],
)
def test_a_budget_of_one_is_shown_in_the_unit_that_the_sweep_recorded(tmp_path, unit, shown, said):
    folder = fake_sweep(tmp_path, arms=("a", "b"), budgets=(1.0,), budget_unit=unit)
    write_record(folder, MarksRecord(key="1-seed-0", method="pri3d", budget=1.0, seed=0, floor={"miou_scannet": 0.1}))
    evidence = evidence_of(folder, read_space("pri3d"), "laptop", "command")
    assert {row.budget for row in evidence.rows} == {shown}
    assert evidence.marks[0].startswith(said)


def test_numbers_above_one_of_an_older_record_are_labelled_items(tmp_path):
    assert read_review(fake_sweep(tmp_path, budgets=(1.0, 20.0))).budgets.text(20.0) == "20 labelled items"


def test_one_seed_has_no_interval(tmp_path):
    rows, _ = evidence_table(found(tmp_path, seeds=1))
    assert not any("±" in row["ours, here"] or "(" in row["difference"] for row in rows)


def test_a_damaged_record_is_one_line(tmp_path):
    path = tmp_path / "one.json"
    write_evidence(path, replace(found(tmp_path), rows=[]))
    path.write_text(path.read_text().replace('"space"', '"spice"'))
    with pytest.raises(UserError, match=r"one\.json is no evidence"):
        read_evidence(path)


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_the_tables_of_the_readme_are_those_of_the_records(path):
    text = (ROOT / "README.md").read_text()
    begin, end = f"<!-- evidence {path.stem} -->\n", f"<!-- end of {path.stem} -->"
    assert begin in text, f"the README does not show {path.name}"
    assert text.split(begin)[1].split(end)[0].strip() == block(read_evidence(path))
