"""What one neuron computes: its score and its output."""

import math

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class ForwardPassExercise(ExerciseKind):
    """z = w_1 x_1 + w_2 x_2 + b and ŷ = σ(z)."""

    name = "forward-pass"
    title = "The score and the output of a neuron"

    def make(self, rng):
        w, x = [0.5, 0.5], [1.0, 1.0]
        bias, z = 0.0, 0.0
        while not 0.2 < abs(z) < 4:
            w = [float(value) for value in tenths(rng, 2)]
            x = [float(value) for value in rng.integers(2, 6, 2)]
            bias = float(tenths(rng)[()])
            z = round(w[0] * x[0] + w[1] * x[1] + bias, 4)
        output = 1 / (1 + math.exp(-z))
        return {
            "question": (
                "A neuron with a sigmoid has two inputs.\n\n"
                f"x = ({number(x[0])}, {number(x[1])}), w = ({number(w[0])}, {number(w[1])}), "
                f"b = {number(bias)}\n\n"
                "What is its score z, and what is its output ŷ = σ(z)?"
            ),
            "blanks": [
                Blank(
                    "z",
                    z,
                    terms=[("w_1 x_1", w[0] * x[0]), ("w_2 x_2", w[1] * x[1]), ("b", bias)],
                    mistakes=[
                        Mistake(
                            sum(w) + sum(x) + bias,
                            "weights and inputs are added; each weight multiplies its input",
                        ),
                        Mistake(
                            w[0] * x[1] + w[1] * x[0] + bias,
                            "the weights are exchanged: w_1 belongs to x_1",
                        ),
                        Mistake(output, "that is σ(z), the output; z is the score before it"),
                    ],
                ),
                Blank(
                    "ŷ",
                    output,
                    mistakes=[
                        Mistake(1 - output, "that is 1 / (1 + e^z); the exponent is -z"),
                        Mistake(z, "that is the score; the sigmoid is still to come"),
                        Mistake(math.exp(-z), "that is e^-z alone; the output is 1 / (1 + e^-z)"),
                        Mistake(
                            1 + math.exp(-z), "that is 1 + e^-z; the output is 1 divided by it"
                        ),
                        Mistake(output * (1 - output), "that is the slope of the sigmoid"),
                        Mistake(math.tanh(z), "that is tanh(z)"),
                    ],
                ),
            ],
            "solution": (
                f"z = {number(w[0])} · {number(x[0])} + {bracketed(w[1])} · {number(x[1])} + "
                f"{bracketed(bias)} = {number(z)}\n"
                f"ŷ = σ(z) = 1 / (1 + e^-z) = {number(output)}"
            ),
        }
