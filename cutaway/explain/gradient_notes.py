"""What makes a gradient 0, vanish or grow on a path, in sentences."""

import math

import numpy as np

from cutaway.story.text import number

FLAT = 0.05  # a slope of an activation function below this is worth a sentence
STEEP = 5.0  # a factor above this makes gradients grow
MOST = 3  # sentences of a kind


def notes_of(factors) -> list:
    """Which of these factors make a gradient 0, vanish or grow.

    Args:
        factors: [Factor] of a path, from the loss to the weight.
    """
    notes = [_about_flat(f) for f in factors if f.activation is not None and abs(f.value) < FLAT]
    notes = notes[:MOST]
    slopes = [f.value for f in factors if f.activation is not None]
    product = float(np.prod(slopes)) if slopes else 1.0
    if len(slopes) > 2 and 0 < abs(product) < 1e-3:
        notes.append(
            f"{len(slopes)} slopes of activation functions multiply to {number(product)}: "
            "the gradient vanishes"
        )
    for f in [f for f in factors[1:] if abs(f.value) > STEEP][:MOST]:
        notes.append(f"{f.text} = {number(f.value)} makes the gradient grow")
    return notes


def notes_of_zero(paths, count: int) -> list:
    """Why a gradient is 0 although there are paths.

    Args:
        paths: the [Path] that are shown, all with a factor of 0.
        count: number of all paths.
    """
    zeros = {f.text: f for path in paths for f in path.factors if f.value == 0}
    causes = list(dict.fromkeys(_about_zero(f) for f in zeros.values()))
    if not causes:
        return ["every path has a factor of 0"]
    head = "the only path has" if count == 1 else "every path has"
    return [f"{head} a factor of 0: {causes[0]}", *causes[1:MOST]]


def _about_zero(f) -> str:
    if f.activation is not None:
        return _about_flat(f)
    if f.what.startswith("weight"):
        return f"{f.what} is 0, so nothing passes back through it"
    if f.what.startswith("slope of the loss"):
        return f"{f.text} = 0: the loss does not change with this prediction"
    if f.is_last:
        return f"{f.what} = 0: with this input the weight changes nothing"
    return f"{f.text} = 0"


def _about_flat(f) -> str:
    """A slope of an activation function that is small or 0, by what is known of the function."""
    known = f.activation.traits.activation
    slope, at = f"{f.activation.symbol}' = {number(f.value)}", f"{f.below} = {number(f.at)}"
    if known is None:
        return f"the slope of {f.activation.name} is {number(f.value)} at {at}"
    if known.largest_slope == 0:
        return (
            f"{slope} at {f.below}: the slope of a {known.title.lower()} function is 0 "
            "everywhere, so no gradient passes through it, whatever its input is"
        )
    bounds = [math.isfinite(bound) for bound in known.range]
    if f.value == 0 and known.turns_off:
        state = "off" if known.rectifies and f.at <= 0 else "on a flat part"
        return f"{slope} at {at}: this {known.title} is {state}, so no gradient passes through it"
    if all(bounds):
        return f"{slope} at {at}: the neuron is saturated"
    if any(bounds):
        return f"{slope} at {at}: this {known.title} is nearly flat here"
    return f"{slope} at {at}: small, but not 0, so the weight still learns"
