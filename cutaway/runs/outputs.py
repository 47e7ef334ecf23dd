"""What the outputs of a run's network mean, in sentences."""

from cutaway.losses import LOSSES, expects


def describe_outputs(rows, loss: str) -> list[str]:
    """Sentences about the outputs of a network with one prediction per row.

    Args:
        rows: the preprocessing of a run.
        loss: name of its loss.
    """
    task = rows.task
    if task == "regression":
        mean, scale = rows.target.mean, rows.target.scale
        return [f"{rows.target.name}, standardized: value = output x {scale!r} + {mean!r}"]
    expected = expects(LOSSES[loss])
    assert expected is not None  # every loss of LOSSES declares what it expects
    wants = expected.output
    classes = ", ".join(map(str, rows.classes))
    if task == "binary":
        meaning = {
            "logit": "a logit: 1 / (1 + exp(-output)) is the probability of",
            "score": "a score: above 0 means",
        }.get(wants, "the probability of")
        return [f"{meaning} {rows.classes[1]} (otherwise {rows.classes[0]})"]
    kind = (
        "a logit; softmax gives probabilities" if wants in ("logit", "score") else "a probability"
    )
    return [f"for each class {kind}; classes in order: {classes}"]
