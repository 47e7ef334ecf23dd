"""How far initial weights spread."""

import math

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import number


class InitialSpreadExercise(ExerciseKind):
    """The limit of Glorot's uniform and the standard deviation of He's normal distribution."""

    name = "initial-spread"
    title = "The spread of initial weights"

    def make(self, rng):
        fan_in, fan_out = (int(n) for n in rng.choice([20, 50, 80, 150, 300, 600], 2, False))
        both = fan_in + fan_out
        limit, std = math.sqrt(6 / both), math.sqrt(2 / fan_in)
        return {
            "question": (
                f"A layer has {fan_in} inputs and {fan_out} neurons. Glorot's uniform distribution "
                "goes from -a to a; He's normal distribution has mean 0 and a standard deviation."
            ),
            "blanks": [
                Blank(
                    "a of Glorot uniform",
                    limit,
                    mistakes=[
                        Mistake(6 / both, "the root is missing"),
                        Mistake(
                            math.sqrt(2 / both), "that is the standard deviation; a is √3 times it"
                        ),
                        Mistake(math.sqrt(6 / fan_in), "that is He's limit, without the outputs"),
                        Mistake(math.sqrt(6 / fan_out), "inputs and outputs are added"),
                    ],
                ),
                Blank(
                    "standard deviation of He normal",
                    std,
                    mistakes=[
                        Mistake(2 / fan_in, "that is the variance; its root is asked for"),
                        Mistake(math.sqrt(2 / fan_out), "the inputs count here, not the neurons"),
                        Mistake(math.sqrt(2 / both), "that is Glorot's; He's has the inputs alone"),
                        Mistake(math.sqrt(1 / fan_in), "the 2, for ReLU, is missing"),
                        Mistake(math.sqrt(6 / fan_in), "that is the limit of He uniform"),
                    ],
                ),
            ],
            "solution": (
                f"a = √(6 / ({fan_in} + {fan_out})) = {number(limit)}\n"
                f"standard deviation = √(2 / {fan_in}) = {number(std)}"
            ),
        }
