"""Squared error, absolute error and Huber of one prediction."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import bracketed, number


class LossesExercise(ExerciseKind):
    """(ŷ - y)², |ŷ - y| and the Huber loss of an outlier."""

    name = "losses"
    title = "Three losses of one prediction"

    def make(self, rng):
        target = float(rng.integers(10, 30))
        size = float(rng.choice([1.5, 2.5, 3.0, 3.5, 4.5, 5.0]))
        error = size * float(rng.choice([-1, 1]))
        delta = float(rng.choice([0.5, 1.0]))
        predicted = target + error
        huber = delta * (size - delta / 2)
        return {
            "question": (
                f"The target is y = {number(target)}, the prediction ŷ = {number(predicted)}. "
                "What are the squared error, the absolute error, and the Huber loss with "
                f"δ = {number(delta)}?"
            ),
            "blanks": [
                Blank(
                    "(ŷ - y)²",
                    size**2,
                    mistakes=[
                        Mistake(error, "that is the error; it is squared"),
                        Mistake(2 * error, "that is the slope 2 (ŷ - y)"),
                        Mistake(size**2 / 2, "that has the factor ½, which this loss does not"),
                        Mistake(predicted**2 - target**2, "the difference is squared as a whole"),
                        Mistake(-(size**2), "a square is not negative"),
                    ],
                ),
                Blank(
                    "|ŷ - y|",
                    size,
                    mistakes=[
                        Mistake(-size, "an absolute value is not negative"),
                        Mistake(size**2, "that is the squared error"),
                    ],
                ),
                Blank(
                    "Huber",
                    huber,
                    factors=[("δ", delta), ("(|ŷ - y| - ½ δ)", size - delta / 2)],
                    mistakes=[
                        Mistake(size**2 / 2, "that is for errors up to δ; this one is larger"),
                        Mistake(delta * size, "½ δ is missing: δ (|ŷ - y| - ½ δ)"),
                        Mistake(delta * (size - delta), "δ is subtracted; it is ½ δ"),
                        Mistake(size, "that is the absolute error"),
                        Mistake(size**2, "that is the squared error"),
                    ],
                ),
            ],
            "solution": (
                f"ŷ - y = {number(predicted)} - {number(target)} = {number(error)}\n"
                f"(ŷ - y)² = {bracketed(error)}² = {number(size**2)}\n"
                f"|ŷ - y| = {number(size)}\n"
                f"{number(size)} > δ, so Huber = δ (|ŷ - y| - ½ δ) = {number(delta)} · "
                f"({number(size)} - {number(delta / 2)}) = {number(huber)}"
            ),
        }
