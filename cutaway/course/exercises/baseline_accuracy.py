"""The accuracy of a model, and that of always answering the most frequent class."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import number


class BaselineAccuracyExercise(ExerciseKind):
    """Accuracy from a table of predictions, beside its baseline."""

    name = "baseline-accuracy"
    title = "Is that accuracy good?"

    def make(self, rng):
        hits, correct_zeros = (int(n) for n in rng.integers(20, 60, 2))
        misses, false_alarms = (int(n) for n in rng.integers(3, 15, 2))
        rows = hits + correct_zeros + misses + false_alarms
        right, ones = hits + correct_zeros, hits + misses
        accuracy, baseline = right / rows, max(ones, rows - ones) / rows
        return {
            "question": (
                f"Of {ones} students who passed, a network predicts {hits} correctly; of "
                f"{rows - ones} who failed, {correct_zeros}. What is its accuracy, and what is the "
                "accuracy of a model that always predicts the most frequent class?"
            ),
            "blanks": [
                Blank(
                    "accuracy",
                    accuracy,
                    mistakes=[
                        Mistake(1 - accuracy, "that is the fraction of wrong predictions"),
                        Mistake(hits / ones, "that counts only those who passed"),
                        Mistake(correct_zeros / (rows - ones), "that counts only those who failed"),
                        Mistake(hits / rows, "the correct predictions of failures count too"),
                        Mistake(100 * accuracy, "write it as a fraction between 0 and 1"),
                    ],
                ),
                Blank(
                    "baseline",
                    baseline,
                    mistakes=[
                        Mistake(1 - baseline, "that is the rarer class"),
                        Mistake(0.5, "that is a coin; the frequent class is right more often"),
                        Mistake(100 * baseline, "write it as a fraction between 0 and 1"),
                    ],
                ),
            ],
            "solution": (
                f"accuracy = ({hits} + {correct_zeros}) / {rows} = {right} / {rows} = "
                f"{number(accuracy)}\n"
                f"baseline = {max(ones, rows - ones)} / {rows} = {number(baseline)}"
            ),
        }
