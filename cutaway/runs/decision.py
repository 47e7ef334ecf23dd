"""The probability from which on one of two classes is predicted."""

from typing import Annotated

import msgspec
import numpy as np

from cutaway.errors import counted
from cutaway.metrics import confusion_matrix
from cutaway.story.text import number

RARE = 0.2  # share of the rarer class below which the threshold is chosen
FEWEST = 20  # of its rows on which that can be done


class DecisionThreshold(msgspec.Struct, frozen=True):
    """From which probability on one of two classes is predicted.

    At 0.5 a rare class is hardly ever predicted, because hardly any row has it more probably than
    not. The threshold with the largest F1 score of that class,

        F1 = 2 · right / (predicted + true)

    counts what is found and what is told wrongly alike. The probabilities stay what they are.

    Attributes:
        positive: number of the class, 0 or 1.
        value: it is predicted if its probability is this or higher.

    References:
        van Rijsbergen 1979, "Information Retrieval", chapter 7, for F1; Lipton, Elkan &
        Narayanaswamy 2014, "Optimal thresholding of classifiers to maximize F1 measure": with true
        probabilities the best threshold is half of the best F1.

    Example:
        >>> import numpy as np
        >>> from cutaway.runs.decision import DecisionThreshold
        >>> p = np.array([0.1, 0.2, 0.3, 0.4, 0.45])
        >>> truth, p = np.array([0, 0, 1, 0, 1]), np.stack([1 - p, p], axis=1)
        >>> found = DecisionThreshold.with_best_f1(truth, p)
        >>> found.positive, round(found.value, 3), found.decide(np.array([[0.7, 0.3]])).tolist()
        (1, 0.25, [1])
    """

    positive: Annotated[int, msgspec.Meta(ge=0, le=1)]
    value: Annotated[float, msgspec.Meta(gt=0, lt=1)]

    @classmethod
    def of_rare(cls, truth, probabilities) -> "DecisionThreshold | None":
        """The best threshold of a rare class, from rows that the weights were not fitted to.

        Args:
            truth: (rows,) class numbers.
            probabilities: (rows, 2).

        Returns:
            None if the rarer class has a fifth of the rows or more, or fewer than 20 rows.
        """
        counts = np.bincount(truth, minlength=2)
        if counts.min() < FEWEST or counts.min() >= RARE * counts.sum():
            return None
        return cls.with_best_f1(truth, probabilities)

    @classmethod
    def with_best_f1(cls, truth, probabilities) -> "DecisionThreshold":
        """The threshold with the largest F1 of the class with fewer rows.

        It lies halfway between two probabilities; of equally good ones it is the highest.
        """
        counts = np.bincount(truth, minlength=2)
        positive = int(counts[1] <= counts[0])
        p = np.asarray(probabilities, np.float64)[:, positive]
        order = np.argsort(-p, kind="stable")
        p, right = p[order], np.cumsum(np.asarray(truth)[order] == positive)
        predicted = np.arange(1, len(p) + 1)
        f1 = 2 * right / (predicted + right[-1])
        ends = np.append(p[1:] < p[:-1], True)  # equal probabilities are not told apart
        best = int(np.argmax(np.where(ends, f1, -1)))
        below = p[best + 1] if best + 1 < len(p) else 0.0
        tiny = np.finfo(np.float64).tiny
        return cls(positive, float(np.clip((p[best] + below) / 2, tiny, 1 - 1e-12)))

    def decide(self, probabilities) -> np.ndarray:
        """(rows,) class numbers for probabilities (rows, 2)."""
        is_positive = np.asarray(probabilities)[:, self.positive] >= self.value
        return np.where(is_positive, self.positive, 1 - self.positive)

    def in_words(self, target: str, classes) -> str:
        """What is predicted when."""
        return (
            f"{target} = {classes[self.positive]} is predicted from a probability of "
            f"{number(self.value)} on"
        )

    def why(self, target: str, classes, truth, probabilities, which: str) -> str:
        """What it brings on the rows that it was chosen on, in a sentence.

        Args:
            target: its name.
            which: of the rows these are.
        """
        found, told, true = self._counts(truth, self.decide(probabilities))
        usual, usual_told, _ = self._counts(truth, np.argmax(probabilities, axis=1))
        f1, usual_f1 = (2 * a / max(1, b + true) for a, b in ((found, told), (usual, usual_told)))
        share = f"{true / len(truth):.1%} of the {counted(len(truth), which + ' row')}"
        return (
            f"{self.in_words(target, classes)}, because it is rare ({share}): this finds {found:,} "
            f"of {true:,}, with {counted(told - found, 'false alarm')}, the largest F1 score "
            f"({f1:.3f}); a threshold of 0.5 finds {usual:,}, with "
            f"{counted(usual_told - usual, 'false alarm')} (F1 {usual_f1:.3f})"
        )

    def _counts(self, truth, guess) -> tuple[int, int, int]:
        """(rightly predicted, predicted, true) rows of the class."""
        matrix, k = confusion_matrix(truth, guess, 2), self.positive
        return int(matrix[k, k]), int(matrix[:, k].sum()), int(matrix[k].sum())


def decision_json(decision: DecisionThreshold | None) -> dict | None:
    """The threshold as JSON values, for preprocessing.json."""
    return None if decision is None else msgspec.to_builtins(decision)


def stored_decision(value: dict) -> DecisionThreshold | None:
    """The threshold of a preprocessing.json; None if it has none.

    Raises:
        ValueError: it is something else.
    """
    return msgspec.convert(value.get("decision"), type=DecisionThreshold | None)
