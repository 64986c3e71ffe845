"""An experiment is one frozen value: method, data, optimiser, schedule, run.

The command line, Tune spaces and tests all speak dotted leaves (``optim.lr``); :func:`override` is the only way to
derive an experiment from another, and an unknown leaf raises. :func:`flatten` gives the leaves as MLflow parameters
and :func:`digest` identifies an experiment by content.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sem3d.addresses import StoreUri, bare
from sem3d.bounds import AtLeastOne, Bounds, Positive, Seed, Share, ShareBelowOne, check_bounds, field_names
from sem3d.errors import UserError, near

Compiler = Literal["never", "inductor", "cudagraphs", "aot_eager", "eager"]


@dataclass(frozen=True)
class Place:
    """A mark in the type of a setting that names a file or folder; the command line makes those absolute and checks them.

    ``data``: a folder that must exist. ``file``: a file or folder, or empty. ``weights``: initial weights, which may also be one
    of :data:`NAMED_WEIGHTS`, or empty. ``storage``: a folder that is made if needed. ``store``: an MLflow store.
    """

    kind: Literal["data", "file", "weights", "storage", "store"]


DataFolder = Annotated[str, Place("data")]
FilePath = Annotated[str, Place("file")]
Weights = Annotated[str, Place("weights")]
StorageFolder = Annotated[str, Place("storage")]
StoreAddress = Annotated[str, Place("store")]


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """One optimiser's settings."""

    kind: Literal["sgd", "adam", "adamw", "sparse_adam"] = "sgd"
    """SGD with momentum, Adam, AdamW, or Adam on the rows that have a gradient (embeddings with sparse gradients)."""
    lr: float = 0.1
    """Peak learning rate for the global batch, whatever the number of workers."""
    momentum: ShareBelowOne = 0.9
    """SGD's momentum."""
    dampening: Share = 0.0
    """SGD's dampening; the released Pri3D uses 0.1."""
    beta1: ShareBelowOne = 0.9
    """Adam's decay of the mean gradient."""
    beta2: ShareBelowOne = 0.999
    """Adam's decay of the mean squared gradient."""
    eps: Positive = 1e-8
    """Adam's denominator has at least this."""
    weight_decay: float = 0.0
    """L2 penalty (SGD, Adam) or decoupled decay (AdamW)."""
    fused: Literal["auto", "always", "never"] = "auto"
    """Update all weights in one kernel, not an operation at a time; rounds otherwise. auto: on a GPU. sparse_adam never does."""


