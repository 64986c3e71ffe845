"""Tables of arms against budgets and against classes."""

import math
from collections.abc import Mapping

from sem3d.reporting.formatting import MISSING, Metric, counted, metric_of, p_text
from sem3d.reporting.intervals import interval
from sem3d.reporting.page.content import SweepReview
from sem3d.reporting.page.markup import Markup, markup, row, table, tag
from sem3d.reporting.significance import Comparison


def comparison_table(review: SweepReview) -> Markup:
    """Arm by budget: mean and interval, and below it the paired difference to the first arm with its p value."""
    compared = {(item.arm, item.budget): item for item in review.comparisons}
    expected = len(review.seeds)
    rows = []
    for arm in review.arms:
        cells = []
        for budget in review.budgets.values:
            by_seed = review.scores.get(arm, {}).get(budget, {})
            cells.append(_cell(by_seed, compared.get((arm, budget)), review.metric, expected))
        rows.append(row(arm, *cells))
    head = ["", *(review.budgets.short(value) for value in review.budgets.values)]
    return table(head, rows, class_="comparison")


def _cell(by_seed: Mapping[int, float], found: Comparison | None, metric: Metric, expected: int) -> Markup:
    if not by_seed:
        return tag("td", MISSING)
    result = interval(list(by_seed.values()))
    lines = [tag("div", metric.with_interval(result), class_="value")]
    if result.n != expected:
        lines.append(tag("div", counted(result.n, "seed"), class_="small"))
    if found:
        lines.append(_difference(found, metric))
    return tag("td", *lines)


def _difference(found: Comparison, metric: Metric) -> Markup:
    gap = found.difference
    amount = tag("span", metric.signed(gap.mean), class_=_direction(gap.mean, metric))
    if gap.n == 1:
        return tag("div", amount, class_="small")
    text = f"p {p_text(gap.p)}, Holm {p_text(found.p_corrected)}"
    verdict = tag("span", "significant", class_="badge") if found.significant else Markup("")
    return markup(
        tag("div", amount, f" ({metric.range(gap)})", class_="small"), tag("div", text, " ", verdict, class_="small")
    )


def _direction(difference: float, metric: Metric) -> str:
    if difference == 0 or math.isnan(difference):
        return "same"
    return "gain" if metric.better(difference, 0.0) else "loss"


def class_tables(review: SweepReview) -> Markup:
    """For every table and budget: one row a class, one column an arm, and the best other arm minus the first."""
    names = list(dict.fromkeys(item.name for item in review.class_tables))
    parts = []
    for name in names:
        values = [value for item in review.class_tables if item.name == name for value in item.values.values()]
        metric = metric_of(name, review.metric.mode, values)
        if len(names) > 1:
            parts.append(tag("h3", metric.axis))
        for number, budget in enumerate(review.budgets.values):
            parts.append(_classes_at(review, name, budget, metric, opened=number == 0))
    return markup(*parts)


def _classes_at(review: SweepReview, name: str, budget: float, metric: Metric, *, opened: bool) -> Markup:
    found = [item for item in review.class_tables if item.name == name and item.budget == budget]
    arms = [arm for arm in review.arms if any(item.arm == arm for item in found)]
    if not arms:
        return Markup("")
    classes = list(dict.fromkeys(key for item in found for key in item.values))
    means: dict[str, dict[str, float]] = {}
    rows = []
    other = best_other_arm(review, budget, arms)
    for key in classes:
        cells = []
        means[key] = {}
        for arm in arms:
            values = [
                item.values[key] for item in found if item.arm == arm and math.isfinite(item.values.get(key, math.nan))
            ]
            result = interval(values) if values else None
            means[key][arm] = result.mean if result else math.nan
            cells.append(metric.with_interval(result) if result else MISSING)
        if other:
            gap = means[key][other] - means[key][arms[0]]
            cells.append(tag("td", metric.signed(gap), class_=_direction(gap, metric)))
        rows.append(row(key, *cells))
    head = ["class", *arms] + ([f"{other} − {arms[0]}"] if other else [])
    summary = tag("summary", f"{metric.axis} at {review.budgets.text(budget)}")
    return tag("details", summary, table(head, rows, class_="classes"), **({"open": ""} if opened else {}))


def best_other_arm(review: SweepReview, budget: float, arms: list[str]) -> str | None:
    """Of ``arms`` but the sweep's first, the one with the best mean at ``budget``; none if the first is not among them."""
    if review.arms[0] not in arms:
        return None
    means = {
        arm: interval(list(review.scores[arm][budget].values())).mean
        for arm in arms
        if arm != review.arms[0] and review.scores.get(arm, {}).get(budget)
    }
    sign = 1 if review.metric.mode == "max" else -1
    return max(means, key=lambda arm: sign * means[arm]) if means else None
