"""Elastic deformation: displacements on a coarse grid, interpolated by cubic splines."""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Elastic:
    """Displacements on a coarse grid over a frame, interpolated by cubic splines.

    Attributes:
        grid: (axes, *points) displacements in pixels of the frame; the first and last points lie
            on its edges. Beyond the frame the displacement is that of the edge.
        frame: size of the frame.
        to_frame: (axes, axes + 1), output coordinates to the frame's.
        to_input: (axes, axes), displacements of the frame to the input's.
    """

    grid: np.ndarray
    frame: tuple[int, ...]
    to_frame: np.ndarray
    to_input: np.ndarray

    def on_grid(self, size) -> np.ndarray | None:
        """Displacements in the input (axes, *size) at the pixels of the output, float32.

        None if the frame is rotated against the output.
        """
        by_axis = permutation(self.to_frame[:, :-1])
        if by_axis is None:
            return None
        moved = np.tensordot(self.to_input, self.grid, 1).astype(np.float32)
        for axis in reversed(range(len(by_axis))):
            along = by_axis[axis]
            scale, offset = self.to_frame[axis, along], self.to_frame[axis, -1]
            weights = _weights_on_axis(
                moved.shape[axis + 1], self.frame[axis], float(scale), float(offset), size[along]
            )
            rest = moved.shape[axis + 2 :]
            moved = weights @ moved.reshape(*moved.shape[: axis + 2], -1)
            moved = moved.reshape(*moved.shape[:-1], *rest)
        order = [by_axis.index(axis) + 1 for axis in range(len(by_axis))]
        return moved.transpose(0, *order)

    def at(self, points) -> np.ndarray:
        """Displacements in the input (axes, n) at output coordinates (axes, n)."""
        where = self.to_frame[:, :-1] @ points + self.to_frame[:, -1:]
        moved = self.grid[..., None]
        for axis in range(len(self.frame)):
            weights = spline_weights(
                where[axis], self.grid.shape[axis + 1], self.frame[axis]
            ).T  # (grid points, n)
            moved = (moved * weights.reshape(-1, *[1] * (moved.ndim - 3), weights.shape[1])).sum(1)
        return self.to_input @ moved


def spline_weights(where, points: int, frame: int) -> np.ndarray:
    """(n, points): what each of the points along an axis adds at each coordinate."""
    from scipy.interpolate import CubicSpline

    knots = np.linspace(0, frame, points)
    return CubicSpline(knots, np.eye(points), bc_type="natural")(np.clip(where, 0, frame))


@functools.lru_cache(maxsize=64)  # of crops of one size they are always the same
def _weights_on_axis(points: int, frame: int, scale: float, offset: float, count: int):
    where = scale * (np.arange(count) + 0.5) + offset
    return spline_weights(where, points, frame).astype(np.float32)


def permutation(matrix) -> list[int] | None:
    """The output axis along which each input axis runs; None if one runs along several."""
    used = np.abs(matrix) > 1e-12
    if (used.sum(axis=0) != 1).any() or (used.sum(axis=1) != 1).any():
        return None
    return [int(row.argmax()) for row in used]
