"""The second state of a recurrent network of one unit."""

import math

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, agree, tenths
from cutaway.explain import explain
from cutaway.nn import RNN, LastStep, Sequential
from cutaway.ops import sigmoid
from cutaway.story.text import bracketed, number


class RnnStepExercise(ExerciseKind):
    """h_2 of h_t = σ(w x_t + u h_{t-1}), with h_0 = 0."""

    name = "rnn-step"
    title = "Two steps of a recurrent network"

    def make(self, rng):
        while True:
            w, u = (float(v) for v in tenths(rng, 2) * 2)
            x = [float(v) for v in rng.integers(-3, 4, 2)]
            first = _sigmoid(w * x[0])
            score = w * x[1] + u * first
            second = _sigmoid(score)
            forgotten = _sigmoid(w * x[1])
            if 0 not in x and abs(score) > 0.05 and not agree(second, forgotten, 0.05):
                break
        layer = RNN(1, 1, activation=sigmoid)
        for parameter, value in zip(layer.parameters(), ([[w]], [[u]], [0]), strict=True):
            parameter.data = np.array(value, np.float32)
        why = explain(Sequential(layer, LastStep()), [[v] for v in x])
        return {
            "question": (
                "A recurrent network of one unit reads two numbers, one after the other:\n\n"
                "h_t = σ(w x_t + u h_{t-1}), h_0 = 0\n\n"
                f"x_1 = {number(x[0])}, x_2 = {number(x[1])}, w = {number(w)}, u = {number(u)}"
            ),
            "blanks": [
                Blank(
                    "h_1",
                    first,
                    mistakes=[Mistake(w * x[0], "that is the score; σ is missing")],
                ),
                Blank(
                    "h_2",
                    second,
                    mistakes=[
                        Mistake(forgotten, "the state h_1 is forgotten"),
                        Mistake(score, "that is the score; σ is missing"),
                        Mistake(
                            _sigmoid(w * x[1] + u), "u is multiplied by h_1 and not just added"
                        ),
                        Mistake(
                            _sigmoid(w * x[1] + u * x[0]),
                            f"u multiplies the state h_1, not the input {bracketed(x[0])}",
                        ),
                    ],
                ),
            ],
            "solution": why.forward("0", (1, 0)),
        }


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))
