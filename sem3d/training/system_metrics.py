"""Load of this machine."""

import psutil
import torch


def system_metrics(device: torch.device) -> dict[str, float]:
    """Return CPU use in percent since the last call, memory in MB and GPU memory in MB, under the names MLflow shows."""
    values = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/process_memory_megabytes": psutil.Process().memory_info().rss / 1e6,
    }
    if device.type == "cuda":
        values["system/gpu_memory_megabytes"] = torch.cuda.max_memory_allocated(device) / 1e6
    return values
