"""The first step of Adam, with its bias correction."""

import math

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import bracketed, number

BETAS = 0.9, 0.999


class AdamStepExercise(ExerciseKind):
    """m̂ and v̂ of the first step, and w ← w - η m̂ / √v̂."""

    name = "adam-step"
    title = "The first step of Adam"

    def make(self, rng):
        lr = float(rng.choice([0.1, 0.2, 0.3]))
        weight = float(rng.integers(5, 25)) / 10 * float(rng.choice([-1, 1]))
        g = float(rng.choice([0.2, 0.3, 0.4, 0.5, 2, 3, 4])) * float(rng.choice([-1, 1]))
        m, v = (1 - BETAS[0]) * g, (1 - BETAS[1]) * g**2
        without = weight - lr * m / math.sqrt(v)
        new = weight - lr * math.copysign(1, g)
        return {
            "question": (
                f"A weight is w = {number(weight)}, the gradient of the first step is "
                f"g = {number(g)}, and η = {number(lr)}. Before that step m = 0 and v = 0. With "
                "β₁ = 0.9 and β₂ = 0.999, and without the tiny ε:\n\n"
                "m ← β₁ m + (1 - β₁) g\nv ← β₂ v + (1 - β₂) g²\n"
                "m̂ = m / (1 - β₁)\nv̂ = v / (1 - β₂)\nw ← w - η m̂ / √v̂"
            ),
            "blanks": [
                Blank("m̂", g, mistakes=[Mistake(m, "that is m, without its bias correction")]),
                Blank(
                    "v̂",
                    g**2,
                    mistakes=[
                        Mistake(v, "that is v, without its bias correction"),
                        Mistake(g, "v averages the squares of the gradients"),
                    ],
                ),
                Blank(
                    "w after the first step",
                    new,
                    terms=[("w", weight), ("-η m̂ / √v̂", new - weight)],
                    mistakes=[
                        Mistake(without, "that is Adam without bias correction"),
                        Mistake(weight - lr * g, "that is plain gradient descent"),
                        Mistake(weight - lr / g, "that divides by v̂; it is by its root"),
                    ],
                ),
            ],
            "solution": (
                f"m = 0.1 · {bracketed(g)} = {number(m)}, m̂ = {number(m)} / 0.1 = {number(g)}\n"
                f"v = 0.001 · {bracketed(g)}² = {number(v)}, v̂ = {number(v)} / 0.001 = "
                f"{number(g**2)}\n"
                f"w = {number(weight)} - {number(lr)} · {bracketed(g)} / √{number(g**2)}"
                f" = {number(new)}\n\n"
                f"Without bias correction it would be {number(without)}."
            ),
        }
