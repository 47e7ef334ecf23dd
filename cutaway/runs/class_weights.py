"""Weights of the classes in the loss, as options name them."""

import inspect

import numpy as np

from cutaway.errors import OptionError, did_you_mean, option_name
from cutaway.losses import LOSSES
from cutaway.runs.options.quoted import QUOTES, parse_pairs


def weights_of_classes(given: str, names, counts) -> list[float]:
    """The weights of classes by a text: "balanced", or "name=weight,name=weight".

    A name with a comma stands in double quotes; see options.quoted.

    Balanced are n / (K n_k), with n_k rows of class k among n of the K classes that occur: each
    class then weighs as much as any other, and all together as much as without weights. Classes
    that are not named have 1.

    Args:
        names: of the classes.
        counts: training rows, boxes or pixels of each.

    Raises:
        OptionError: another text, an unknown class, a weight that is no positive number.
    """
    names = [str(name) for name in names]
    if given == "balanced":
        counts = np.asarray(counts, float)
        occur = max(1, int((counts > 0).sum()))
        return [float(counts.sum() / (occur * n)) if n else 1.0 for n in counts]
    weights = dict.fromkeys(names, 1.0)
    for name, value in parse_pairs(given):
        try:
            number = float(value or "")
        except ValueError:
            number = np.nan
        if not 0 < number < np.inf:
            came = repr(name) + (" without a weight" if value is None else f" with {value!r}")
            raise OptionError(
                f"class weights {given!r}: {came}",
                expected='"balanced", or name=weight,name=weight with weights above 0',
                fix=f"{QUOTES}, in a shell --class-weights '\"a,b\"=2'",
            )
        if name not in weights:
            raise OptionError(
                f"class weights {given!r}: there is no class {name!r}",
                expected=f"one of {', '.join(map(option_name, names[:20]))}",
                fix=did_you_mean(name, names),
            )
        weights[name] = number
    return list(weights.values())


def weighted_spec(spec: dict, given: str, names, counts) -> dict:
    """The spec of a network whose loss weighs the classes.

    Args:
        given, names, counts: see weights_of_classes.

    Raises:
        OptionError: as there; or the loss takes no weights.
    """
    loss = spec["loss"]
    if "class_weights" not in inspect.signature(LOSSES[loss]).parameters:
        raise OptionError(
            f"class weights with the loss {loss}",
            expected="a loss that takes weights of classes, such as cross-entropy",
            fix="omit the loss, or the class weights",
        )
    weights = weights_of_classes(given, names, counts)
    return {**spec, "loss_options": {**spec.get("loss_options", {}), "class_weights": weights}}
