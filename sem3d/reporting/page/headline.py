"""The finding of a sweep in a sentence, and how far it can be trusted."""

from collections.abc import Sequence
from itertools import groupby

from sem3d.reporting.formatting import counted, p_text, seeds_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page.content import SweepReview
from sem3d.reporting.page.marks import gains
from sem3d.reporting.significance import LEVEL, Comparison, smallest_sign_flip_p

MOST_NAMED = 12
"""Comparisons that the headline names one by one."""
BETTER, WORSE = "better", "worse"
NOT_SHOWN, SAME = "no significant difference", "no difference"
ONE_SEED, NOT_RANKED = "one seed, no finding", "not ranked"
WITHOUT_NUMBER = (SAME, NOT_RANKED)


def headline(review: SweepReview) -> str:
    """Return the differences of all arms to the first one, smallest budget first, gains and losses alike; and what pretrainings
    changed in the networks themselves, where there are several, before it where no arm can be ranked.

    Of more than ``MOST_NAMED`` those at each arm's smallest budget and the significant ones are named, the others counted.
    """
    arms, changes = [_of_arms(review)], gains(review)
    return " ".join([*changes, *arms] if len(review.not_ranked) == len(review.budgets.values) else [*arms, *changes])


def _of_arms(review: SweepReview) -> str:
    """Return the differences of all arms to the first one."""
    comparisons = review.comparisons
    if not comparisons:
        return _scores_alone(review)
    first, metric = review.arms[0], review.metric
    unit = f"{metric.title} in %" if metric.percent else metric.axis
    seeds = [item.difference.n for item in comparisons]
    if max(seeds) == 1:
        how = f"No finding: one seed has no interval. {{arms}} against {first}, {unit}: "
    else:
        how = f"{{arms}} against {first}, {unit} (95 % interval, {seeds_text([n for n in seeds if n > 1])}): "
    arms = list(dict.fromkeys(item.arm for item in comparisons))
    parts = [_of_arm([item for item in comparisons if item.arm == arm], review) for arm in arms]
    if len(arms) == 1:
        return f"{how.format(arms=arms[0])}{parts[0]}."
    listed = ". ".join(f"{arm}: {part}" for arm, part in zip(arms, parts, strict=True))
    return f"{how.format(arms=counted(len(arms), 'arm'))}{listed}."


def verdict(found: Comparison, review: SweepReview) -> str:
    """Return how an arm compares with the first one at a budget; nothing is better or worse that rounding hides."""
    gap, at = found.difference, review.mean(review.arms[0], found.budget)
    if found.budget in review.not_ranked:
        return NOT_RANKED
    if review.metric.same(gap.mean, at):
        return SAME
    if gap.n == 1:
        return ONE_SEED
    if not found.significant:
        return NOT_SHOWN
    return BETTER if review.metric.better(gap.mean, 0.0) else WORSE


def _of_arm(found: Sequence[Comparison], review: SweepReview) -> str:
    """Return the comparisons of one arm, neighbours of one verdict together."""
    named, left_out = found, 0
    if len(review.comparisons) > MOST_NAMED:
        named = [item for item in found if item is found[0] or verdict(item, review) in (BETTER, WORSE)]
        left_out = len(found) - len(named)
    clauses = []
    alone = max(item.difference.n for item in review.comparisons) == 1
    for kind, items in groupby(named, lambda item: verdict(item, review)):
        entries = ", ".join(_entry(item, kind, review, long=item is found[0]) for item in items)
        why = f", below {review.clear_text} the floor" if kind == NOT_RANKED else ""
        joint = " " if kind in WITHOUT_NUMBER else ": "
        clauses.append(entries if alone and kind == ONE_SEED else f"{kind}{why}{joint}{entries}")
    if left_out:
        clauses.append(f"{left_out} more without a significant difference")
    return "; ".join(clauses)


def _entry(found: Comparison, kind: str, review: SweepReview, *, long: bool) -> str:
    budgets, metric, gap = review.budgets, review.metric, found.difference
    place = f"at {budgets.text(found.budget) if long else budgets.short(found.budget)}"
    if kind in WITHOUT_NUMBER:
        return place
    return f"{metric.with_range(gap)} {place}"


def _scores_alone(review: SweepReview) -> str:
    """Return the scores of all arms where no two can be compared."""
    metric, said = review.metric, []
    for arm in review.arms:
        results = {
            budget: interval(list(by_seed.values()))
            for budget, by_seed in sorted(review.scores.get(arm, {}).items())
            if by_seed
        }
        if results:
            listed = ", ".join(
                f"{metric.with_interval(result)} at {review.budgets.text(budget)}" for budget, result in results.items()
            )
            said.append(f"{arm} reaches {listed} ({seeds_text([result.n for result in results.values()])})")
    if not said:
        return "No trial of this sweep has finished with a score."
    why = "there is no other arm to compare it with" if len(said) == 1 else "no two arms share a budget and a seed"
    unit = f"{metric.title} in %" if metric.percent else metric.axis
    return f"{'; '.join(said)}, {unit}; {why}."


def cautions(review: SweepReview) -> list[str]:
    """Return sentences on how to read the numbers: what cannot be ranked, the range of the intervals, the power of few seeds."""
    counts = review.seeds_by_cell
    comparisons = review.comparisons
    if not counts:
        return list(review.notes)
    said = [line for line in [unranked(review)] if line]
    if max(counts) == 1:
        said.append(
            "One seed an arm and budget: no interval and no test. Differences may be chance; run three seeds or more."
        )
        return [*said, *review.notes]
    said.append(
        f"Mean and 95 % Student-t interval over {seeds_text(counts)}. They cover what a seed decides (new weights, order, "
        "labelled subset), not other held-out scenes."
    )
    tested = [item.difference.n for item in comparisons if item.difference.n > 1]
    if tested:
        said.append(
            f"Differences to {review.arms[0]} are paired by seed (paired t test), p values corrected by Holm over "
            f"{counted(len(tested), 'comparison')}; significant means corrected p < {LEVEL:g}. Intervals are not corrected."
        )
    if tested and min(tested) < 6:
        fewest = min(tested)
        said.append(
            f"{counted(fewest, 'seed').capitalize()} make a weak test: it leans on normally distributed differences (an exact "
            f"sign-flip test could not get below p = {p_text(smallest_sign_flip_p(fewest))}), the spread is estimated from "
            f"{counted(fewest, 'value')}, and a real but small gain will often be missed. Read a missing "
            "significance as “not shown”, not as “no difference”."
        )
    return [*said, *review.notes]


def unranked(review: SweepReview) -> str:
    """Return one line on the budgets where no arm stands clear of the floor, "" where there is none."""
    if not review.not_ranked:
        return ""
    metric, budgets = review.metric, review.budgets
    places = ", ".join(
        f"{budgets.text(at)} (best {metric.text(review.best(at))}, floor {metric.text(review.limit('floor', at))})"
        for at in review.not_ranked
    )
    return (
        f"Nothing can be ranked at {places}: no arm has {review.clear_text} the {metric.axis} of a predictor that never sees "
        "the input."
    )
