"""The series that is looked at: the values of each of its channels over time."""

import numpy as np

from cutaway.nn.trees import leaves
from cutaway.studio.views.contract import Scene, View

STEPS, CHANNELS = 2048, 8  # shown


class SeriesView(View):
    """Arrays: x, (time, channels), the input of the row.

    Of a forecast in the unit of the data, otherwise as the network gets them. Of a longer series
    its end is shown.
    """

    name = "series"
    title = "Series"
    has_row = True

    def fits(self, scene):
        arrays = [np.asarray(leaf) for leaf in leaves(scene.subject.x)]
        if len(arrays) != 1 or arrays[0].ndim != 3 or arrays[0].dtype.kind != "f":
            return False
        return scene.subject.picture(scene.row) is None

    def looked(self, scene):
        values = np.asarray(leaves(scene.example())[0])[0]
        rows = _forecast_rows(scene)
        if rows is not None:
            values = rows.scaling.unscale(values)
        return {"x": values[-STEPS:, :CHANNELS].astype(np.float32)}

    def header(self, scene, arrays):
        time, channels = np.asarray(leaves(scene.example())[0]).shape[1:]
        shown, drawn = arrays["x"].shape
        rows = _forecast_rows(scene)
        names = [f"channel {k + 1}" for k in range(drawn)] if rows is None else rows.columns[:drawn]
        steps = scene.subject.tokens(scene.row)
        if steps is None or len(steps) != time:
            steps = [str(k + 1) for k in range(time)]
        return {
            "steps": [str(name) for name in steps[time - shown :]],
            "channels": list(names),
            "target": None if rows is None else rows.channel,
            "left_out": {"steps": time - shown, "channels": channels - drawn},
        }


def _forecast_rows(scene: Scene):
    """The preprocessing of data that are forecast, which knows their columns and scales."""
    from cutaway.runs.series_rows import SeriesRows  # points of a plane need no runs

    rows = getattr(getattr(scene.subject, "experiment", None), "preprocessing", None)
    return rows if isinstance(rows, SeriesRows) else None
