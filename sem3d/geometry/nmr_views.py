"""The 24 views of an object in the NMR renders, as numbers: readers of files need no torch for them."""

VIEWS = 24
DISTANCE = 2.732
ELEVATION_DEGREES = 30.0
AZIMUTH_STEP_DEGREES = -15.0
HALF_FIELD_OF_VIEW_DEGREES = 15.0
