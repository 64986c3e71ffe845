"""Keypoints of photographs that are also in KeypointNet: the mapping that the paper used and did not publish.

Ours is read off the data. In KeypointNet's frame chairs face -z and x points to the sitter's right, which is the left of a
frontal photograph. SPair-71k's ids 0 to 9 of chairs are, in frontal photographs, front corners of the seat, its rear corners,
front feet, rear feet and the top of the back, each time the left one in the image first. Its ids from 10 on, and the order of
keypoints of other classes and data sets, cannot be told without photographs that show them: they map to nothing.
"""

from collections.abc import Mapping

SPAIR_CHAIR = {"0": 4, "1": 5, "2": 2, "3": 3, "4": 17, "5": 20, "6": 18, "7": 19, "8": 0, "9": 1}
"""SPair-71k's id to KeypointNet's semantic id, of its revision of 2020-04-18, in which 17 to 20 are feet of chairs with legs."""
KEYPOINTNET_IDS: Mapping[tuple[str, str], Mapping[str, int]] = {("spair", "chair"): SPAIR_CHAIR}
"""By data set and class."""
GENERATED_NAMES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("spair", "chair"): {
        **{"0": "seat_front_right", "1": "seat_front_left", "2": "seat_back_right", "3": "seat_back_left"},
        **{"4": "foot_front_right", "5": "foot_front_left", "6": "foot_back_right", "7": "foot_back_left"},
        **{"8": "back_top_right", "9": "back_top_left"},
    }
}
"""The same keypoints as generated shapes name them: left and right are the sitter's."""
