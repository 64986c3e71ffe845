"""Pictures of results, uint8 RGB arrays (height, width, 3); no files, no screen, no pyplot state."""

from sem3d.evaluation.figures.boxes_from_above import DrawnBoxes, DrawnScene, box_sheet
from sem3d.evaluation.figures.from_above import seen_from_above
from sem3d.evaluation.figures.matches import draw_before_and_after, draw_matches
from sem3d.evaluation.figures.principal import pca_features
from sem3d.evaluation.figures.reconstructions import label_history, reconstruction_sheet
from sem3d.evaluation.figures.scatter import Dots, scatter_sheet
from sem3d.evaluation.figures.sheets import feature_sheet, overlay_sheet, prediction_sheet

__all__ = [
    "Dots",
    "DrawnBoxes",
    "DrawnScene",
    "box_sheet",
    "draw_before_and_after",
    "draw_matches",
    "feature_sheet",
    "label_history",
    "overlay_sheet",
    "pca_features",
    "prediction_sheet",
    "reconstruction_sheet",
    "scatter_sheet",
    "seen_from_above",
]
