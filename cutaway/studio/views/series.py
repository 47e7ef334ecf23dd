"""The series or window that is looked at, as the network gets it."""

import numpy as np

from cutaway.nn.trees import is_array, leaves
from cutaway.studio.views.contract import Scene, View

STEPS, CHANNELS = 512, 8  # sent of a row


class SeriesView(View):
    """Array x, (time, channels): encoded values of the row; of a longer one its last steps."""

    name = "series"
    title = "The series"
    has_row = True

    def fits(self, scene):
        x = scene.subject.x
        return is_array(x) and np.ndim(x) == 3 and np.asarray(x[:0]).dtype.kind == "f"

    def looked(self, scene):
        values = np.asarray(leaves(scene.example())[0][0], np.float32)
        return {"x": values[-STEPS:, :CHANNELS]}

    def header(self, scene: Scene, arrays):
        time, channels = np.shape(scene.subject.x)[1:]
        first = max(0, time - STEPS)
        names = scene.subject.tokens(scene.row)
        return {
            "first": first,
            "steps": None if names is None else [str(name) for name in names[first:]],
            "left_out": {"steps": first, "channels": max(0, channels - CHANNELS)},
        }
