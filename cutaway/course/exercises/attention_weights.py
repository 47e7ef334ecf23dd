"""The attention weights of one word over three."""

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import bracketed, number

WIDTH = 4  # of queries and keys: the scores are divided by 2


def softmax(scores):
    """e^s_i / Σ e^s_j."""
    powers = np.exp(np.asarray(scores, float))
    return powers / powers.sum()


class AttentionWeightsExercise(ExerciseKind):
    """softmax(q · k / √d) over three words, and the value that they mix."""

    name = "attention-weights"
    title = "Attention over three words"

    def make(self, rng):
        dots = rng.permutation([-4, -2, 0, 1, 2, 3, 5, 6])[:3].astype(float)
        values = rng.permutation(np.arange(1, 10))[:3].astype(float)
        scaled = dots / np.sqrt(WIDTH)
        weights, unscaled = softmax(scaled), softmax(dots)
        blanks = []
        for k in range(3):
            mistakes = [
                Mistake(float(unscaled[k]), f"the scores are divided by √{WIDTH} first"),
                Mistake(float(softmax(dots / WIDTH)[k]), f"divide by √{WIDTH}, not by {WIDTH}"),
                Mistake(float(np.exp(scaled[k])), "it has to be divided by the sum of all powers"),
            ]
            if dots.sum():
                mistakes.append(Mistake(dots[k] / dots.sum(), "that is without e to the power of"))
            blanks.append(Blank(f"a_{k + 1}", float(weights[k]), mistakes=mistakes))
        terms = [(f"a_{k + 1} v_{k + 1}", float(weights[k] * values[k])) for k in range(3)]
        blanks.append(
            Blank(
                "output",
                float(weights @ values),
                terms=terms,
                mistakes=[
                    Mistake(float(values.mean()), "that is the mean: every word counts the same"),
                    Mistake(float(unscaled @ values), f"the scores are divided by √{WIDTH} first"),
                ],
            )
        )
        powers = " + ".join(f"e^{number(s)}" for s in scaled)
        lines = [
            f"a_{k + 1} = e^{number(scaled[k])} / ({powers}) = {number(weights[k])}"
            for k in range(3)
        ]
        mixed = " + ".join(
            f"{number(a)} · {bracketed(v)}" for a, v in zip(weights, values, strict=True)
        )
        return {
            "question": (
                "The query of a word and the keys of three words have "
                f"{WIDTH} numbers each. Their products are q · k_1 = {number(dots[0])}, "
                f"q · k_2 = {number(dots[1])} and q · k_3 = {number(dots[2])}. The values are "
                f"v_1 = {number(values[0])}, v_2 = {number(values[1])}, v_3 = {number(values[2])}."
                "\n\nWhat are the attention weights, and what is the output?"
            ),
            "blanks": blanks,
            "solution": "\n".join([*lines, f"output = {mixed} = {number(weights @ values)}"]),
        }
