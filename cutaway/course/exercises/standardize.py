"""A raw value, standardized and back."""

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import bracketed, number

OFFSETS = np.array([[-3, -1, 1, 3], [-4, -2, 1, 5], [-5, -1, 2, 4], [-5, -3, 1, 7]])


class StandardizeExercise(ExerciseKind):
    """x = (raw - μ) / s of a column of four, and raw = x s + μ."""

    name = "standardize"
    title = "A raw value and its standardized one"

    def make(self, rng):
        mean, scale = int(rng.integers(20, 120)), int(rng.integers(1, 5))
        column = mean + scale * rng.permutation(rng.choice(OFFSETS))
        std, raw, x = float(column.std()), float(column[0]), float(rng.integers(-20, 21)) / 10
        x = x or 0.5
        first, back = (raw - mean) / std, x * std + mean
        variance = std**2
        sample = float(column.std(ddof=1))
        cells = ", ".join(map(str, column))
        return {
            "question": (
                f"A column has the cells {cells}. It is standardized with its mean μ and its "
                "standard deviation s, the root of the mean of the squared differences from μ.\n\n"
                f"What is x of the first cell? Which raw value belongs to x = {number(x)}?"
            ),
            "blanks": [
                Blank(
                    "s",
                    std,
                    mistakes=[
                        Mistake(variance, "that is the variance; take its square root"),
                        Mistake(sample, "that divides by 3; here it is the mean of 4 squares"),
                        Mistake(float(abs(column - mean).mean()), "square the differences first"),
                    ],
                ),
                Blank(
                    "x of the first cell",
                    first,
                    mistakes=[
                        Mistake(raw - mean, "divide by the standard deviation s"),
                        Mistake(raw / std, "subtract the mean μ first"),
                        Mistake((raw - mean) / variance, "that is divided by the variance"),
                        Mistake((raw - mean) * std, "divide by s; do not multiply"),
                    ],
                ),
                Blank(
                    f"raw value of x = {number(x)}",
                    back,
                    terms=[("x s", x * std), ("μ", float(mean))],
                    mistakes=[
                        Mistake((x + mean) * std, "multiply x by s first, then add μ"),
                        Mistake((x - mean) / std, "that standardizes x a second time"),
                        Mistake(x + mean, "multiply x by s before μ is added"),
                    ],
                ),
            ],
            "solution": (
                f"μ = {number(float(mean))}, s = {number(std, 5)}\n"
                f"x = (raw - μ) / s = ({number(raw)} - {number(float(mean))}) / {number(std, 5)}"
                f" = {number(first, 5)}\n"
                f"raw = x s + μ = {bracketed(x)} · {number(std, 5)} + {number(float(mean))}"
                f" = {number(back, 5)}"
            ),
        }
