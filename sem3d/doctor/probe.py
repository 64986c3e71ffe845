"""Imports and uses of compiled packages, in a process of its own: ``python -m sem3d.doctor.probe STAGE ...``.

Prints one JSON line a stage, ``{"stage": ..., "ok": true, "found": ...}``. A package that is built for other libraries can
end the process without a word; whoever reads the lines sees which stage it was.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any


def torch() -> str:
    """Import torch and compute with it."""
    module = importlib.import_module("torch")
    assert float(module.ones(2, 2).matmul(module.ones(2, 1)).sum()) == 4.0
    return f"{module.__version__}, built for CUDA {module.version.cuda or 'none'}"


def torchvision() -> str:
    """Import torchvision and call a compiled operator of it."""
    module, boxes = importlib.import_module("torchvision"), importlib.import_module("torch").ones(1, 4)
    assert len(module.ops.nms(boxes, boxes[:, 0], 0.5)) == 1
    return f"{module.__version__}, its operators run"


def pytorch3d() -> str:
    """Import PyTorch3D and call its compiled nearest neighbours."""
    module, points = importlib.import_module("pytorch3d"), importlib.import_module("torch").rand(1, 8, 3)
    importlib.import_module("pytorch3d._C")
    found = importlib.import_module("pytorch3d.ops").knn_points(points, points)
    assert float(found.dists.abs().max()) == 0.0
    return f"{module.__version__}, pytorch3d._C runs with torch {importlib.import_module('torch').__version__}"


def minkowski() -> str:
    """Convolve three voxels with MinkowskiEngine, by the project's own doorway to it."""
    backend = importlib.import_module("sem3d.networks.sparse.minkowski_backend")
    sparse, torch_ = importlib.import_module("sem3d.networks.sparse"), importlib.import_module("torch")
    if backend.engine() is None:
        importlib.import_module("MinkowskiEngine")
    coordinates = torch_.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 5, 5, 5]], dtype=torch_.int32)
    tensor = sparse.SparseTensor(coordinates, torch_.ones(3, 1))
    out = backend.convolve(tensor, torch_.ones(27, 1, 1), 3, 1)
    assert sorted(out.flatten().tolist()) == [1.0, 2.0, 2.0]
    return f"{backend.engine().__version__}, a convolution runs on the CPU"


def gpus() -> dict[str, Any]:
    """Return the CUDA devices that torch sees, after a small computation on each."""
    cuda, torch_ = importlib.import_module("torch").cuda, importlib.import_module("torch")
    devices = []
    for index in range(cuda.device_count()):
        about = cuda.get_device_properties(index)
        assert float(torch_.ones(4, device=f"cuda:{index}").sum()) == 4.0
        free, total = cuda.mem_get_info(index)
        devices.append({"name": about.name, "free": free, "total": total})
    return {"cuda": torch_.version.cuda, "devices": devices}


def services() -> str:
    """Import Ray and MLflow."""
    ray, mlflow = (importlib.import_module(name) for name in ("ray", "mlflow"))
    return f"ray {ray.__version__}, mlflow {mlflow.__version__} import"


def nodes() -> dict[str, Any]:
    """Return the living nodes of the Ray cluster at ``RAY_ADDRESS``, their resources and Ray's version there."""
    address = importlib.import_module("ray._private.services").canonicalize_bootstrap_address_or_die(
        os.environ["RAY_ADDRESS"]
    )
    client = importlib.import_module("ray._raylet").GcsClient(address=address)
    alive = [node for node in client.get_all_node_info(timeout=8).values() if node.state == 0]
    about = importlib.import_module("ray._common.usage.usage_lib").get_cluster_metadata(client) or {}
    totals = {name: sum(node.resources_total.get(name, 0.0) for node in alive) for name in ("CPU", "GPU")}
    return {"nodes": len(alive), **totals, "ray": about.get("ray_version", "")}


STAGES: dict[str, Callable[[], Any]] = {
    stage.__name__: stage for stage in (torch, torchvision, pytorch3d, minkowski, gpus, services, nodes)
}


def main() -> None:
    """Run the named stages in order."""
    for name in sys.argv[1:]:
        try:
            line = {"stage": name, "ok": True, "found": STAGES[name]()}
        except Exception as error:
            text = (str(error) or type(error).__name__).splitlines()[0]
            line = {"stage": name, "ok": False, "found": f"{type(error).__name__}: {text}"}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
