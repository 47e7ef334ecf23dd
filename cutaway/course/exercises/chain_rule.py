"""The gradient of a weight that acts along two paths."""

import numpy as np

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.explain import explain
from cutaway.losses import mean_squared_error
from cutaway.models import network
from cutaway.story.text import number


class ChainRuleExercise(ExerciseKind):
    """∂L/∂w_11^(1) in a network of two inputs, two layers of two sigmoids and one output."""

    name = "chain-rule"
    title = "The gradient of a weight over two paths"

    def make(self, rng):
        weights = [tenths(rng, 2, 2), tenths(rng, 2, 2), tenths(rng, 2, 1)]
        x, y = rng.integers(1, 4, 2).astype(float), float(rng.integers(0, 2))
        why = explain(network(weights=weights), x, [y], loss=mean_squared_error)
        story = why.gradient("0.weight", (0, 0))
        paths = sorted(story.paths, key=lambda path: path.nodes)
        predicted = float(np.ravel(why.output)[0])
        blanks = [Blank("ŷ", predicted, mistakes=[Mistake(1 - predicted, "that is 1 - ŷ")])]
        for k, path in enumerate(paths, start=1):
            through = "O_1^(2)" if "O_1^(2)" in path.nodes else "O_2^(2)"
            factors = [(factor.text, factor.value) for factor in path.factors]
            blanks.append(Blank(f"path {k}, through {through}", path.product, factors))
        terms = [(f"path {k}", path.product) for k, path in enumerate(paths, start=1)]
        blanks.append(Blank("∂L/∂w_11^(1)", story.value, terms=terms))
        first, second, last = (str(w.tolist()) for w in weights)
        return {
            "question": (
                "A network takes two numbers; two layers of two sigmoids and one sigmoid follow, "
                "without biases.\n\n"
                f"x = ({number(x[0])}, {number(x[1])}), y = {number(y)}, L = (ŷ - y)²\n\n"
                f"W^(1) = {first}\nW^(2) = {second}\nW^(3) = {last}\n\n"
                "Row i of a matrix belongs to input i, column j to neuron j."
            ),
            "blanks": blanks,
            "solution": story,
            "picture": why.draw(story),
        }
