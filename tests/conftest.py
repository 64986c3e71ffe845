"""What all tests share: the real data beside the project, lanes that run side by side, and what is made once for all of them.

With ``-n`` pytest runs in several processes, the lanes; each has a Ray of its own, in a folder of its own.
"""

import gc
import importlib
import os
import shutil
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pair import Pair
from tests.quiet_agent import leave_agents_out
from tests.type_checks import patch_import_hook
from tests.warm_workers import patch_new_clusters, warm_workers

LANE = os.environ.get("PYTEST_XDIST_WORKER", "")
LONGEST_FIRST = (
    "training/ray/test_cluster_of_nodes.py",
    "jobs/test_job_submit.py",
    "training/ray/test_launch.py",
    "of_ray_train",
    "two_processes",
    "sweeps/test_run_killed.py",
    "jobs/test_sixth_method.py",
    "jobs/test_quickstart.py",
    "jobs/test_ssr_jobs.py",
    "jobs/test_benchmarks.py",
    "methods/ssr/test_ssr.py",
    "mutations/test_mutations.py",
)
"""Parts of the names of tests in the order in which lanes begin with them, so that they end together; then all others."""
ON_ONE_LANE = {
    "training/ray/test_launch.py": "groups of workers",
    "of_ray_train": "groups of workers",
    "two_processes": "pairs",
}
"""Lanes of tests of several files that share what takes long to make. All others go there file by file, for their fixtures."""
DEALT_OUT = (
    "jobs/test_benchmarks.py",
    "methods/ssr/test_ssr.py",
    "methods/test_every_method.py",
    "mutations/test_mutations.py",
)
"""Files whose tests take long, each by itself, and go to any lane."""
LONGEST_UNMARKED = 20.0
"""Seconds that a test may take without the mark ``slow``."""
IMPORTED_FIRST = (
    "torch",
    "torchvision",
    "ray.train.torch",
    "ray.tune",
    "mlflow",
    "sklearn",
    "matplotlib.pyplot",
    "tyro",
)
"""What takes seconds to import. While the hook of jaxtyping loads a module of sem3d, Python finds no compiled file of those
that this one imports, and would compile each of them in every lane."""

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of several lanes on two cores wait for each other spinning
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.3")
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # an interpreter more for each group of workers
os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 would have other lanes starve its workers
os.environ.setdefault("RAY_AUTH_TOKEN", uuid.uuid4().hex)
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
patch_import_hook()
if LANE:
    for package in IMPORTED_FIRST:
        importlib.import_module(package)


