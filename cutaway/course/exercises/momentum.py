"""Two steps of gradient descent with momentum."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class MomentumExercise(ExerciseKind):
    """v ← β v + g, then w ← w - η v, twice."""

    name = "momentum"
    title = "Two steps with momentum"

    def make(self, rng):
        beta, lr = float(rng.choice([0.5, 0.8, 0.9])), float(rng.choice([0.1, 0.2]))
        while True:
            weight = float(rng.integers(5, 20)) / 10 * float(rng.choice([-1, 1]))
            first, second = (float(g) * 2 for g in tenths(rng, 2))
            velocity = beta * first + second
            moved = weight - lr * first
            new = moved - lr * velocity
            if min(abs(velocity), abs(new), abs(beta * first)) > 0.2 and abs(second) < 1.5:
                break
        return {
            "question": (
                f"A weight is w = {number(weight)}, its velocity v = 0. The gradient is "
                f"g_1 = {number(first)} in the first step and g_2 = {number(second)} in the "
                f"second; β = {number(beta)}, η = {number(lr)}.\n\n"
                "v ← β v + g\nw ← w - η v"
            ),
            "blanks": [
                Blank(
                    "v after the second step",
                    velocity,
                    terms=[("β v_1", beta * first), ("g_2", second)],
                    mistakes=[
                        Mistake(second, "that is the gradient alone; the velocity is forgotten"),
                        Mistake(first + second, "the old velocity decays: β is missing"),
                        Mistake(
                            beta * first + (1 - beta) * second,
                            "this form has v ← β v + g, without 1 - β",
                        ),
                    ],
                ),
                Blank(
                    "w after the second step",
                    new,
                    terms=[("w", weight), ("-η v_1", -lr * first), ("-η v_2", -lr * velocity)],
                    mistakes=[
                        Mistake(moved - lr * second, "that is plain gradient descent"),
                        Mistake(weight - lr * velocity, "the first step is missing"),
                        Mistake(moved + lr * velocity, "the weight moves against v: minus"),
                    ],
                ),
            ],
            "solution": (
                f"v_1 = {number(beta)} · 0 + {bracketed(first)} = {number(first)}\n"
                f"w_1 = {number(weight)} - {number(lr)} · {bracketed(first)} = {number(moved)}\n"
                f"v_2 = {number(beta)} · {bracketed(first)} + {bracketed(second)}"
                f" = {number(velocity)}\n"
                f"w_2 = {number(moved)} - {number(lr)} · {bracketed(velocity)} = {number(new)}"
            ),
        }