@dataclass(frozen=True, kw_only=True)
class OptimConfig(OptimizerConfig):
    """The settings of a method's main optimiser, and what all its optimisers share."""

    clip_norm: float = 0.0
    """Largest gradient norm; 0 leaves gradients as they are."""
    accumulate: AtLeastOne = 1
    """Micro-batches a step; run.batch_size is still what one step sees."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Length of a run, and the fall of its learning rate."""

    steps: int = 60_000
    """Optimiser steps of the whole run; 0: as many as epochs are."""
    epochs: float = 0.0
    """Visits to every training row, where steps is 0: the same number under each label budget."""
    warmup: int = 0
    """Steps of linear warm-up from 0."""
    decay: Literal["constant", "polynomial", "exponential", "cosine"] = "exponential"
    """polynomial: (1 - t/steps)^power. exponential: gamma^(t // gamma_every)."""
    power: float = 0.9
    """Exponent of polynomial decay."""
    gamma: Positive = 0.99
    """Factor of exponential decay."""
    gamma_every: AtLeastOne = 1000
    """Steps between two factors of exponential decay."""
    patience: int = 0
    """Evaluations without a better score after which the run ends early; 0 never does. Needs run.evaluate_every or
    run.evaluate_epochs."""
    batch_norm_momentum: Literal["constant", "released"] = "constant"
    """released: 0.5, halved every 20 steps, floor 0.001 (Pri3D common/solver.py)."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Place, workers and rhythm of a run."""

    name: str = ""
    """Name of the run and of its folder; empty: method and digest of the experiment, so the same command resumes."""
    storage: StorageFolder = "runs"
    """Folder shared by all workers that holds runs, index and the default MLflow store."""
    seed: Seed = 0
    """Seed of initial weights, order of samples, augmentation and sampling."""
    batch_size: AtLeastOne = 64
    """Samples an optimiser step sees over all workers together."""
    workers: int = 1
    """Training processes, on any number of nodes; must divide batch_size / optim.accumulate. 0: in the calling process
    (Ray Train's local mode), which starts soonest; a crash then ends the command, and the same command resumes."""
    min_workers: int = 0
    """Fewest workers the run may continue with while the cluster has no room for all; 0 waits for room. Their number then follows
    the cluster, among the sizes that share a micro-batch equally."""
    resize_every: float = 60.0
    """Seconds between two looks at whether a run with min_workers could have more workers."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """auto takes GPUs where the Ray cluster has one a worker."""
    cpus_per_worker: Positive = 1.0
    """CPUs and torch threads of a training process; Ray Data needs one more CPU in the cluster. Small networks gain nothing
    from a second thread, because Ray runs training in a thread whose OpenMP regions are slow to start."""
    gpus_per_worker: Annotated[float, Bounds(0, 1, above=True)] = 1.0
    """GPU of a training process; a share, such as .25, lets four processes use one, which networks that are small or wait for
    the CPU leave idle. Its memory is not shared out: all of them must fit."""
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    """bfloat16: autocast in forward, weights and optimiser state stay float32. float64: everything, to tell rounding from a
    difference that matters."""
    compiler: Compiler = "never"
    """Backend of torch.compile for parts of a method whose shapes stay, such as its 2D network: inductor needs a C compiler and
    takes a minute or more at the start, cudagraphs replays recorded launches; aot_eager and eager only trace."""
    log_every: AtLeastOne = 10
    """Steps between two progress lines and two points in MLflow."""
    checkpoint_every: AtLeastOne = 500
    """Steps between two checkpoints; one is also written at the end."""
    keep: AtLeastOne = 2
    """Checkpoints kept beside the best one."""
    evaluate_every: int = 0
    """Steps between two evaluations; 0: as evaluate_epochs says."""
    evaluate_epochs: float = 0.0
    """Visits to every training row between two evaluations, where evaluate_every is 0; 0 evaluates at the end only."""
    evaluation_batch_size: int = 0
    """Items a process evaluates at a time; 0: as many as it trains on at a time. Does not change the numbers."""
    max_failures: Annotated[int, Bounds(-1)] = 3
    """Deaths of workers, or of Ray Train's controller, after which the run gives up; -1: it never does."""
    max_nonfinite: int = 10
    """Steps in a row with a non-finite loss or gradient after which the run stops; each is skipped and counted."""
    quarantine_limit: Share = 0.1
    """Largest share of samples that may be unusable before the run stops."""
    tracking_uri: StoreAddress = ""
    """MLflow server or store; empty: MLFLOW_TRACKING_URI, else a SQLite file in storage."""
    experiment: str = "sem3d"
    """MLflow experiment."""

    def __post_init__(self) -> None:
        """Keep user and password of ``tracking_uri`` out of everything that is written down of a run."""
        if StoreUri(self.tracking_uri).whole != bare(self.tracking_uri):  # tyro takes others for a type of their own
            object.__setattr__(self, "tracking_uri", StoreUri(self.tracking_uri))


NAMED_WEIGHTS = ("scratch", "imagenet")
"""Initial weights that are no path, even where a file or folder has such a name."""

