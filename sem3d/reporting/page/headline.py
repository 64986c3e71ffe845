"""The finding of a sweep in one sentence, and how far it can be trusted."""

from dataclasses import replace

from sem3d.reporting.formatting import counted, p_text, seeds_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page.content import SweepReview
from sem3d.reporting.significance import LEVEL, Comparison, smallest_sign_flip_p


def headline(review: SweepReview) -> str:
    """Return the finding of the sweep: the largest significant difference to the first arm, else that there is none.

    A gain is named before a loss; among differences of one kind the largest is named.
    """
    comparisons = review.comparisons
    if not comparisons:
        return _best_score(review)
    significant = [item for item in comparisons if item.significant]
    pool = significant or comparisons
    gains = [item for item in pool if _gain(item, review) > 0]
    found = max(gains or pool, key=lambda item: abs(item.difference.mean))
    return _sentence(found, review)


def _sentence(found: Comparison, review: SweepReview) -> str:
    metric, gap = review.metric, found.difference
    amount = f"{metric.text(abs(gap.mean))} {metric.title}"
    first, place = review.arms[0], review.budgets.text(found.budget)
    wins = _gain(found, review) > 0
    if gap.n == 1:
        side = "better" if wins else "worse"
        return f"{found.arm} is {amount} {side} than {first} at {place} on the one seed that ran: not a finding yet."
    seeds = counted(gap.n, "seed")
    if found.significant:
        verb = "beats" if wins else "falls behind"
        limits = metric.range(replace(gap, mean=abs(gap.mean)))
        return f"{found.arm} {verb} {first} by {amount} at {place} (95 % interval {limits}, {seeds})."
    only = "" if len(review.comparisons) == 1 else "the largest difference is "
    return (
        f"No arm differs significantly from {first}: {only}{metric.signed(gap.mean)} {metric.title} for {found.arm} "
        f"at {place} (95 % interval {metric.range(gap)}, {seeds}, Holm p {p_text(found.p_corrected)})."
    )


def _gain(found: Comparison, review: SweepReview) -> float:
    """Return the difference, positive where it is an improvement."""
    return found.difference.mean if review.metric.mode == "max" else -found.difference.mean


def _best_score(review: SweepReview) -> str:
    results = [
        (interval(list(by_seed.values())), arm, budget)
        for arm, by_budget in review.scores.items()
        for budget, by_seed in by_budget.items()
        if by_seed
    ]
    if not results:
        return "No trial of this sweep has finished with a score."
    sign = 1 if review.metric.mode == "max" else -1
    result, arm, budget = max(results, key=lambda entry: sign * entry[0].mean)
    metric = review.metric
    return (
        f"{arm} reaches {metric.with_interval(result)} {metric.title} at {review.budgets.text(budget)} "
        f"({counted(result.n, 'seed')}); there is no other arm to compare it with."
    )


def cautions(review: SweepReview) -> list[str]:
    """Return sentences on how to read the numbers: the range of the intervals, and the power of so few seeds."""
    counts = review.seeds_by_cell
    comparisons = review.comparisons
    if not counts:
        return list(review.notes)
    if max(counts) == 1:
        said = [
            "One seed an arm and budget: no interval and no test. Differences may be chance; run three seeds or more."
        ]
        return [*said, *review.notes]
    said = [
        f"Mean and 95 % Student-t interval over {seeds_text(counts)}. They cover what a seed decides (new weights, order, "
        "labelled subset), not other held-out scenes."
    ]
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
