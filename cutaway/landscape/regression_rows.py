"""A small linear regression as a surface: the loss of w x + b over a slope w and an intercept b.

Unlike the textbook surfaces it is a mean over rows, so that a step can follow some of them alone.
"""

import dataclasses

import numpy as np

from cutaway.engine import Tensor
from cutaway.landscape.textbook import TextbookSurface

ROWS = 24


@dataclasses.dataclass(frozen=True, eq=False)
class RegressionSurface(TextbookSurface):
    """L(w, b), the mean over rows of (w x + b - y)².

    Attributes:
        x, y: (rows,).
    """

    x: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    y: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))

    @property
    def rows(self) -> int:
        return len(self.x)

    def loss_of_rows(self, w, b, x, y) -> Tensor:
        """The mean over the rows x, y of (w x + b - y)²."""
        return ((w * x + b - y) ** 2).mean()

    def gradients_of_rows(self, point) -> np.ndarray:
        """(rows, 2): the gradient 2 (w x + b - y) · (x, 1) of each row's loss at (w, b)."""
        w, b = point
        return 2 * (w * self.x + b - self.y)[:, None] * np.stack([self.x, np.ones(self.rows)], 1)

    def steepest(self) -> float:
        """The largest curvature of any single row's loss: of (w x + b - y)² it is 2 (x² + 1)."""
        return float(2 * (self.x**2 + 1).max())


def regression_surface(x, y, *, start, about: str = "") -> RegressionSurface:
    """The RegressionSurface of rows x, y.

    Args:
        x, y: (rows,), numbers.
        start: (w, b) at which optimizers start.

    Example:
        >>> from cutaway.landscape.regression_rows import regression_surface
        >>> surface = regression_surface([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], start=(0.0, 0.0))
        >>> [round(v, 9) for v in (*surface.minima[0], surface.values((1.0, 1.0)).item())]
        [2.0, 1.0, 1.666666667]
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    xx, xy, yy, x_mean, y_mean = (x * x).mean(), (x * y).mean(), (y * y).mean(), x.mean(), y.mean()

    def loss(w, b):
        # the mean of (w x + b - y)², multiplied out
        squares = xx * w**2 + b**2 + yy
        return squares + 2 * x_mean * w * b - 2 * xy * w - 2 * y_mean * b

    w = (xy - x_mean * y_mean) / (xx - x_mean**2)
    minimum = (float(w), float(y_mean - w * x_mean))
    reach = 1.3 * max(abs(s - m) for s, m in zip(start, minimum, strict=True))
    return RegressionSurface(
        "regression",
        f"mean over {len(x)} rows of (w x + b - y)²",
        loss,
        start=tuple(map(float, start)),
        x_range=(minimum[0] - reach, minimum[0] + reach),
        y_range=(minimum[1] - reach, minimum[1] + reach),
        steps=2 * len(x),
        minima=(minimum,),
        about=about,
        axes=("w", "b"),
        x=x,
        y=y,
    )


def _drawn():
    """Rows of y = 2 x + 1 with noise of standard deviation 1."""
    x = np.linspace(-2, 2, ROWS)
    return x, 2 * x + 1 + np.random.default_rng(35).standard_normal(ROWS)


REGRESSION = regression_surface(
    *_drawn(),
    start=(-1.0, 3.5),
    about=f"{ROWS} rows of y = 2 x + 1 with noise of standard deviation 1",
)