def pytest_configure(config: pytest.Config) -> None:
    """Gives Ray a folder of this process: the cluster that another lane or user runs is not found there."""
    os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="rt-", dir="/tmp")  # short: it is part of the paths of sockets


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(os.environ.pop("RAY_TMPDIR"), ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((number for number, part in enumerate(LONGEST_FIRST) if part in item.nodeid), len(LONGEST_FIRST))

    items.sort(key=place)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Takes what is imported by now out of the garbage collector's sight; sweeps call it after each training."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deals out files in the order above, but for tests that belong on one lane or take long by themselves."""
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid if any(part in nodeid for part in DEALT_OUT) else nodeid.partition("::")[0]
            return next((lane for part, lane in ON_ONE_LANE.items() if part in nodeid), file)

    config.option.loadscopereorder = False
    return Lanes(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the tests that take long and do not say so."""
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and report.duration > LONGEST_UNMARKED and "slow" not in report.keywords:
            terminalreporter.write_line(f"{report.duration:.0f} s without the mark slow: {report.nodeid}", red=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; the test is skipped where there is none."""
    folder = Path(__file__).parents[1] / ".." / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder.resolve()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder for all lanes by the first that asks for it: name and maker in, path out. It must not be written to."""
    from sem3d.files import locked_file

    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if LANE else base) / "made-once"

    def find_or_make(name: str, make: Callable[[Path], None]) -> Path:
        done = shared / f"{name}.done"
        with locked_file(shared / f"{name}.lock"):
            if not done.exists():
                make(shared / name)
                done.touch()
        return shared / name

    return find_or_make


@pytest.fixture(scope="session", autouse=True)
def new_stores_are_copies(made_once) -> Iterator[None]:
    """Fills new SQLite stores of MLflow from one that MLflow made: its migrations take a second of CPU each time.

    Where no test that was collected imports MLflow, it is not imported for this either.
    """
    if "mlflow" not in sys.modules:
        yield
        return
    from mlflow.store.db import utils
    from sqlalchemy import create_engine

    migrate = utils._initialize_tables

    def make(folder: Path) -> None:
        folder.mkdir()
        engine = create_engine(f"sqlite:///{folder / 'mlflow.db'}")
        migrate(engine)
        engine.dispose()

    def copy(engine) -> None:
        if engine.dialect.name != "sqlite" or not engine.url.database:
            return migrate(engine)
        template = sqlite3.connect(made_once("store", make) / "mlflow.db")
        store = sqlite3.connect(engine.url.database)
        template.backup(store)
        store.close()
        template.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_initialize_tables", copy)
        yield


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """Two processes of one gloo group for the whole lane."""
    two = Pair()
    yield two
    two.stop()


@pytest.fixture(scope="session")
def quick_workers() -> Iterator[None]:
    """A process that forks workers for the clusters of this lane."""
    with warm_workers(Path(os.environ["RAY_TMPDIR"])):
        yield


@pytest.fixture(scope="session")
def ray_cluster(quick_workers: None) -> Iterator[None]:
    """One local Ray cluster for the whole lane; four logical CPUs so that two workers leave room for Ray Data."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        leave_agents_out(patch.setattr)
        patch_new_clusters()
        ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def train_group(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two workers of Ray Train for the whole lane."""
    from tests.training.ray.group import TrainGroup

    group = TrainGroup(tmp_path_factory.mktemp("group"))
    yield group
    group.stop()


@pytest.fixture
def two_workers_wait(train_group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has ``train`` use the workers that wait on this lane, so ``run.workers`` must be 2."""
    monkeypatch.setattr("sem3d.training.ray.attempts.ElasticTrainer", train_group.trainer)


@pytest.fixture(scope="session")
def rooms(ray_cluster: None, made_once) -> Path:
    """Two training rooms and one validation room, small, in ScanNet's layout."""
    from sem3d.worlds.rooms.config import RoomsConfig
    from sem3d.worlds.rooms.write import write_rooms

    size = {"color_height": 60, "color_width": 80, "depth_height": 60, "depth_width": 80}
    config = RoomsConfig(rooms_train=2, rooms_val=1, frames_per_room=8, point_spacing=0.05, **size)
    return made_once("rooms", lambda folder: write_rooms(folder, config))


@pytest.fixture(scope="session")
def indexed_rooms(rooms: Path, made_once) -> Path:
    """The index of the small rooms as the smallest experiments want it, for tests that are not about its preparation."""
    from sem3d.datasets.scans.prepare import prepare
    from tests.methods.tiny import tiny_experiment

    config = tiny_experiment("pri3d", rooms, rooms).data.prepare
    return made_once("indexed-rooms", lambda folder: prepare(rooms, folder, config))


@pytest.fixture(scope="session")
def keypoint_models(made_once) -> Path:
    """Forty generated chairs in KeypointNet's layout, four of them for validation and eight for the test."""
    from sem3d.worlds.keypoint_shapes import KeypointShapesConfig, write_keypoint_shapes

    config = KeypointShapesConfig(models=40, points=100)
    return made_once("keypoint-models", lambda folder: write_keypoint_shapes(folder, config))


@pytest.fixture(scope="session")
def renders(ray_cluster: None, made_once) -> Path:
    """Boxes as a class of objects in NMR's layout."""
    from tests.datasets.objects.tiny_renders import write_tiny_renders

    return made_once("renders", write_tiny_renders)


@pytest.fixture(scope="session")
def posed(ray_cluster: None, made_once) -> Path:
    """Squares of two parts as objects with posed views, in the SRN layout."""
    from tests.datasets.objects.srn_folders import write_srn

    return made_once("posed", lambda folder: write_srn(folder, {"train": 5, "val": 3, "test": 3}, views=4, side=12))


@pytest.fixture(scope="session")
def sketched(made_once) -> Path:
    """Generated chairs with sketches and voxels, beside views in the SRN layout."""
    from tests.worlds.sketched.small import write_chairs

    return made_once("sketched", lambda folder: write_chairs(folder, {"train": 5, "val": 3, "test": 3}))
