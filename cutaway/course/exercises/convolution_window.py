"""One value of a feature map, and how large the map is."""

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import bracketed, number

KERNEL = 3


class ConvolutionWindowExercise(ExerciseKind):
    """The products of one window and a kernel of 3 x 3, added up; rows and columns of the map."""

    name = "convolution-window"
    title = "One value of a feature map"

    def make(self, rng):
        rows, columns = (int(n) for n in rng.choice([5, 6, 7, 8], 2, False))
        down, right = rows - KERNEL + 1, columns - KERNEL + 1
        while True:
            image = rng.integers(0, 5, (rows, columns))
            kernel = rng.integers(-2, 3, (KERNEL, KERNEL))
            i, j = int(rng.integers(1, down)), int(rng.integers(1, right))
            value, turned, before = (
                int((part * by).sum())
                for part, by in (
                    (_window(image, i, j), kernel),
                    (_window(image, i, j), kernel[::-1, ::-1]),
                    (_window(image, i - 1, j - 1), kernel),
                )
            )
            if len({abs(value), abs(turned), abs(before), 0}) == 4:
                break
        products = [
            (f"{x} · {bracketed(float(w))}", float(x * w))
            for x, w in zip(_window(image, i, j).ravel(), kernel.ravel(), strict=True)
        ]
        written = "\n".join(" ".join(map(str, row)) for row in image)
        return {
            "question": (
                f"The image\n\n{written}\n\nis read by a convolution without padding, with stride "
                "1, bias 0 and the kernel\n\n"
                + "\n".join(" ".join(f"{w:2d}" for w in row) for row in kernel)
                + f"\n\nRows and columns are counted from 1: the value in row {i + 1},"
                f" column {j + 1} of the map has its window from row {i + 1}, column "
                f"{j + 1} of the image."
            ),
            "blanks": [
                Blank(
                    f"the value in row {i + 1}, column {j + 1}",
                    float(value),
                    terms=[(name, product) for name, product in products if product],
                    mistakes=[
                        Mistake(float(before), "that is the window one row and column before"),
                        Mistake(float(turned), "the kernel is turned around; here it is not"),
                    ],
                ),
                _size("rows of the feature map", rows),
                _size("columns of the feature map", columns),
            ],
            "solution": (
                " + ".join(name for name, product in products if product)
                + f" = {value}; products with 0 are left out\n"
                f"rows: {rows} - {KERNEL} + 1 = {down}\ncolumns: {columns} - {KERNEL} + 1 = {right}"
            ),
        }


def _window(image: np.ndarray, i: int, j: int) -> np.ndarray:
    return image[i : i + KERNEL, j : j + KERNEL]


def _size(asks: str, size: int) -> Blank:
    return Blank(
        asks,
        float(size - KERNEL + 1),
        terms=[(number(size), float(size)), (f"-{KERNEL}", -float(KERNEL)), ("1", 1.0)],
        mistakes=[
            Mistake(float(size), "that takes padding; without it the map is smaller"),
            Mistake(float(size - KERNEL), "the first position counts too: plus 1"),
        ],
    )
