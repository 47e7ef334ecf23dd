"""Iterations of an epoch and of a whole training."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake


class BatchesExercise(ExerciseKind):
    """Rows over batch size, rounded up; the last batch is smaller."""

    name = "batches"
    title = "Epochs, batches, iterations"

    def make(self, rng):
        size, full = int(rng.choice([10, 16, 20, 32, 50, 64])), int(rng.integers(4, 31))
        last, epochs = int(rng.integers(2, size - 1)), int(rng.integers(3, 21))
        rows = size * full + last
        steps = full + 1
        return {
            "question": (
                f"A network is trained on {rows} rows for {epochs} epochs with batch size {size}. "
                "The rows that are left at the end of an epoch are a batch too."
            ),
            "blanks": [
                Blank(
                    "iterations per epoch",
                    float(steps),
                    mistakes=[
                        Mistake(full, "the last rows are missing: they are one batch more"),
                        Mistake(rows / size, "iterations are counted: round up"),
                        Mistake(size, "that is the batch size"),
                        Mistake(rows, "that would be one row per batch"),
                    ],
                ),
                Blank(
                    "rows in the last batch of an epoch",
                    float(last),
                    mistakes=[
                        Mistake(size, "there are not enough rows left for a whole batch"),
                        Mistake(size - last, "that is how many rows are missing in it"),
                    ],
                ),
                Blank(
                    "iterations in all",
                    float(steps * epochs),
                    mistakes=[
                        Mistake(full * epochs, "the last batch of each epoch is missing"),
                        Mistake(steps, "that is one epoch"),
                        Mistake(rows * epochs / size, "each epoch has its own last batch"),
                        Mistake(rows * epochs, "that is the number of rows seen"),
                    ],
                ),
            ],
            "solution": (
                f"{rows} = {full} · {size} + {last}: {full} full batches and one of {last} rows\n"
                f"iterations per epoch: {full} + 1 = {steps}\n"
                f"iterations in all: {steps} · {epochs} = {steps * epochs}"
            ),
        }
