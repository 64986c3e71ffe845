"""Generated data: furnished rooms and single shapes whose labels, parts and keypoints are known."""
