"""The aggregation of marks by loops over models, people, marks and points (2D-3D-2D, Eq. 4)."""

import math
import statistics


def squared(one, other) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def saliency(cloud, mark: int, deviation: float) -> list[float]:
    weights = [math.exp(-squared(cloud[mark], point) / (2 * deviation**2)) for point in cloud]
    return [weight / sum(weights) for weight in weights]


def spread(embeddings, clouds, people_of_model, deviation: float) -> float:
    """The median over marks of the expected squared distance of what they may mean from them."""
    found = []
    for embedding, cloud, people in zip(embeddings, clouds, people_of_model, strict=True):
        for mark in (mark for marks in people for mark in marks):
            weights = saliency(cloud, mark, deviation)
            found.append(sum(weight * squared(embedding[x], embedding[mark]) for x, weight in enumerate(weights)))
    return statistics.median(found)


def expected(embedding, cloud, people, deviation: float, distance, point: int) -> float:
    """Of one point, over people: the expected distance from the mark of theirs that is nearest in the embedding."""
    total = 0.0
    for marks in people:
        if not marks:
            continue
        mark = min(marks, key=lambda one: squared(embedding[one], embedding[point]))
        weights = saliency(cloud, mark, deviation)
        total += sum(weight * distance(squared(embedding[x], embedding[point])) for x, weight in enumerate(weights))
    return total


def fidelity(embeddings, clouds, people_of_model, deviation: float, bounded: bool, model: int, point: int) -> float:
    values = []
    width = 2 * spread(embeddings, clouds, people_of_model, deviation)

    def distance(square: float) -> float:
        return 1 - math.exp(-square / width) if bounded else square

    for other in range(len(clouds)):
        if other == model:
            continue
        there = min(range(len(clouds[other])), key=lambda x: squared(embeddings[other][x], embeddings[model][point]))
        values.append(expected(embeddings[other], clouds[other], people_of_model[other], deviation, distance, there))
    return sum(values) / len(values)


def smooth(values, distances, deviation: float, point: int) -> float:
    weights = [math.exp(-(distance**2) / (2 * deviation**2)) for distance in distances[point]]
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)


def is_minimum(values, distances, neighbourhood: int, point: int) -> bool:
    around = sorted(range(len(values)), key=lambda x: (x != point, distances[point][x]))[:neighbourhood]
    return all(
        values[point] < values[x] or (values[point] == values[x] and point <= x)
        for x in around
        if math.isfinite(distances[point][x])
    )
