"""Runs of the three networks of the pipeline."""

import pytest

from tests.methods.tiny import tiny_checkpoint


@pytest.fixture(scope="session")
def runs(sketched, keypoint_models, tmp_path_factory):
    """Checkpoints of untrained networks, by option."""
    names = {"shape": "reconstruction", "view": "viewpoint", "meaning": "keypoint_embedding"}
    roots = {"shape": sketched, "view": sketched, "meaning": keypoint_models}
    small = {"data__size": 32}
    changes = {"shape": {"data__voxels": 16, "method__naturalness__weight": 0.0} | small, "view": small}
    return {
        option: str(
            tiny_checkpoint(
                name, tmp_path_factory.mktemp(option), data__root=str(roots[option]), **changes.get(option, {})
            )[0]
        )
        for option, name in names.items()
    }
