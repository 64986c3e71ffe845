"""The champion of a sweep, and the card that goes with its weights."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sem3d.files import stored_json
from sem3d.reporting.formatting import counted
from sem3d.reporting.intervals import Interval, interval
from sem3d.reporting.page import SweepReview
from sem3d.reporting.tables import markdown_table
from sem3d.runs.checkpoint_files import problem, read_state
from sem3d.runs.run_folder import CONFIG_NAME
from sem3d.sweeps.findings import inside
from sem3d.sweeps.records import SweepRecord, TrialRecord


@dataclass(frozen=True)
class Champion:
    """The trial whose checkpoint is registered."""

    trial: TrialRecord
    checkpoint: Path
    score: Interval
    """Over the seeds of its arm and budget."""


def choose_champion(sweep: SweepRecord, trials: Sequence[TrialRecord], storage: Path) -> Champion | None:
    """Return the best seed of the arm and budget with the best mean; ``trials`` are those that count.

    An arm and budget of one seed is no rival to those of more. A trial whose checkpoint is gone or damaged is passed over;
    ``None`` where none is whole.
    """
    groups: dict[tuple[str, float], list[TrialRecord]] = {}
    for trial in trials:
        groups.setdefault((trial.arm, trial.budget), []).append(trial)
    sign = 1 if sweep.mode == "max" else -1

    def goodness(trial: TrialRecord) -> float:
        return sign * trial.metrics[sweep.metric]

    ranked = [(interval([trial.metrics[sweep.metric] for trial in group]), group) for group in groups.values()]
    ranked.sort(key=lambda entry: (entry[0].n > 1, sign * entry[0].mean), reverse=True)
    for score, group in ranked:
        for trial in sorted(group, key=goodness, reverse=True):
            checkpoint = _checkpoint(trial, storage)
            if problem(checkpoint) is None:
                return Champion(trial, checkpoint, score)
    return None


def _checkpoint(trial: TrialRecord, storage: Path) -> Path:
    return inside(storage, trial.run_folder) / "checkpoints" / (Path(trial.checkpoint).name or "-")


def champion_lines(champion: Champion, review: SweepReview) -> dict[str, str]:
    """Return the facts that a page states about the champion, by label."""
    trial, score = champion.trial, champion.score
    metric, budgets = review.metric, review.budgets
    spread = (
        f"95 % interval {metric.range(score)}, {counted(score.n, 'seed')}" if score.n > 1 else "one seed, no interval"
    )
    return {
        "arm and budget": f"{trial.arm} at {budgets.text(trial.budget)}",
        "mean over seeds": f"{metric.text(score.mean)} {metric.title} ({spread})",
        "this checkpoint": f"seed {trial.seed}, {metric.text(trial.metrics[metric.name])} {metric.title}, step "
        f"{read_state(champion.checkpoint)['step']}",
        **_marks(review, float(trial.budget)),
    }


def _marks(review: SweepReview, budget: float) -> dict[str, str]:
    """Return what the score of a budget lies between, by label; nothing where that is not known."""
    metric = review.metric
    floor, bound = (review.limit(kind, budget) for kind in ("floor", "bound"))
    words = [f"{metric.text(floor)} without a look at the input"] if math.isfinite(floor) else []
    words += [f"at most {metric.text(bound)} by what its labels show"] if math.isfinite(bound) else []
    words += [f"below {review.clear_text} the floor nothing is ranked"] if budget in review.not_ranked else []
    return {"marks": f"{metric.axis}: {'; '.join(words)}"} if words else {}


def model_card(
    name: str,
    sweep: SweepRecord,
    champion: Champion,
    review: SweepReview,
    tags: Mapping[str, str],
    storage: Path,
) -> tuple[str, str]:
    """Return the card in Markdown, and the same without the settings for places of limited length.

    ``tags`` are those of the MLflow run that trained it.
    """
    trial = champion.trial
    state = read_state(champion.checkpoint)
    data = data_of_run(inside(storage, trial.run_folder) / CONFIG_NAME)
    facts = {
        **champion_lines(champion, review),
        "how it was chosen": "best mean over seeds of all arms and budgets, then the best seed, by the held-out score itself: "
        "the interval says what to expect, this checkpoint's own score flatters it",
        "method": trial.method,
        "data": f"{data['root']} (digest {data['digest']})",
        "label budget": review.budgets.text(trial.budget),
        "initial weights": tags.get("initial_weights", str(state["experiment"].get("init", "unknown"))),
        **({"pretraining": trial.lineage} if trial.lineage else {}),
        "git revision": tags.get("git_revision", "unknown"),
        "sweep": f"{sweep.name} (space {sweep.space})",
        "MLflow run": trial.mlflow_run_id or "none",
    }
    rows = [{"": label, "this model": text} for label, text in facts.items()]
    uri = f"models:/{name}@champion"
    short = (
        f"# {name}\n\n{markdown_table(rows, ['', 'this model'])}\n\n## How to load\n\n"
        f"```bash\npython -m jobs.evaluate {uri} --data.root SCANS\n```\n\n"
        f'```python\nimport sem3d\n\nmodel = sem3d.load("{uri}")\nmodel.gives  # what it has an answer to\n```\n\n'
        "It is no model of MLflow's own flavours (`mlflow.pytorch.load_model` does not open it), but a folder of\n"
        "`weights.safetensors` and `state.json` with their checksums; nothing in it is pickled. For other libraries:\n"
        f"`python -m jobs.export {uri} --to onnx --out model.onnx`.\n"
    )
    listed = json.dumps(state["experiment"], indent=1, sort_keys=True)
    return f"{short}\n## Settings\n\n```json\n{listed}\n```\n", short


def data_of_run(config: Path) -> dict[str, str]:
    """Return root and digest of the data of a run, by its configuration."""
    found = stored_json(config, "experiment", "data") or {"experiment": {}, "data": "unknown"}
    leaves = found["experiment"] if isinstance(found["experiment"], dict) else {}
    return {"root": str(leaves.get("data.root", "unknown")), "digest": str(found["data"])}
