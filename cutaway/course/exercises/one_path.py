"""The gradient of the weight of a single neuron: three factors along one path."""

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.explain import explain
from cutaway.losses import mean_squared_error
from cutaway.models import network
from cutaway.story.text import number


class OnePathExercise(ExerciseKind):
    """∂L/∂w = ∂L/∂ŷ · ∂ŷ/∂z · ∂z/∂w of one sigmoid with one input."""

    name = "one-path"
    title = "A chain of three factors"

    def make(self, rng):
        w, b = tenths(rng, 2)
        x, y = float(rng.integers(2, 5)), float(rng.integers(0, 2))
        net = network(weights=[([[w]], [b])])
        why = explain(net, [x], [y], loss=mean_squared_error)
        story = why.gradient("0.weight", (0, 0))
        z, predicted = w * x + b, float(np.ravel(why.output)[0])
        error, slope = 2 * (predicted - y), predicted * (1 - predicted)
        factors = [("∂L/∂ŷ", error), ("∂ŷ/∂z", slope), ("∂z/∂w", x)]
        return {
            "question": (
                f"One sigmoid neuron has one input x = {number(x)}, the weight w = {number(w)} and "
                f"the bias b = {number(b)}. The target is y = {number(y)}.\n\n"
                "z = w x + b\nŷ = σ(z)\nL = (ŷ - y)²"
            ),
            "blanks": [
                Blank(
                    "ŷ",
                    predicted,
                    mistakes=[
                        Mistake(z, "that is the score z; the sigmoid is missing"),
                        Mistake(1 / (1 + np.exp(z)), "the exponent is -z, not z"),
                        Mistake(1 / (1 + np.exp(-w * x)), "the bias is missing"),
                    ],
                ),
                Blank(
                    "∂L/∂ŷ",
                    error,
                    mistakes=[
                        Mistake(error / 2, "the derivative of a square has a factor 2"),
                        Mistake((predicted - y) ** 2, "that is the loss, not its slope"),
                    ],
                ),
                Blank(
                    "∂ŷ/∂z",
                    slope,
                    mistakes=[
                        Mistake(z * (1 - z), "the slope is ŷ (1 - ŷ); that is z (1 - z)"),
                        Mistake(predicted, "that is ŷ; multiply it by 1 - ŷ"),
                    ],
                ),
                Blank(
                    "∂L/∂w",
                    error * slope * x,
                    factors,
                    mistakes=[
                        Mistake(error * slope * w, "∂z/∂w is the input x, not the weight w"),
                    ],
                ),
            ],
            "solution": story,
            "picture": why.draw(story),
        }
