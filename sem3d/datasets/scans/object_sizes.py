"""Usual sizes of ScanNet's 18 classes of objects, which VoteNet predicts sizes against."""

import numpy as np

MEAN_SIZES = np.array(
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
)
"""Mean width, depth and height, metres, of the axis-aligned boxes of each class in ScanNet's training scenes (VoteNet,
``scannet/meta_data/scannet_means.npz``)."""
