"""Fixtures shared by all tests: the real data beside the project, and one local Ray cluster a session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; the test is skipped where there is none."""
    folder = Path(__file__).parents[1] / ".." / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder.resolve()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One local Ray cluster for the whole session; four logical CPUs so that two workers leave room for Ray Data."""
    import ray

    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def rooms(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training rooms and one validation room, small, in ScanNet's layout."""
    from sem3d.worlds.rooms.config import RoomsConfig
    from sem3d.worlds.rooms.write import write_rooms

    folder = tmp_path_factory.mktemp("generated") / "rooms"
    size = {"color_height": 60, "color_width": 80, "depth_height": 60, "depth_width": 80}
    write_rooms(folder, RoomsConfig(rooms_train=2, rooms_val=1, frames_per_room=8, point_spacing=0.05, **size))
    return folder


@pytest.fixture(scope="session")
def renders(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boxes as a class of objects in NMR's layout."""
    from tests.datasets.objects.tiny_renders import write_tiny_renders

    return write_tiny_renders(tmp_path_factory.mktemp("generated") / "renders")
