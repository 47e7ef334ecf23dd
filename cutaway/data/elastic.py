"""Elastic deformation: displacements on a coarse grid, interpolated by cubic splines."""

import dataclasses

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

    def on_grid(self, places) -> np.ndarray | None:
        """Displacements in the input (axes, *n) on a grid of output places, given per axis.

        None if the frame is rotated against the output.
        """
        by_axis = permutation(self.to_frame[:, :-1])
        if by_axis is None:
            return None
        moved = np.tensordot(self.to_input, self.grid, 1)
        for axis in reversed(range(len(by_axis))):
            along = by_axis[axis]
            where = self.to_frame[axis, along] * places[along] + self.to_frame[axis, -1]
            weights = self._weights(where, axis).astype(np.float32)
            rest = moved.shape[axis + 2 :]
            moved = moved.astype(np.float32).reshape(*moved.shape[: axis + 2], -1)
            moved = (weights @ moved).reshape(*moved.shape[: axis + 1], len(where), *rest)
        order = [by_axis.index(axis) + 1 for axis in range(len(by_axis))]
        return moved.transpose(0, *order)

    def at(self, points) -> np.ndarray:
        """Displacements in the input (axes, n) at output coordinates (axes, n)."""
        where = self.to_frame[:, :-1] @ points + self.to_frame[:, -1:]
        moved = self.grid[..., None]
        for axis in range(len(self.frame)):
            weights = self._weights(where[axis], axis).T  # (grid points, n)
            moved = (moved * weights.reshape(-1, *[1] * (moved.ndim - 3), weights.shape[1])).sum(1)
        return self.to_input @ moved

    def _weights(self, where, axis):
        """(n, grid points): what each point of the grid adds at each coordinate."""
        from scipy.interpolate import CubicSpline

        knots = np.linspace(0, self.frame[axis], self.grid.shape[axis + 1])
        spline = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
        return spline(np.clip(where, 0, self.frame[axis]))


def permutation(matrix) -> list[int] | None:
    """The output axis along which each input axis runs; None if one runs along several."""
    used = np.abs(matrix) > 1e-12
    if (used.sum(axis=0) != 1).any() or (used.sum(axis=1) != 1).any():
        return None
    return [int(row.argmax()) for row in used]
