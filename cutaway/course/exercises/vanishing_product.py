"""The product of slopes and weights over several layers."""

import math

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import number


class VanishingProductExercise(ExerciseKind):
    """∂O^(n)/∂z^(1) of a chain of sigmoids: n slopes times n - 1 weights."""

    name = "vanishing-product"
    title = "A gradient through several layers"

    def make(self, rng):
        layers = int(rng.integers(3, 6))
        slopes = [float(n) / 100 for n in rng.choice([2, 4, 5, 10, 15, 20, 25], layers)]
        weights = [float(n) / 10 for n in rng.choice([2, 3, 4, 5, 6, 8, 20, 30], layers - 1)]
        all_slopes, all_weights = math.prod(slopes), math.prod(weights)
        product = all_slopes * all_weights
        named = [(f"slope {k}", s) for k, s in enumerate(slopes, start=1)]
        weighted = [(f"weight {k}", w) for k, w in enumerate(weights, start=2)]
        zeros = [
            Mistake(product * 10, "a zero is lost: it is 10 times too large"),
            Mistake(product / 10, "there is a zero too many: it is 10 times too small"),
        ]
        return {
            "question": (
                f"A chain has {layers} sigmoid neurons, one per layer. Their slopes at their "
                f"scores are {', '.join(map(number, slopes))}. The weights between them, of layers "
                f"2 to {layers}, are {', '.join(map(number, weights))}.\n\n"
                "By what is the gradient at the last output multiplied on its way to the score of "
                "the first neuron? Write small numbers as 1.25e-5."
            ),
            "blanks": [
                Blank("the product of all slopes", all_slopes, named),
                Blank(
                    "the product of all slopes and weights",
                    product,
                    [*named, *weighted],
                    mistakes=[*zeros, Mistake(all_slopes, "the weights are missing")],
                ),
                Blank(
                    f"0.25^{layers}, the largest that {layers} slopes can give",
                    0.25**layers,
                    mistakes=[Mistake(0.25 * layers, "that is 0.25 times the number of layers")],
                ),
            ],
            "solution": (
                f"{' · '.join(map(number, slopes))} = {number(all_slopes)}\n"
                f"{number(all_slopes)} · {' · '.join(map(number, weights))} = {number(product)}\n"
                f"0.25^{layers} = {number(0.25**layers)}"
            ),
        }
