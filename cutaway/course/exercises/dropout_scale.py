"""What dropout multiplies by, in training or at test time."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import number


class DropoutScaleExercise(ExerciseKind):
    """A kept unit in training, O / (1 - p), and the other form's weight at test time, w (1 - p)."""

    name = "dropout-scale"
    title = "The scale of dropout"

    def make(self, rng):
        p = float(rng.choice([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.75, 0.8]))
        out = float(rng.integers(2, 10)) / 10
        weight = float(rng.integers(5, 30)) / 10 * float(rng.choice([-1, 1]))
        kept = 1 - p
        return {
            "question": (
                f"Dropout drops each unit of a layer with probability p = {number(p)}. A unit that "
                f"is kept has the output O = {number(out)} before dropout. The weight that leads "
                f"from it to the next layer is w = {number(weight)}.\n\n"
                "One form of dropout scales the kept units in training and nothing at test time. "
                "The other leaves the kept units as they are and scales the weights at test time."
            ),
            "blanks": [
                Blank(
                    "O after dropout in training, in the first form",
                    out / kept,
                    factors=[("O", out), ("1 / (1 - p)", 1 / kept)],
                    mistakes=[
                        Mistake(out, "that is O as it was; a kept unit is scaled"),
                        Mistake(out / p, "p is the fraction that is dropped: divide by 1 - p"),
                        Mistake(out * kept, "it is divided by 1 - p, not multiplied"),
                    ],
                ),
                Blank(
                    "w at test time, in the second form",
                    weight * kept,
                    factors=[("w", weight), ("1 - p", kept)],
                    mistakes=[
                        Mistake(weight, "that is w as it was; this form scales it at test time"),
                        Mistake(weight * p, "p is the fraction that is dropped: multiply by 1 - p"),
                        Mistake(weight / kept, "it is multiplied by 1 - p, not divided"),
                    ],
                ),
            ],
            "solution": (
                f"O / (1 - p) = {number(out)} / {number(kept)} = {number(out / kept)}\n"
                f"w (1 - p) = {number(weight)} · {number(kept)} = {number(weight * kept)}"
            ),
        }
