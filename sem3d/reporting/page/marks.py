"""Marks beside the scores: floor, bound and unseen classes by budget; networks before and after pretraining."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sem3d.reporting.formatting import MISSING, Metric, metric_of
from sem3d.reporting.intervals import interval
from sem3d.reporting.page.content import Effect, Limits, SweepReview

BY_CHANCE = "_by_chance"
"""End of the name of a figure that guessing gives."""


@dataclass(frozen=True, kw_only=True)
class MarkRow:
    """Marks of one budget, as text."""

    budget: str
    floor: str
    bound: str
    best: str
    ranked: bool
    never_shown: str


@dataclass(frozen=True, kw_only=True)
class EffectRow:
    """One figure of the networks that an arm starts from, as text."""

    arms: str
    figure: str
    before: str
    after: str
    difference: str
    """After minus before, paired by pretraining, with its interval; "" for one pretraining."""


@dataclass(frozen=True, kw_only=True)
class MarkTables:
    """Both tables, and the share of samples that they were made from."""

    explanation: str
    rows: tuple[MarkRow, ...]
    effects: tuple[EffectRow, ...]
    basis: str


def mark_tables(review: SweepReview) -> MarkTables | None:
    """Return the tables of a page; None where there is nothing to set beside the scores."""
    rows = tuple(_row(review, budget) for budget in review.budgets.values if _at(review, budget))
    effects = tuple(
        EffectRow(arms=arms, figure=metric_of(key, "max", []).title, before=before, after=after, difference=gap)
        for arms, found in _by_arms(review).items()
        for key, (before, after, gap) in _figures(found).items()
    )
    if not rows and not effects:
        return None
    return MarkTables(
        explanation=f"{review.metric.axis}. Floor: the best answer that is the same for every input, learnt from the same "
        f"labels; below {review.clear_text} that nothing is ranked. Bound: the most that a learner can reach that is "
        "right about all that its labels show.",
        rows=rows,
        effects=effects,
        basis=" ".join(f"Made from {basis}." for basis in _bases(review)),
    )


def mark_lines(review: SweepReview) -> list[str]:
    """Return lines for a terminal: marks of each budget, networks before and after, and where nothing can be ranked."""
    lines = []
    for budget in review.budgets.values:
        row = _row(review, budget)
        if not _at(review, budget):
            continue
        unit = " %" if review.metric.percent else ""
        words = [f"floor {row.floor}{unit}"] if row.floor != MISSING else []
        words += [f"at most {row.bound}{unit}"] if row.bound != MISSING else []
        unseen = f"; never shown: {row.never_shown}" if row.never_shown else ""
        lines.append(f"{review.budgets.text(budget)}: {', '.join(words)}{unseen}")
    for arms, found in _by_arms(review).items():
        figures = _figures(found)
        for key in dict.fromkeys(next(iter(item.before)) for item in found if item.before):
            before, after, gap = figures[key]
            chance = figures.get(key + BY_CHANCE)
            title = metric_of(key, "max", []).title
            words = f"{title} {before} → {after}" + (f", {gap}" if gap else "")
            lines.append(f"pretraining of {arms}: {words}" + (f"; by chance {chance[1]}" if chance else ""))
    bases = _bases(review)
    return lines + ([f"marks are made from {', '.join(bases)}"] if bases else [])


def gains(review: SweepReview) -> list[str]:
    """Return a sentence on the first figure of each effect that several pretrainings tell of."""
    said = []
    for arms, found in _by_arms(review).items():
        figures = _figures(found)
        for key in dict.fromkeys(next(iter(item.before)) for item in found if item.before):
            before, after, gap = figures[key]
            if gap and not key.startswith(review.metric.name):
                said.append(f"Pretraining of {arms}: {metric_of(key, 'max', []).title} {before} → {after}, {gap}.")
    return said


def _at(review: SweepReview, budget: float) -> list[Limits]:
    return [item for item in review.limits if item.budget == budget]


def _row(review: SweepReview, budget: float) -> MarkRow:
    metric = review.metric
    return MarkRow(
        budget=review.budgets.text(budget),
        floor=_over_seeds([item.floor for item in _at(review, budget)], metric),
        bound=_over_seeds([item.bound for item in _at(review, budget)], metric),
        best=metric.text(review.best(budget)),
        ranked=budget not in review.not_ranked,
        never_shown=unseen(_at(review, budget)),
    )


def unseen(found: Sequence[Limits]) -> str:
    """Return the classes that a budget never shows, with the seeds where not all are alike; "" where all are shown."""
    seeds: dict[str, list[int]] = {}
    for item in sorted(found, key=lambda item: item.seed):
        for name in item.never_shown:
            seeds.setdefault(name, []).append(item.seed)
    everywhere = [name for name, where in seeds.items() if len(where) == len(found)]
    elsewhere: dict[tuple[int, ...], list[str]] = {}
    for name, where in seeds.items():
        if name not in everywhere:
            elsewhere.setdefault(tuple(where), []).append(name)
    parts = [", ".join(everywhere)] if everywhere else []
    parts += [f"{', '.join(names)} (seed {', '.join(map(str, where))})" for where, names in elsewhere.items()]
    return "; ".join(parts)


def _over_seeds(values: Sequence[float], metric: Metric) -> str:
    """Return the mean, or the span where seeds differ as it is shown."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return MISSING
    low, high = metric.text(min(known)), metric.text(max(known))
    return low if low == high else f"{low} to {high}"


def _by_arms(review: SweepReview) -> dict[str, list[Effect]]:
    found: dict[str, list[Effect]] = {}
    for effect in review.effects:
        part = f" ({effect.part})" if effect.part else ""
        found.setdefault(f"{', '.join(effect.arms)}{part}", []).append(effect)
    return found


def _figures(found: Sequence[Effect]) -> dict[str, tuple[str, str, str]]:
    """Return every figure before and after and their difference, over the pretrainings that have it, as text."""
    told = {}
    for key in dict.fromkeys(key for item in found for key in item.before):
        pairs = [(item.before[key], item.after[key]) for item in found if key in item.before and key in item.after]
        if pairs:
            before, after = zip(*pairs, strict=True)
            metric = metric_of(key, "max", [*before, *after])
            told[key] = (_figure(before, metric), _figure(after, metric), _gap(pairs, metric))
    return told


def _figure(values: Sequence[float], metric: Metric) -> str:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return MISSING
    return metric.with_interval(interval(known)) + (" %" if metric.percent else "")


def _gap(pairs: Sequence[tuple[float, float]], metric: Metric) -> str:
    known = [after - before for before, after in pairs if math.isfinite(after - before)]
    if len(known) < 2:
        return ""
    return metric.with_range(interval(known))


def _bases(review: SweepReview) -> list[str]:
    return list(dict.fromkeys(item.basis for item in (*review.limits, *review.effects) if item.basis))


def limits_by_budget(review: SweepReview) -> Mapping[str, Mapping[float, float]]:
    """Return mean floor and bound by budget, those that are known, for a picture."""
    known = {
        kind: {budget: review.limit(kind, budget) for budget in review.budgets.values} for kind in ("floor", "bound")
    }
    return {kind: {at: value for at, value in found.items() if math.isfinite(value)} for kind, found in known.items()}
