"""Whether a run predicts better than its baseline; what is said before any score if not."""

from cutaway.runs.preprocessing import score_in_words
from cutaway.runs.validation_kind import ValidationKind
from cutaway.story.text import number

LOWER = ("error", "nats", "distance", "l1", "loss")  # words in names of scores to be low
PREFIX = "baseline_"


def nothing_learned(metrics: dict, *, counts: dict[str, int], examples: str, baseline: str) -> str:
    """A sentence if no score is better than its baseline; "" if one is, or there is no baseline.

    Scores on the test set count, otherwise those on the validation set.

    Args:
        metrics: of the run: {"validation": {score: value}, perhaps "test": ...}.
        counts: {"validation", "test": how many examples}.
        examples: what an example is, in the plural.
        baseline: in words, "predicting the mean".

    Example:
        >>> from cutaway.runs.beats_baseline import nothing_learned
        >>> scores = {"mean_absolute_error": 2.0, "baseline_mean_absolute_error": 1.5}
        >>> print(nothing_learned({"validation": scores}, counts={"validation": 40},
        ...                       examples="rows", baseline="predicting the mean"))
        Nothing useful was learned: on the 40 validation rows the mean absolute error is 2, no \
better than the baseline's 1.5 (predicting the mean).
    """
    name = "test" if "test" in metrics else "validation"
    scores = metrics[name]
    pairs = [
        (score, scores[score], scores[PREFIX + score])
        for score in scores
        if scores.get(PREFIX + score) is not None and scores[score] is not None
    ]
    if not pairs or any(_is_better(*pair) for pair in pairs):
        return ""
    score, value, other = pairs[0]
    one = examples if examples.endswith("series") else examples[:-1]
    count = counts[name]
    of = name if name == "test" else ValidationKind.of(metrics).adjective
    where = f"on the {count:,} {of} {examples}" if count != 1 else f"on the only {of} {one}"
    measured = f"{where} the {score_in_words(score)} is {number(value)}"
    if other == (0 if _is_low(score) else 1):
        return (
            f"What was learned cannot be seen {where}: the baseline ({baseline}) is right for all, "
            f"and nothing can be better. The {score_in_words(score)} is {number(value)}."
        )
    partly = _partly(scores)
    if partly:
        return (
            f"No better than the baseline ({baseline}): {measured}, the baseline's "
            f"{number(other)}. {partly}"
        )
    return (
        f"Nothing useful was learned: {measured}, no better than the baseline's {number(other)} "
        f"({baseline})."
    )


def _is_better(score: str, value: float, other: float) -> bool:
    return value < other if _is_low(score) else value > other


def _is_low(score: str) -> bool:
    """Whether a score is better the lower it is."""
    return any(word in score.split("_") for word in LOWER)


def _partly(scores: dict) -> str:
    """What a run has learned all the same, by a score that a constant prediction cannot reach."""
    r2 = scores.get("r2")
    if r2 is not None and r2 > 0.05:
        return f"It is better than a constant (R² {r2:.2f})."
    auc = scores.get("roc_auc")
    if auc is not None and auc > 0.6:
        return (
            f"Its probabilities do tell the classes apart to some degree (ROC AUC {auc:.2f}, 0.5 "
            "by chance)."
        )
    return ""
