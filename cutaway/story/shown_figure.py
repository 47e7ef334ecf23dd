"""Figures of matplotlib that show themselves in a notebook, and so do their axes.

They are made without pyplot, so none stays open and none is drawn a second time at the end of a
cell. matplotlib is imported here: import this file where something is drawn.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cutaway.story.design import CATEGORICAL
from cutaway.story.notebook import chart_of, shown


class ShownAxes(Axes):
    """Axes that show their figure in a notebook."""

    def _repr_html_(self):
        return shown(chart_of(_whole(self.figure)))

    def save(self, path, **options) -> None:
        """Write the figure to a file: .png, .svg or .pdf; options as of Figure.savefig."""
        _save(self.figure, path, options)


class AxesGrid(np.ndarray):
    """An array of axes of one figure, which it shows in a notebook."""

    def _repr_html_(self):
        return shown(chart_of(_whole(self.flat[0].figure)))

    def save(self, path, **options) -> None:
        """Write the figure to a file: .png, .svg or .pdf; options as of Figure.savefig."""
        _save(self.flat[0].figure, path, options)


class ShownFigure(Figure):
    """A figure that shows itself in a notebook."""

    def add_subplot(self, *args, **options):
        if "projection" not in options and "polar" not in options:
            options.setdefault("axes_class", ShownAxes)
        made = super().add_subplot(*args, **options)
        if hasattr(made, "set_prop_cycle"):
            made.set_prop_cycle(color=CATEGORICAL)
        return made

    def subplots(self, *args, **options):
        made = super().subplots(*args, **options)
        return made.view(AxesGrid) if isinstance(made, np.ndarray) else made

    def _repr_html_(self):
        return shown(chart_of(self))

    def save(self, path, **options) -> None:
        """Write it to a file: .png, .svg or .pdf; options as of Figure.savefig."""
        _save(self, path, options)


def _whole(figure) -> Figure:
    """The figure itself, of a part of one too."""
    return figure.get_figure(root=True)


def _save(figure, path, options) -> None:
    _whole(figure).savefig(path, **{"dpi": 150, **options})
