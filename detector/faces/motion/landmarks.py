"""Rows of MediaPipe's refined face mesh (478 points; Grishchenko et al. 2020, https://arxiv.org/abs/2006.10962).

Right and left are the person's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LANDMARKS: Final = 478
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263  # outer
RIGHT_EYE_INNER, LEFT_EYE_INNER = 133, 362
RIGHT_IRIS, LEFT_IRIS = 468, 473
RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER = 61, 291
UPPER_LIP_INNER, LOWER_LIP_INNER = 13, 14
FOREHEAD_TOP, CHIN_TIP, RIGHT_SIDE, LEFT_SIDE = 10, 152, 234, 454

# What expressions hardly move.
_FOREHEAD_AND_BRIDGE = (6, 168, 197, 195, 5, 122, 351, 188, 412, 8, 9, 151, 10, 109, 338, 67, 297, 108, 337, 69, 299)
_EYE_CORNERS_AND_TEMPLES = (33, 133, 362, 263, 127, 356, 162, 389, 21, 251)
RIGID: Final = np.array(_FOREHEAD_AND_BRIDGE + _EYE_CORNERS_AND_TEMPLES)
BROWS: Final = ((70, 63, 105, 66, 107, 46, 53, 52, 65, 55), (300, 293, 334, 296, 336, 276, 283, 282, 295, 285))
CHEEKS: Final = ((50, 205, 187, 207, 36, 101), (280, 425, 411, 427, 266, 330))
JAW: Final = ((172, 136, 150, 58, 148, 176), (397, 365, 379, 288, 377, 400))
JAW_LINE: Final = ((172, 136, 150, 58), (397, 365, 379, 288))  # without the chin
SIDES: Final = ((234, 93, 132), (454, 323, 361))
LIDS: Final = ((159, 158, 160, 145, 153, 144), (386, 385, 387, 374, 380, 373))
LIPS: Final = ((61, 37, 84, 82, 87, 40, 91), (291, 267, 314, 312, 317, 270, 321))
LIPS_MIDDLE: Final = (0, 17, 13, 14)
UPPER_LIDS: Final = ((159, 158, 160), (386, 385, 387))
LOWER_LIDS: Final = ((145, 144, 153), (374, 373, 380))
UPPER_LIP: Final = (0, 37, 267)
LOWER_LIP: Final = (17, 84, 314)
CHIN: Final = (152, 148, 377, 176, 400)
NOSE: Final = (1, 4, 5, 48, 278, 129, 358, 2)
BRIDGE: Final = (6, 168, 197, 195)
FOREHEAD: Final = (10, 109, 338, 67, 297, 151, 9, 108, 337)

REGIONS: Final[dict[str, NDArray[np.intp]]] = {
    "mouth": np.array(LIPS[0] + LIPS[1] + LIPS_MIDDLE),
    "lids": np.array(LIDS[0] + LIDS[1]),
    "brows": np.array(BROWS[0] + BROWS[1]),
    "cheeks": np.array(CHEEKS[0] + CHEEKS[1]),
    "jaw": np.array(JAW[0] + JAW[1] + (CHIN_TIP,)),
    "nose": np.array(NOSE),
    "sides": np.array(SIDES[0] + SIDES[1]),
    "forehead": np.array(FOREHEAD),
    "bridge": np.array(BRIDGE),
}
