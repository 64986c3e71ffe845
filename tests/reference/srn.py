"""Scene representation networks point by point in float64, from their weights by name; after SRN's equations."""

import numpy as np


def layer_norm(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / np.sqrt(values.var() + 1e-5)


def linear(weights: dict[str, np.ndarray], name: str, values: np.ndarray) -> np.ndarray:
    return weights[f"{name}.weight"] @ values + weights[f"{name}.bias"]


def perceptron(weights: dict[str, np.ndarray], name: str, values: np.ndarray) -> np.ndarray:
    """Linear, LayerNorm with weights, ReLU, over and over; a linear map at the end."""
    places = sorted({int(key.removeprefix(f"{name}.").split(".")[0]) for key in weights if key.startswith(f"{name}.")})
    for place in places[:-1]:
        if place % 3 == 0:
            values = linear(weights, f"{name}.{place}", values)
        else:
            values = weights[f"{name}.{place}.weight"] * layer_norm(values) + weights[f"{name}.{place}.bias"]
            values = np.maximum(values, 0)
    return linear(weights, f"{name}.{places[-1]}", values)


def maps_of(weights: dict[str, np.ndarray], latent: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The linear maps of a latent's field, as (given, wanted) matrices with biases."""
    found = []
    heads = sorted({key.split(".")[2] for key in weights if key.startswith("hyper.heads.")}, key=int)
    width = 0
    for head in heads:
        answer = perceptron(weights, f"hyper.heads.{head}", latent)
        width = width or len(answer) // 4  # the first map takes the 3 coordinates and has a bias
        given = len(answer) // width - 1
        found.append((answer[: given * width].reshape(given, width), answer[given * width :]))
    return found


def feature_of(maps: list[tuple[np.ndarray, np.ndarray]], point: np.ndarray) -> np.ndarray:
    for matrix, bias in maps:
        point = np.maximum(layer_norm(point @ matrix + bias), 0)
    return point


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def lstm(weights: dict[str, np.ndarray], feature: np.ndarray, hidden: np.ndarray, memory: np.ndarray):
    gates = weights["marcher.cell.weight_ih"] @ feature + weights["marcher.cell.bias_ih"]
    gates = gates + weights["marcher.cell.weight_hh"] @ hidden + weights["marcher.cell.bias_hh"]
    admit, keep, candidate, show = np.split(gates, 4)
    memory = sigmoid(keep) * memory + sigmoid(admit) * np.tanh(candidate)
    return sigmoid(show) * np.tanh(memory), memory


def render_ray(
    weights: dict[str, np.ndarray],
    maps: list[tuple[np.ndarray, np.ndarray]],
    origin: np.ndarray,
    direction: np.ndarray,
    cosine: float,
    steps: int,
    start: float,
) -> tuple[np.ndarray, float, np.ndarray]:
    """Feature, distance and colour of one ray."""
    distance = start / cosine
    hidden = memory = np.zeros(weights["marcher.cell.weight_hh"].shape[1])
    for _ in range(steps):
        hidden, memory = lstm(weights, feature_of(maps, origin + distance * direction), hidden, memory)
        distance = distance + float(linear(weights, "marcher.step_length", hidden)[0])
    feature = feature_of(maps, origin + distance * direction)
    return feature, distance, perceptron(weights, "color", feature)


def ray_of_pixel(pixel: np.ndarray, intrinsics: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Origin, unit direction and cosine to the camera's axis of the ray through a pixel (u, v)."""
    ahead = np.linalg.solve(intrinsics, np.array([*pixel, 1.0]))
    length = np.sqrt((ahead**2).sum())
    return pose[:3, 3], pose[:3, :3] @ ahead / length, 1 / length
