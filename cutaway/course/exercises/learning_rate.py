"""Two steps of gradient descent on L = w²."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import bracketed, number

RATES = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.9, 1.1, 1.2)


class LearningRateExercise(ExerciseKind):
    """w after one and after two steps with a learning rate that is small or too large."""

    name = "learning-rate"
    title = "Two steps down a parabola"

    def make(self, rng):
        start = float(rng.integers(2, 10)) * float(rng.choice([-1, 1]))
        lr = float(rng.choice(RATES))
        first = start - lr * 2 * start
        second = first - lr * 2 * first
        falls = "falls" if abs(second) < abs(start) else "rises: the learning rate is too high"
        return {
            "question": (
                f"The loss is L = w², so its slope is ∂L/∂w = 2 w. Gradient descent starts at "
                f"w = {number(start)} with the learning rate η = {number(lr)}."
            ),
            "blanks": [
                Blank(
                    "w after one step",
                    first,
                    terms=[("w", start), ("-η · 2 w", -lr * 2 * start)],
                    mistakes=[
                        Mistake(start - lr * start, "the slope of w² is 2 w, not w"),
                        Mistake(start + lr * 2 * start, "that is a step up the slope"),
                        Mistake(start - lr * start**2, "that takes the loss for its slope"),
                    ],
                ),
                Blank(
                    "w after two steps",
                    second,
                    mistakes=[
                        Mistake(start - 2 * lr * 2 * start, "the second step has a slope of its "
                                "own: that of the new w"),
                        Mistake(start - lr * 2 * first, "start the second step from the new w"),
                        Mistake(first, "that is one step"),
                    ],
                ),
                Blank(
                    "L after two steps",
                    second**2,
                    mistakes=[
                        Mistake(2 * second, "that is the slope there; the loss is w²"),
                        Mistake(first**2, "that is the loss after one step"),
                    ],
                ),
            ],
            "solution": (
                f"w: {number(start)} - {number(lr)} · 2 · {bracketed(start)} = {number(first)}\n"
                f"w: {number(first)} - {number(lr)} · 2 · {bracketed(first)} = {number(second)}\n"
                f"L = w² = {number(second**2)}. At the start it was {number(start**2)}: it {falls}."
            ),
        }  # fmt: skip
