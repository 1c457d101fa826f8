"""From labelled files to weights and a measured card; one folder for each kind of model.

`engine` fits any network, `data` makes its samples, `evaluation` measures what came of it.
"""

from detector.training import (  # noqa: F401 - a kind's folder registers it
    audiovisual,
    ensemble,
    frame,
    kinematics,
    residual,
    sequence,
    specialists,
    texture,
)
