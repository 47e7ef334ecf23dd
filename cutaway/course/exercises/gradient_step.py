"""One step of gradient descent."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake, tenths
from cutaway.story.text import bracketed, number


class GradientStepExercise(ExerciseKind):
    """w_new = w_old - η ∂L/∂w."""

    name = "gradient-step"
    title = "One step of gradient descent"

    def make(self, rng):
        weight = float(rng.integers(5, 40)) / 10 * float(rng.choice([-1, 1]))
        gradient = float(tenths(rng)[()]) * 4
        wanted = abs(weight / gradient) / 20  # a step of 5% at least, or the sign is not seen
        lr = float(rng.choice([lr for lr in (0.05, 0.1, 0.2, 0.5, 1.0) if lr >= wanted]))
        move = -lr * gradient
        new = weight + move
        return {
            "question": (
                f"A weight is w = {number(weight)}, the gradient of the loss there is "
                f"∂L/∂w = {number(gradient)}, and the learning rate is η = {number(lr)}."
            ),
            "blanks": [
                Blank(
                    "w after one step",
                    new,
                    terms=[("w", weight), ("-η ∂L/∂w", move)],
                    mistakes=[
                        Mistake(weight - move, "that is a step up the slope; it goes down: minus"),
                        Mistake(weight - gradient, "the learning rate η is missing"),
                        Mistake(move, "that is the step alone; the weight moves by it"),
                        Mistake(-lr * gradient * weight, "the step is added to w, not multiplied"),
                    ],
                ),
            ],
            "solution": (
                f"w_new = w_old - η ∂L/∂w = {number(weight)} - {number(lr)} · {bracketed(gradient)}"
                f" = {number(new)}"
            ),
        }
