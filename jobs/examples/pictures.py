"""Features and labels of a picture of yours, in cells (``# %%``) that editors run one by one.

``python -m jobs.examples.pictures RUN PICTURE``: RUN is the folder of a run of pri3d or semantic_segmentation_2d.
"""

# %% a trained network
import sys

import numpy as np
from PIL import Image

import sem3d
from sem3d.evaluation.figures import feature_sheet

run, picture = sys.argv[1:3]
model = sem3d.load(run)
print(f"{model.method} on {model.device} gives {', '.join(model.gives)}")

# %% dense features: float32 (dim, row, column), of every second pixel that the network sees
features = model.features(picture)
print(f"{features.shape[0]} dimensions on {features.shape[1]} x {features.shape[2]} cells")

# %% how alike each cell is to the one in the middle: cosine
unit = features / np.linalg.norm(features, axis=0)
middle = unit[:, unit.shape[1] // 2, unit.shape[2] // 2]
alike = np.einsum("d,drc->rc", middle, unit)
print(f"cosine to the middle: median {np.median(alike):.2f}, 95 % below {np.quantile(alike, 0.95):.2f}")

# %% the features as colours, by PCA
with Image.open(picture) as opened:
    colors = np.asarray(opened.convert("RGB"))
Image.fromarray(feature_sheet([colors], [features])).save("features.png")
print("features.png")

# %% the classes, where the network knows any
if "segment" in model.gives:
    labels = model.segment(picture)
    numbers, pixels = np.unique(labels, return_counts=True)
    for number, count in sorted(zip(numbers, pixels, strict=True), key=lambda pair: -pair[1])[:5]:
        print(f"{count / labels.size:4.0%} {model.classes[number]}")
