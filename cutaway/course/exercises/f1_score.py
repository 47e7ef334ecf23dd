"""Precision, recall and F1 from counts."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import number


class F1ScoreExercise(ExerciseKind):
    """TP / (TP + FP), TP / (TP + FN), and their harmonic mean."""

    name = "f1-score"
    title = "Precision, recall and F1"

    def make(self, rng):
        hits, false, missed = (int(rng.integers(*r)) for r in ((10, 60), (2, 40), (2, 40)))
        correct_rest = int(rng.integers(80, 200))
        rows = hits + false + missed + correct_rest
        precision, recall = hits / (hits + false), hits / (hits + missed)
        f1 = 2 * hits / (2 * hits + false + missed)
        accuracy = Mistake((hits + correct_rest) / rows, "that is the accuracy")
        return {
            "question": (
                f"Of {rows} rows, {hits} positive ones are found (TP), {missed} are missed (FN), "
                f"{false} negative ones are called positive (FP), and {correct_rest} negative ones "
                "are called negative (TN)."
            ),
            "blanks": [
                Blank(
                    "precision",
                    precision,
                    mistakes=[
                        Mistake(recall, "that is the recall: divide by what is called positive"),
                        accuracy,
                    ],
                ),
                Blank(
                    "recall",
                    recall,
                    mistakes=[
                        Mistake(precision, "that is the precision: divide by what is positive"),
                        accuracy,
                    ],
                ),
                Blank(
                    "F1",
                    f1,
                    mistakes=[
                        accuracy,
                        Mistake((precision + recall) / 2, "F1 is the harmonic mean, not the usual"),
                        Mistake(precision * recall, "2 P R is divided by P + R"),
                        Mistake(f1 / 2, "the factor 2 is missing"),
                    ],
                ),
            ],
            "solution": (
                f"P = {hits} / ({hits} + {false}) = {number(precision)}\n"
                f"R = {hits} / ({hits} + {missed}) = {number(recall)}\n"
                f"F1 = 2 P R / (P + R) = {number(f1)}"
            ),
        }
