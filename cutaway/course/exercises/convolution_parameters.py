"""Parameters of a convolution, and the size of what it makes."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake


class ConvolutionParametersExercise(ExerciseKind):
    """k · k · C_in · C_out + C_out, and (n + 2p - k) / s + 1."""

    name = "convolution-parameters"
    title = "The parameters of a convolution"

    def make(self, rng):
        kernel = int(rng.choice([3, 5, 7]))
        inputs, outputs = int(rng.choice([1, 3, 8, 16])), int(rng.choice([4, 6, 12, 32]))
        size, padding = int(rng.integers(10, 33)), int(rng.integers(0, 2))
        made = size + 2 * padding - kernel + 1
        weights = kernel * kernel * inputs * outputs
        return {
            "question": (
                f"A picture of {size} × {size} pixels with {inputs} channel{'s' * (inputs > 1)} "
                f"goes into a convolution with {outputs} kernels of {kernel} × {kernel}, a bias "
                f"for each, stride 1 and a padding of {padding} on each side."
            ),
            "blanks": [
                Blank(
                    "parameters",
                    float(weights + outputs),
                    terms=[("weights", float(weights)), ("biases", float(outputs))],
                    mistakes=[
                        Mistake(
                            float(kernel**2 * outputs + outputs), "each kernel has all channels"
                        ),
                        Mistake(float(kernel**2 * inputs + 1), "that is one kernel of all"),
                        Mistake(
                            float(weights * size**2), "the kernel is the same at each place: shared"
                        ),
                    ],
                ),
                Blank(
                    "width of its output",
                    float(made),
                    mistakes=[
                        Mistake(float(made - 1), "the first place counts too: + 1"),
                        Mistake(float(made - padding), "the padding is on both sides"),
                        Mistake(float(size), "the kernel has to fit in: fewer places than pixels"),
                    ],
                ),
            ],
            "solution": (
                f"parameters = {kernel} · {kernel} · {inputs} · {outputs} + {outputs}"
                f" = {weights + outputs}\n"
                f"width = {size} + 2 · {padding} - {kernel} + 1 = {made}"
            ),
        }
