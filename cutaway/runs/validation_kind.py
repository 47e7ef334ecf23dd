"""Whose predictions the scores are that a run's metrics hold under "validation"."""

import enum


class ValidationKind(enum.StrEnum):
    """Of which rows these scores are, and so the losses that choose the weights; a heading."""

    VALIDATION = "validation"  # rows that do not train
    TRAINING = "training"  # the rows that train: there are no others
    OUT_OF_FOLD = "out of fold"  # all rows, each predicted by networks that did not train on it

    @classmethod
    def of(cls, metrics: dict) -> "ValidationKind":
        """That of a run's metrics; those of older versions do not name it."""
        return cls(metrics.get("validation_kind", cls.VALIDATION))

    @property
    def adjective(self) -> str:
        """Before a noun in a sentence: "out-of-fold accuracy"."""
        return self.replace(" ", "-")

    @property
    def curve(self) -> str:
        """The name of a curve beside that of the training."""
        return "training rows, after the epoch" if self is self.TRAINING else self.value

    def sentence(self, rows: str, examples: str) -> str:
        """What the scores are worth for new examples.

        Args:
            rows: how many, in words.
            examples: what an example is, in the plural.
        """
        if self is self.OUT_OF_FOLD:
            return (
                f"Scores and errors are out of fold: each of the {rows} {examples} is predicted "
                f"only by networks that did not train on it. The epoch whose weights are kept was "
                f"chosen by the same {examples}, for all networks together, so the scores are "
                f"very slightly too good; the mean of all networks, which predicts new "
                f"{examples}, is usually a little better than they say."
            )
        if self is self.TRAINING:
            return (
                f"Scores and errors are those on the {rows} {examples} that the network was "
                f"trained on: they say nothing about new {examples}."
            )
        return (
            f"Scores and errors are those on the {rows} validation {examples}. The network was "
            "not trained on them, but the weights were selected on them, so scores on new "
            f"{examples} may be slightly worse."
        )


def scores_of_sets(metrics: dict) -> dict[str, dict]:
    """{heading: scores} of the sets in a run's metrics, for a table.

    Example:
        >>> from cutaway.runs.validation_kind import scores_of_sets
        >>> scores = {"train": {"r2": 0.9}, "validation": {"r2": 0.8}}
        >>> list(scores_of_sets({**scores, "validation_kind": "out of fold"}))
        ['training', 'out of fold']
    """
    headings = {"train": "training", "validation": ValidationKind.of(metrics), "test": "test"}
    return {str(name): metrics[key] for key, name in headings.items() if metrics.get(key)}
