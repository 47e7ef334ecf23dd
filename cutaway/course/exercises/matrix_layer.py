"""The scores of a layer: its transposed matrix times the inputs, plus the biases."""

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class MatrixLayerExercise(ExerciseKind):
    """z = Wᵀ x + b of two inputs and two neurons."""

    name = "matrix-layer"
    title = "A layer as a matrix"

    def make(self, rng):
        while True:
            w, b = tenths(rng, 2, 2), tenths(rng, 2)
            x = rng.integers(1, 6, 2).astype(float)
            z = np.round(w.T @ x + b, 4)
            untransposed = w @ x + b
            is_clear = np.abs(untransposed - z).min() > 0.15 and np.abs(z).min() > 0.15
            if is_clear and x[0] != x[1]:
                break
        blanks, lines = [], []
        for j in range(2):
            k = j + 1
            terms = [
                (f"w_1{k} x_1", float(w[0, j] * x[0])),
                (f"w_2{k} x_2", float(w[1, j] * x[1])),
                (f"b_{k}", float(b[j])),
            ]
            mistakes = [
                Mistake(
                    float(untransposed[j]),
                    f"that is row {k} of W times x; the weights of neuron {k} are in column {k}",
                ),
                Mistake(float(z[1 - j]), f"that is the score of neuron {2 - j}"),
            ]
            blanks.append(Blank(f"z_{k}", float(z[j]), terms=terms, mistakes=mistakes))
            lines.append(
                f"z_{k} = w_1{k} x_1 + w_2{k} x_2 + b_{k} = {number(w[0, j])} · {number(x[0])} + "
                f"{bracketed(w[1, j])} · {number(x[1])} + {bracketed(b[j])} = {number(z[j])}"
            )
        return {
            "question": (
                "A layer has two inputs and two neurons.\n\n"
                f"x = ({number(x[0])}, {number(x[1])}), b = ({number(b[0])}, {number(b[1])})\n\n"
                f"W = {w.tolist()}\n\n"
                "Row i of W belongs to input i, column j to neuron j: w_12 = "
                f"{number(w[0, 1])}. What are the scores z = Wᵀ x + b?"
            ),
            "blanks": blanks,
            "solution": "\n".join(lines),
        }
