"""Two steps of a recurrent unit."""

import math

from cutaway.course.exercise import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class RnnStep(ExerciseKind):
    """h_t = tanh(w x_t + u h_(t-1)), twice."""

    name = "rnn-step"
    title = "Two steps of a recurrent unit"

    def make(self, rng):
        w, u = (float(value) for value in tenths(rng, 2))
        first, second = (float(value) for value in rng.integers(1, 4, 2))
        h_1 = math.tanh(w * first)
        z_2 = w * second + u * h_1
        h_2 = math.tanh(z_2)
        return {
            "question": (
                "A recurrent unit with tanh, h_t = tanh(w x_t + u h_(t-1)), reads two numbers; "
                "h_0 = 0.\n\n"
                f"w = {number(w)}, u = {number(u)}, x_1 = {number(first)}, x_2 = {number(second)}"
            ),
            "blanks": [
                Blank("h_1", h_1, mistakes=[Mistake(w * first, "that is z_1; tanh is missing")]),
                Blank(
                    "z_2 = w x_2 + u h_1",
                    z_2,
                    terms=[("w x_2", w * second), ("u h_1", u * h_1)],
                    mistakes=[
                        Mistake(w * second + u * w * first, "u multiplies the state h_1, not z_1"),
                        Mistake(w * second + u * first, "u multiplies the state, not the input"),
                    ],
                ),
                Blank(
                    "h_2",
                    h_2,
                    mistakes=[
                        Mistake(z_2, "that is z_2; tanh is missing"),
                        Mistake(math.tanh(w * second), "the state h_1 is forgotten"),
                    ],
                ),
            ],
            "solution": (
                f"h_1 = tanh({number(w)} · {number(first)}) = {number(h_1)}\n"
                f"z_2 = {number(w)} · {number(second)} + {bracketed(u)} · {bracketed(h_1)} = "
                f"{number(z_2)}\n"
                f"h_2 = tanh({number(z_2)}) = {number(h_2)}"
            ),
        }
