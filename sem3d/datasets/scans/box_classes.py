"""Classes of objects that have boxes, by data set: their names, usual sizes and bins of headings, as VoteNet has them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

from sem3d.datasets.scans.instances import OBJECT_NAMES

BoxSet = Literal["scannet", "sun_rgbd"]


@dataclass(frozen=True, eq=False)
class BoxClasses:
    """Classes of one data set."""

    names: tuple[str, ...]
    mean_sizes: Float32[np.ndarray, "class 3"]
    """Usual width, depth and height of the boxes of each class, metres, in the training scenes: means of ScanNet, medians of SUN
    RGB-D."""
    heading_bins: int
    """1 where boxes lie along the axes."""


SCANNET = BoxClasses(
    OBJECT_NAMES,
    np.array(
        [
            [0.76966727, 0.8116021, 0.92573744],  # cabinet
            [1.876858, 1.8425595, 1.1931566],  # bed
            [0.61328, 0.6148609, 0.7182701],  # chair
            [1.3955007, 1.5121545, 0.83443564],  # sofa
            [0.97949594, 1.0675149, 0.6329687],  # table
            [0.531663, 0.5955577, 1.7500148],  # door
            [0.9624706, 0.72462326, 1.1481868],  # window
            [0.83221924, 1.0490936, 1.6875663],  # bookshelf
            [0.21132214, 0.4206159, 0.5372846],  # picture
            [1.4440073, 1.8970833, 0.26985747],  # counter
            [1.0294262, 1.4040797, 0.87554324],  # desk
            [1.3766412, 0.65521795, 1.6813129],  # curtain
            [0.6650819, 0.71111923, 1.298853],  # refrigerator
            [0.41999173, 0.37906948, 1.7513971],  # shower curtain
            [0.59359556, 0.5912492, 0.73919016],  # toilet
            [0.50867593, 0.50656086, 0.30136237],  # sink
            [1.1511526, 1.0546296, 0.49706793],  # bathtub
            [0.47535285, 0.49249494, 0.5802117],  # otherfurniture
        ],
        np.float32,
    ),
    1,
)
"""``scannet/meta_data/scannet_means.npz``."""
SUN_RGBD = BoxClasses(
    ("bed", "table", "sofa", "chair", "toilet", "desk", "dresser", "night_stand", "bookshelf", "bathtub"),
    np.array(
        [
            [2.114256, 1.620300, 0.927272],
            [0.791118, 1.279516, 0.718182],
            [0.923508, 1.867419, 0.845495],
            [0.591958, 0.552978, 0.827272],
            [0.699104, 0.454178, 0.756250],
            [0.695190, 1.346299, 0.736364],
            [0.528526, 1.002642, 1.172878],
            [0.500618, 0.632163, 0.683424],
            [0.404671, 1.071108, 1.688889],
            [0.765840, 1.398258, 0.472728],
        ],
        np.float32,
    ),
    12,
)
"""``sunrgbd/model_util_sunrgbd.py``."""
BOX_CLASSES: dict[BoxSet, BoxClasses] = {"scannet": SCANNET, "sun_rgbd": SUN_RGBD}
