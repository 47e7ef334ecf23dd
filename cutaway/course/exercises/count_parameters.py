"""How many weights and biases a dense network has."""

import itertools

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake


class CountParametersExercise(ExerciseKind):
    """inputs · neurons + neurons of each layer, added up.

    Counts stay so small that one parameter more or less is outside the tolerance.
    """

    name = "count-parameters"
    title = "The parameters of a network"

    def make(self, rng):
        sizes = [*(int(size) for size in rng.integers(2, 6, 3)), int(rng.integers(1, 3))]
        pairs = list(itertools.pairwise(sizes))
        counts = [i * j + j for i, j in pairs]
        blanks = []
        for k, (i, j) in enumerate(pairs, start=1):
            mistakes = [
                Mistake(i * j, "each neuron also has a bias"),
                Mistake(i * j + i, "the biases belong to the neurons of the layer, not its inputs"),
                Mistake(i * j + 1, "each neuron has a bias of its own, not one for the layer"),
                Mistake(i + j, "that counts the nodes; every pair of them has a weight"),
            ]
            terms = [("the weights", float(i * j)), ("the biases", float(j))]
            blanks.append(Blank(f"parameters of layer {k}", counts[k - 1], [], terms, mistakes))
        total, weights = sum(counts), sum(i * j for i, j in pairs)
        mistakes = [
            Mistake(weights, "the biases are missing"),
            Mistake(total + sizes[0], "the inputs have no biases"),
            Mistake(sum(sizes), "that is the number of nodes"),
            Mistake(sum(sizes[1:]), "that is the number of biases alone"),
        ]
        terms = [(f"layer {k}", float(count)) for k, count in enumerate(counts, start=1)]
        blanks.append(Blank("parameters of the network", total, [], terms, mistakes))
        written = "\n".join(
            f"layer {k}: {i} · {j} + {j} = {i * j + j}" for k, (i, j) in enumerate(pairs, start=1)
        )
        return {
            "question": (
                f"A dense network has {sizes[0]} inputs, layers of {sizes[1]} and {sizes[2]} "
                f"neurons, and an output layer of {sizes[3]}. Every neuron has a bias. How many "
                "parameters are there to train?"
            ),
            "blanks": blanks,
            "solution": f"{written}\nnetwork: {' + '.join(map(str, counts))} = {total}",
        }
