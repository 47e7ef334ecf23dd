"""One correction by Rosenblatt's rule."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class PerceptronRuleExercise(ExerciseKind):
    """w ← w + η (y - ŷ) x after a mistake."""

    name = "perceptron-rule"
    title = "One correction of a perceptron"

    def make(self, rng):
        lr = float(rng.choice([0.2, 0.5]))
        while True:
            w = [float(value) for value in tenths(rng, 2)]
            bias = float(tenths(rng)[()])
            x = [float(value) for value in rng.integers(2, 5, 2)]
            z = round(w[0] * x[0] + w[1] * x[1] + bias, 4)
            predicted = int(z >= 0)
            error = 1 - 2 * predicted  # the target is the other class
            new = round(w[0] + lr * error * x[0], 4)
            new_bias = round(bias + lr * error, 4)
            if min(abs(z), abs(new), abs(new_bias)) > 0.05:
                break
        return {
            "question": (
                f"A perceptron has w = ({number(w[0])}, {number(w[1])}), b = {number(bias)} and "
                f"η = {number(lr)}. A row has x = ({number(x[0])}, {number(x[1])}) and the target "
                f"y = {1 - predicted}. What is the score z, and what are w_1 and b after the "
                "correction?"
            ),
            "blanks": [
                Blank(
                    "z",
                    z,
                    terms=[("w_1 x_1", w[0] * x[0]), ("w_2 x_2", w[1] * x[1]), ("b", bias)],
                ),
                Blank(
                    "w_1",
                    new,
                    terms=[("w_1", w[0]), ("η (y - ŷ) x_1", lr * error * x[0])],
                    mistakes=[
                        Mistake(
                            w[0] - lr * error * x[0],
                            "the sign is turned around: the rule adds η (y - ŷ) x",
                        ),
                        Mistake(w[0] + lr * error, "the factor x_1 is missing in the correction"),
                        Mistake(w[0] + error * x[0], "the learning rate η is missing"),
                        Mistake(w[0] + lr * (1 - predicted - z) * x[0], "ŷ is 0 or 1, not z"),
                        Mistake(
                            w[0] + lr * (1 - predicted) * x[0],
                            "ŷ is missing in the error y - ŷ",
                        ),
                    ],
                ),
                Blank(
                    "b",
                    new_bias,
                    terms=[("b", bias), ("η (y - ŷ)", lr * error)],
                    mistakes=[
                        Mistake(bias, "the bias is corrected as well"),
                        Mistake(bias - lr * error, "the sign is turned around"),
                    ],
                ),
            ],
            "solution": (
                f"z = {number(w[0])} · {number(x[0])} + {bracketed(w[1])} · {number(x[1])} + "
                f"{bracketed(bias)} = {number(z)}, so ŷ = {predicted} and y - ŷ = {error}\n"
                f"w_1 = {number(w[0])} + {number(lr)} · {bracketed(error)} · {number(x[0])} = "
                f"{number(new)}\n"
                f"b = {number(bias)} + {number(lr)} · {bracketed(error)} = {number(new_bias)}"
            ),
        }
