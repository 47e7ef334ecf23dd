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
        return [_of_numbers(rows.target)]
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


def _of_numbers(target) -> str:
    """How the value of a numeric target is computed from an output."""
    value = f"output x {target.scale!r} + {target.mean!r}"
    what = "standardized"
    if target.transform == "log1p":
        what, value = "ln(1 + value) standardized", f"exp({value}) - 1"
    found = f"{target.name}, {what}: value = {value}"
    if target.bounds is not None:
        found += ", limited to the range from {!r} to {!r}".format(*target.bounds)
    return found
