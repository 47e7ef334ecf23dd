"""The value and the slope of an activation."""

import math

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class ActivationSlopeExercise(ExerciseKind):
    """a(z) and a'(z) of a sigmoid, a tanh or a leaky ReLU."""

    name = "activation-slope"
    title = "The slope of an activation"

    def make(self, rng):
        made = (_sigmoid, _tanh, _leaky_relu)[int(rng.integers(3))]
        z = float(tenths(rng, most=20)[()])
        if made is _leaky_relu:
            z = -abs(z)
        if abs(z) < 0.3:  # the values there are too close to z
            z = math.copysign(0.3, z)
        title, formula, value, slope, solution = made(z)
        return {
            "question": (
                f"The activation of a neuron is {title}, a(z) = {formula}, and its score is "
                f"z = {number(z)}. What are the output a(z) and the slope a'(z)?"
            ),
            "blanks": [value, slope],
            "solution": solution,
        }


def _sigmoid(z: float):
    value = 1 / (1 + math.exp(-z))
    slope = value * (1 - value)
    factors = [("σ(z)", value), ("(1 - σ(z))", 1 - value)]
    mistakes = [
        Mistake(value, "that is σ(z), the value; the slope is σ(z) (1 - σ(z))"),
        Mistake(1 - value, "that is 1 - σ(z); the slope is σ(z) times it"),
        Mistake(1 - value**2, "that is 1 - σ(z)², the form for tanh"),
        Mistake(z * (1 - z), "that is z (1 - z); the slope is made of σ(z), not of z"),
        Mistake(0.25, "that is the slope at z = 0, the largest there is"),
    ]
    return (
        "the sigmoid",
        "1 / (1 + e^-z)",
        Blank("a(z)", value, mistakes=[Mistake(1 - value, "that is σ(-z); the exponent is -z")]),
        Blank("a'(z)", slope, factors, mistakes=mistakes),
        (
            f"σ({number(z)}) = {number(value)}\n"
            f"σ'(z) = σ(z) (1 - σ(z)) = {number(value)} · {number(1 - value)} = {number(slope)}"
        ),
    )


def _tanh(z: float):
    value = math.tanh(z)
    slope = 1 - value**2
    sigmoid = 1 / (1 + math.exp(-z))
    mistakes = [
        Mistake(1 - value, "that is 1 - tanh(z); tanh(z) is squared"),
        Mistake(value**2, "that is tanh(z)²; the slope is 1 minus it"),
        Mistake(value * (1 - value), "that is the form for a sigmoid"),
        Mistake(value, "that is tanh(z), the value"),
        Mistake(1.0, "that is the slope at z = 0, the largest there is"),
    ]
    return (
        "tanh",
        "(e^z - e^-z) / (e^z + e^-z)",
        Blank("a(z)", value, mistakes=[Mistake(sigmoid, "that is the sigmoid")]),
        Blank("a'(z)", slope, mistakes=mistakes),
        (
            f"tanh({number(z)}) = {number(value)}\n"
            f"tanh'(z) = 1 - tanh(z)² = 1 - {bracketed(value)}² = {number(slope)}"
        ),
    )


def _leaky_relu(z: float):
    mistakes = [
        Mistake(0.01 * z, "that is 0.01 z, the value; its slope is the factor 0.01"),
        Mistake(0.0, "that is the slope of a ReLU; a leaky one is not flat below 0"),
        Mistake(1.0, "that is the slope above 0"),
    ]
    return (
        "a leaky ReLU",
        "z for z > 0, otherwise 0.01 z",
        Blank(
            "a(z)",
            0.01 * z,
            mistakes=[
                Mistake(0.0, "that is the value of a ReLU"),
                Mistake(z, "that is z; below 0 it is multiplied by 0.01"),
                Mistake(0.01, "that is the slope"),
            ],
        ),
        Blank("a'(z)", 0.01, mistakes=mistakes),
        (
            f"z = {number(z)} is below 0, so a(z) = 0.01 · {bracketed(z)} = {number(0.01 * z)}\n"
            "a'(z) = 0.01, whatever z is, as long as it is below 0"
        ),
    )
