import torch
from torch.testing import assert_close

from sem3d.evaluation.voxel_matches import NEAR, match_sums, voxel_match_metrics


def drawn(seed=0):
    random = torch.Generator().manual_seed(seed)
    voxel = torch.randint(0, 8, (120, 4), generator=random, dtype=torch.int32)
    voxel[:, 0] %= 2
    voxel = torch.unique(voxel, dim=0)
    features = torch.randn(len(voxel), 5, generator=random)
    first, second = (torch.nonzero(voxel[:, 0] == cloud)[:, 0] for cloud in range(2))
    chosen = [own[torch.randint(0, len(own), (20,), generator=random)] for own in (first, second)]
    return features, voxel, torch.stack(chosen, dim=1)


def test_sums_are_those_of_loops_over_the_definition():
    features, voxel, matches = drawn()
    other = [row for row in range(len(voxel)) if voxel[row, 0] == 1]
    correct, chance, distance = 0, 0.0, 0.0
    for anchor, positive in matches.tolist():
        similar = [float(torch.cosine_similarity(features[anchor], features[row], dim=0)) for row in other]
        off = [float((voxel[row, 1:].double() - voxel[positive, 1:].double()).norm()) for row in other]
        found = max(range(len(other)), key=similar.__getitem__)
        correct += off[found] <= NEAR
        distance += off[found]
        chance += sum(one <= NEAR for one in off) / len(other)
    sums = match_sums(features, voxel, 1, matches)
    assert sums["found_correct"] == correct
    assert sums["found_total"] == 20
    assert_close(float(sums["found_chance"]), chance)
    assert_close(float(sums["found_distance"]), distance)
    metrics = voxel_match_metrics(sums, 0.1)
    assert_close(metrics["match_rate"], correct / 20)
    assert_close(metrics["match_distance_m"], 0.1 * distance / 20)


def test_a_voxel_that_has_the_feature_of_its_match_finds_it():
    features, voxel, matches = drawn(1)
    (anchor, positive) = matches[0]
    features[anchor] = 3 * features[positive]
    assert voxel_match_metrics(match_sums(features, voxel, 1, matches[:1]), 1.0) | {"match_rate_by_chance": 0} == {
        "match_rate": 1.0,
        "match_rate_by_chance": 0,
        "match_distance_m": 0.0,
    }


def test_without_a_match_there_is_no_metric():
    assert voxel_match_metrics({"pairs": torch.tensor(3.0)}, 0.1) == {}
