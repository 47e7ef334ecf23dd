"""The backward pass of an output neuron with two inputs."""

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class BackwardOutputLayerExercise(ExerciseKind):
    """∂L/∂z of an output neuron, then the gradients of a weight, of the bias, and of an input."""

    name = "backward-output-layer"
    title = "Backward through the output layer"

    def make(self, rng):
        o_1, o_2 = np.abs(tenths(rng, 2))
        w_1, w_2 = tenths(rng, 2)
        (b,) = tenths(rng, 1)
        y = float(rng.integers(0, 2))
        z = w_1 * o_1 + w_2 * o_2 + b
        predicted = 1 / (1 + np.exp(-z))
        error, slope = 2 * (predicted - y), predicted * (1 - predicted)
        delta = error * slope
        at_z = ("∂L/∂z", delta)
        terms = f"{number(w_1)} · {number(o_1)} + {bracketed(w_2)} · {number(o_2)}"
        product = f"{bracketed(delta)} · "
        return {
            "question": (
                "The output neuron of a network is a sigmoid with two inputs.\n\n"
                f"O_1 = {number(o_1)}, O_2 = {number(o_2)}\n"
                f"w_1 = {number(w_1)}, w_2 = {number(w_2)}, b = {number(b)}\n"
                f"z = w_1 O_1 + w_2 O_2 + b, ŷ = σ(z), y = {number(y)}, L = (ŷ - y)²"
            ),
            "blanks": [
                Blank(
                    "∂L/∂z",
                    delta,
                    [("∂L/∂ŷ", error), ("∂ŷ/∂z", slope)],
                    mistakes=[Mistake(delta / 2, "the slope of (ŷ - y)² has a factor 2")],
                ),
                Blank(
                    "∂L/∂w_1",
                    delta * o_1,
                    [at_z, ("O_1", o_1)],
                    mistakes=[
                        Mistake(delta * w_1, "∂z/∂w_1 is the input O_1, not the weight"),
                        Mistake(delta * o_2, "that is ∂L/∂w_2"),
                    ],
                ),
                Blank(
                    "∂L/∂b",
                    delta,
                    mistakes=[
                        Mistake(delta * b, "∂z/∂b is 1, not b"),
                        Mistake(0.0, "the bias is a constant, but it is trained: ∂z/∂b = 1"),
                    ],
                ),
                Blank(
                    "∂L/∂O_1",
                    delta * w_1,
                    [at_z, ("w_1", w_1)],
                    mistakes=[
                        Mistake(delta * o_1, "∂z/∂O_1 is the weight w_1; that is ∂L/∂w_1"),
                        Mistake(delta * w_2, "that is ∂L/∂O_2"),
                    ],
                ),
            ],
            "solution": (
                f"z = {terms} + {bracketed(b)} = {number(z)}\n"
                f"ŷ = σ(z) = {number(predicted)}\n"
                f"∂L/∂ŷ = 2 (ŷ - y) = {number(error)}\n"
                f"∂ŷ/∂z = ŷ (1 - ŷ) = {number(slope)}\n"
                f"∂L/∂z = {bracketed(error)} · {number(slope)} = {number(delta)}\n"
                f"∂L/∂w_1 = ∂L/∂z · O_1 = {product}{number(o_1)} = {number(delta * o_1)}\n"
                f"∂L/∂b = ∂L/∂z · 1 = {number(delta)}\n"
                f"∂L/∂O_1 = ∂L/∂z · w_1 = {product}{bracketed(w_1)} = {number(delta * w_1)}"
            ),
        }
