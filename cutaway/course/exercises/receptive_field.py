"""How many steps of its input one output of a stack of convolutions sees."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake


class ReceptiveFieldExercise(ExerciseKind):
    """1 + (k - 1) · (sum of the dilations)."""

    name = "receptive-field"
    title = "The receptive field of dilated convolutions"

    def make(self, rng):
        kernel, layers, stacks = (int(rng.integers(*r)) for r in ((2, 4), (3, 8), (1, 4)))
        dilations = [2**k for k in range(layers)]
        total = stacks * sum(dilations)
        field = 1 + (kernel - 1) * total
        mistakes = [
            Mistake(float(field - 1), "the step itself is seen too: 1 more"),
            Mistake(float(1 + kernel * total), "a kernel of k reaches k - 1 dilations, not k"),
            Mistake(
                float(1 + (kernel - 1) * layers * stacks),
                "that is without dilations: each reaches 1",
            ),
            Mistake(
                float(1 + (kernel - 1) * stacks * dilations[-1]),
                "all layers count, not only the last one of a stack",
            ),
            Mistake(
                float(1 + (kernel - 1) * sum(dilations)), "all stacks count, not only the first one"
            ),
        ]
        listed = ", ".join(map(str, dilations))
        times = "once" if stacks == 1 else f"{stacks} times in a row"
        return {
            "question": (
                f"Causal convolutions with kernels of {kernel} have the dilations {listed}; this "
                f"stack is there {times}. How many steps of the input does one output depend on?"
            ),
            "blanks": [
                Blank("sum of all dilations", float(total)),
                Blank("receptive field", float(field), mistakes=mistakes),
            ],
            "solution": (
                f"Σ d = {stacks} · ({' + '.join(map(str, dilations))}) = {total}\n"
                f"1 + (k - 1) Σ d = 1 + {kernel - 1} · {total} = {field}"
            ),
        }