MethodConfig = TypeVar("MethodConfig")
DataConfig = TypeVar("DataConfig")


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[MethodConfig, DataConfig]):
    """Everything that decides a result."""

    method: MethodConfig
    data: DataConfig
    optim: OptimConfig = field(default_factory=OptimConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    run: RunConfig = field(default_factory=RunConfig)
    init: Weights = "scratch"
    """Initial weights: scratch, imagenet, a run or checkpoint folder, or a weights file (torchvision or MoCo layout)."""
    init_without: tuple[str, ...] = ()
    """Parts of the initial weights' checkpoint that are left out, such as the latents of its own objects."""
    resume: Literal["auto", "never"] = "auto"
    """auto resumes from the newest whole checkpoint of the same run; never refuses a run that exists."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` for a number that means nothing."""
        check_bounds(self)


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Leave of a nested dataclass by dotted name, in field order."""
    leaves: dict[str, Any] = {}
    for field_name in field_names(type(config)):
        value = getattr(config, field_name)
        name = f"{prefix}{field_name}"
        if dataclasses.is_dataclass(value):
            leaves |= flatten(value, f"{name}.")
        else:
            leaves[name] = value
    return leaves


def kinds(config: Any, prefix: str = "") -> dict[str, Any]:
    """Return the declared types of the leaves, by dotted name."""
    found: dict[str, Any] = {}
    hints = get_type_hints(type(config), include_extras=True)
    for item in dataclasses.fields(config):
        value, name = getattr(config, item.name), f"{prefix}{item.name}"
        found |= kinds(value, f"{name}.") if dataclasses.is_dataclass(value) else {name: hints[item.name]}
    return found


def places(config: Any) -> dict[str, Place]:
    """Return the leaves whose type marks them as places, by dotted name."""
    marks = {name: getattr(kind, "__metadata__", ()) for name, kind in kinds(config).items()}
    return {name: mark for name, found in marks.items() for mark in found if isinstance(mark, Place)}


def of_kind(value: Any, kind: Any) -> Any:
    """Return a JSON value as a setting of the declared type ``kind``: lists are tuples. Raises :class:`TypeError` otherwise."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return of_kind(value, inner[0])
    if origin is Literal and any(value == one and type(value) is type(one) for one in inner):
        return value
    if origin is tuple and isinstance(value, list | tuple):
        each = inner[:1] * len(value) if inner[1:] == (...,) else inner
        return tuple(of_kind(one, like) for one, like in zip(value, each, strict=True))
    if origin is list and isinstance(value, list):
        return [of_kind(one, inner[0]) for one in value]
    if origin is dict and isinstance(value, dict):
        return {name: of_kind(one, inner[1]) for name, one in value.items()}
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        plain = [get_args(one)[0] if get_origin(one) is Annotated else one for one in inner]
        kind = next((one for one in plain if type(value) is one), plain[0])
    if kind is float and type(value) in (int, float):
        return value
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise TypeError(f"{value!r} is no {getattr(kind, '__name__', kind)}")


def of_fields(content: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return JSON values as the fields of the dataclass ``kind``, whole numbers as floats where it says float; raises
    :class:`TypeError`, :class:`KeyError` or :class:`OverflowError` for others.
    """
    hints = get_type_hints(kind)
    return {name: as_kind(value, hints[name]) for name, value in content.items()}


def as_kind(value: Any, kind: Any) -> Any:
    """Return :func:`of_kind` with whole numbers as floats where ``kind`` says float; raises :class:`OverflowError` for one too
    large.
    """
    return _with_floats(of_kind(value, kind), kind)


def _with_floats(value: Any, kind: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is float or (float in inner and type(value) is int):
        return float(value)
    if origin in (list, tuple):
        return origin(_with_floats(one, inner[0]) for one in value)
    if origin is dict:
        return {name: _with_floats(one, inner[1]) for name, one in value.items()}
    return value


def override(config: Any, changes: dict[str, Any]) -> Any:
    """Return ``config`` with the leaves named in ``changes`` replaced, all at once; raises :class:`UserError` on an unknown
    leaf.
    """
    known = field_names(type(config))
    values: dict[str, Any] = {}
    of_parts: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        if head not in known:
            raise UserError(
                f"unknown setting '{name}': {type(config).__name__} has {', '.join(sorted(known))}{near(name, known)}"
            )
        if not rest:
            values[head] = value
        elif dataclasses.is_dataclass(values.get(head, getattr(config, head))):
            of_parts.setdefault(head, {})[rest] = value
        else:
            raise UserError(f"unknown setting '{name}': '{head}' has no parts")
    parts = {head: override(values.get(head, getattr(config, head)), inner) for head, inner in of_parts.items()}
    return dataclasses.replace(config, **values | parts)


def digest(value: Any) -> str:
    """Return twelve hexadecimal digits that identify a nested dataclass or JSON value by content."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:12]
