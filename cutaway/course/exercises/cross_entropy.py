"""Softmax of three scores, and the cross-entropy of the true class."""

import math

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import number


class CrossEntropyExercise(ExerciseKind):
    """ŷ_k = e^z_k / Σ e^z_j and L = -ln ŷ_k."""

    name = "cross-entropy"
    title = "Softmax and cross-entropy"

    def make(self, rng):
        z = [float(value) for value in tenths(rng, 3, most=25)]
        k = int(rng.integers(3))
        powers = [math.exp(value) for value in z]
        total = sum(powers)
        probability = powers[k] / total
        loss = -math.log(probability)
        scores = sum(z) or 1.0
        return {
            "question": (
                f"The scores of three classes are z = ({', '.join(map(number, z))}), and the true "
                f"class is number {k + 1}. What probability does softmax give to it, and what is "
                "the loss?"
            ),
            "blanks": [
                Blank(
                    f"ŷ_{k + 1}",
                    probability,
                    mistakes=[
                        Mistake(z[k] / scores, "the scores themselves are divided; e^z is missing"),
                        Mistake(powers[k], f"that is e^z_{k + 1}; it is divided by the sum of all"),
                        Mistake(
                            1 / (1 + math.exp(-z[k])),
                            "that is the sigmoid of one score; softmax looks at all of them",
                        ),
                        Mistake(1 - probability, "that is the probability of the other classes"),
                        Mistake(
                            powers[k] / (total - powers[k]),
                            f"e^z_{k + 1} itself is part of the sum below",
                        ),
                    ],
                ),
                Blank(
                    "L",
                    loss,
                    mistakes=[
                        Mistake(-loss, "the minus sign is missing; a loss is not negative"),
                        Mistake(loss / math.log(10), "that is the logarithm to base 10, not ln"),
                        Mistake(loss / math.log(2), "that is the logarithm to base 2, not ln"),
                        Mistake(-math.log(1 - probability), "that is -ln (1 - ŷ)"),
                        Mistake(1 - probability, "that is 1 - ŷ; the loss is -ln ŷ"),
                        Mistake(probability, "that is the probability; the loss is -ln of it"),
                    ],
                ),
            ],
            "solution": (
                f"e^z = ({', '.join(map(number, powers))}), sum {number(total)}\n"
                f"ŷ_{k + 1} = {number(powers[k])} / {number(total)} = {number(probability)}\n"
                f"L = -ln ŷ_{k + 1} = -ln {number(probability)} = {number(loss)}"
            ),
        }
