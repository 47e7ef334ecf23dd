"""One value of a feature map, and how large the map is."""

import numpy as np

from cutaway.course.exercise import Blank, ExerciseKind, Mistake


class ConvolutionWindow(ExerciseKind):
    """z = Σ w x over a window of 3 by 3, and (n + 2p - k) / s + 1."""

    name = "convolution-window"
    title = "One window of a convolution"

    def make(self, rng):
        window = rng.integers(0, 4, (3, 3))
        kernel = rng.integers(-2, 3, (3, 3))
        while abs(total := int((window * kernel).sum())) < 3 or total == int(
            (window * kernel[::-1, ::-1]).sum()
        ):
            window, kernel = rng.integers(0, 4, (3, 3)), rng.integers(-2, 3, (3, 3))
        bias, size = int(rng.integers(1, 3)), int(rng.integers(10, 40))
        padding, stride = int(rng.integers(0, 2)), int(rng.integers(1, 3))
        side = (size + 2 * padding - 3) // stride + 1
        flipped = int((window * kernel[::-1, ::-1]).sum())
        products = " + ".join(
            f"{x} · {w}" if w >= 0 else f"{x} · ({w})"
            for x, w in zip(window.ravel(), kernel.ravel(), strict=True)
        )
        return {
            "question": (
                f"A kernel of 3 by 3 is laid on a window of a picture; the bias is {bias}.\n\n"
                f"window\n{_rows(window)}\n\nkernel\n{_rows(kernel)}\n\n"
                f"The whole picture has {size} by {size} pixels; the padding is {padding}, the "
                f"stride {stride}."
            ),
            "blanks": [
                Blank(
                    "value of the feature map",
                    float(total + bias),
                    terms=[("Σ w x", float(total)), ("b", float(bias))],
                    mistakes=[
                        Mistake(flipped + bias, "the kernel is flipped; networks do not flip it"),
                        Mistake(float(kernel.sum() + window.sum() + bias), "multiply, then add"),
                    ],
                ),
                Blank(
                    "values along a side of the map",
                    float(side),
                    mistakes=[
                        Mistake(float(size), "without padding to fit, the map is smaller"),
                        Mistake((size - 3) // stride + 1.0, "the padding is left out"),
                        Mistake(size + 2 * padding - 3 + 1.0, "the stride is left out"),
                        Mistake((size + 2 * padding - 3) // stride, "+ 1 is missing"),
                    ],
                ),
            ],
            "solution": (
                f"Σ w x + b = {products} + {bias} = {total + bias}\n\n"
                f"(n + 2p - k) / s + 1 = ({size} + 2 · {padding} - 3) / {stride} + 1 = {side}, "
                "rounded down"
            ),
        }


def _rows(matrix: np.ndarray) -> str:
    """A matrix in lines of equally wide numbers."""
    return "\n".join("[ " + " ".join(f"{value:2d}" for value in row) + " ]" for row in matrix)
