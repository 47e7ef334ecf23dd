"""activation_curve: an activation function beside its slope."""

import dataclasses
import math

import numpy as np

from cutaway import ops
from cutaway.engine import Activation, Operation, Tensor, float64, gradients
from cutaway.errors import OptionError, did_you_mean, expect_range
from cutaway.nn import ACTIVATIONS
from cutaway.story.curve_chart import CurveChart, CurveDot, CurveLine
from cutaway.story.curve_story import CurveStory
from cutaway.story.text import number

REACH = 8.0  # of z, on both sides of 0
POINTS = 1281
SATURATED = 0.05  # a slope below this fraction of the largest
LAYERS = 10  # of which slopes are multiplied
SHOWN = (-4, -2, -1, -0.5, 0, 0.5, 1, 2, 4)  # values of z in the table
ROWWISE = tuple(f.name for f in ops.ACTIVATION_FUNCTIONS.values() if f.traits.edges == "rowwise")
LEARNED = {"parametric_relu": 0.25}  # the slope that PReLU starts with


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class ActivationCurve(CurveStory):
    """An activation function and its derivative.

    Attributes:
        name: of the operation in ops.
        activation: what it declares of itself: title, symbol, range, largest slope.
        options: given options, such as {"slope": 0.2}.
        z, values, slopes: (points,).
        about: its docstring's first sentence.
    """

    name: str
    activation: Activation
    options: dict
    z: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    about: str

    @property
    def symbol(self) -> str:
        """In formulas: "σ", "relu"."""
        return self.activation.symbol or self.name

    def at(self, z) -> tuple[float, float]:
        """(value, slope) at one z."""
        values, slopes = _evaluated(self.name, np.array([float(z)]), self.options)
        return float(values[0]), float(slopes[0])

    def headline(self) -> str:
        options = ", ".join(f"{k} = {v:g}" for k, v in self.options.items())
        return f"{self.activation.title}{f' with {options}' if options else ''}: {self.about}"

    def charts(self) -> list[CurveChart]:
        name, k = self.symbol, int(np.abs(self.slopes).argmax())
        value = CurveLine(self.z, self._without_jumps(), f"{name}(z)", "blue")
        slope = CurveLine(self.z, self.slopes, f"slope {name}'(z)", "orange")
        largest = f"largest: {number(self.slopes[k], 3)}"
        peak = CurveDot(float(self.z[k]), float(self.slopes[k]), largest, "orange", "right", "O")
        return [
            CurveChart(f"{name}(z)", "z", "", (value,)),
            CurveChart(f"slope {name}'(z)", "z", "", (slope,), (peak,) if self._is_peak(k) else ()),
        ]

    def _without_jumps(self):
        """The values, with a gap where they jump although the slope is 0."""
        jumps = np.flatnonzero((np.abs(np.diff(self.values)) > 0.5) & (self.slopes[1:] == 0))
        values = self.values.copy()
        values[jumps] = np.nan
        return values

    def _is_peak(self, k) -> bool:
        """Whether the slope is largest at this one place."""
        near = np.abs(self.slopes) > np.abs(self.slopes[k]) - 1e-9
        return int(near.sum()) == 1

    def text_charts(self) -> list[CurveChart]:
        lines = tuple(line for chart in self.charts() for line in chart.lines)
        return [CurveChart("", "z", "", lines, y_range=self._common_range())]

    def _common_range(self):
        shown = np.abs(self.z) <= 4
        both = np.concatenate([self.values[shown], self.slopes[shown]])
        low, high = float(both.min()), float(both.max())
        return low - 0.06 * (high - low), high + 0.06 * (high - low)

    def table(self) -> tuple[list, list]:
        rows = []
        for z in SHOWN:
            value, slope = self.at(z)
            rows.append([number(z), number(value), number(slope)])
        return ["z", f"{self.symbol}(z)", f"{self.symbol}'(z)"], rows

    def sentences(self) -> list[str]:
        found = []
        if not self.options or self.name in LEARNED:
            low, high = (range_end(v) for v in self.activation.range)
            found.append(
                f"Symbol {self.symbol}; values from {low} to {high}; largest slope "
                f"{number(self.activation.largest_slope)}."
            )
        return [*found, *self._remarks()]

    def _remarks(self):
        slopes, z = np.abs(self.slopes), self.z
        largest = float(slopes.max())
        if largest == 0:
            yield (
                "Its slope is 0 wherever it exists, so every path through it carries a gradient of "
                "0: gradient descent cannot train the layers before it."
            )
            return
        off = slopes == 0
        if self.activation.turns_off and off.any():
            yield (
                f"Its slope is exactly 0 for {_where(z, off)}: a unit that stays there for every "
                "row gets no gradient and does not learn again."
            )
        elif self.activation.saturates:
            flat = slopes < SATURATED * largest
            product = largest**LAYERS
            vanishes = (
                f" {LAYERS} of them in a row multiply a gradient by at most {number(largest)}^"
                f"{LAYERS} = {number(product)}: it vanishes."
            )
            yield (
                f"It saturates: for {_where(z, flat)} its slope is below {SATURATED:.0%} of the "
                f"largest.{vanishes if product < 1e-3 else ''}"
            )
        elif self.activation.rectifies:
            value, slope = self.at(-2)
            yield (
                f"At z = -2 its value is {number(value)} and its slope {number(slope)}, not 0: a "
                "unit below 0 still gets a gradient and can recover."
            )
        if self.activation.rectifies and abs(self.at(100)[1] - 1) < 1e-9:
            yield "For large z its slope is 1: a gradient passes unchanged."
        if self.name in ROWWISE:
            yield (
                "It is a function of a whole row of scores; shown is the first output of two "
                "scores (z, 0)."
            )

    def to_dict(self) -> dict:
        low, high = self.activation.range
        return {
            "activation": self.name,
            "title": self.activation.title,
            "symbol": self.symbol,
            "range": [low, high],
            "largest_slope": self.activation.largest_slope,
            "options": self.options,
            "z": self.z.tolist(),
            "values": self.values.tolist(),
            "slopes": self.slopes.tolist(),
            "remarks": self.sentences(),
        }


def activation_curve(name: str, *, reach: float = REACH, **options) -> ActivationCurve:
    """An activation function beside its slope, which is the engine's own derivative.

    Args:
        name: of an activation: "sigmoid", "leaky_relu", "Tanh"; of functions of a row, such as
            softmax, the curve is that of the first of two scores (z, 0).
        reach: the curve goes from -reach to reach.
        options: of the function, such as slope=0.2 for leaky_relu.

    Raises:
        OptionError: no such activation or option.

    Example:
        >>> import cutaway as ct
        >>> ct.landscape.activation_curve("sigmoid").at(0)
        (0.5, 0.25)
    """
    expect_range(reach, what="reach", above=0, below=math.inf)
    function = activation_named(name)
    known = [*function.option_names, *(["slope"] if function.name in LEARNED else [])]
    for option in options:
        if option not in known or option == "axis":
            raise OptionError(
                f"{function.name} has no option {option!r}",
                expected="one of " + ", ".join(known) if known else "no option",
                fix=did_you_mean(option, known) if known else "leave it out",
            )
    if function.name in LEARNED:
        options = {"slope": LEARNED[function.name], **options}
    z = np.linspace(-reach, reach, POINTS)
    values, slopes = _evaluated(function.name, z, options)
    about = " ".join((function.__doc__ or "").split("\n\n")[0].split())
    traits = function.traits.activation
    assert traits is not None
    return ActivationCurve(function.name, traits, options, z, values, slopes, about)


def activation_named(name: str) -> Operation:
    """The operation of an activation's name, "leaky_relu", or title, "LeakyReLU".

    Raises:
        OptionError: there is none.
    """
    known = activation_names()
    folded = {k.lower(): k for k in (*known, *ops.ACTIVATION_FUNCTIONS)}
    folded |= {"leakyrelu": "leaky_relu", "identity": "linear"}
    found = folded.get(str(name).lower().replace("-", "_"))
    if found is None:
        raise OptionError(
            f"unknown activation {name!r}",
            expected="one of " + ", ".join(known),
            fix=did_you_mean(name, known),
        )
    if found in ops.ACTIVATION_FUNCTIONS:
        return ops.ACTIVATION_FUNCTIONS[found]
    function = ACTIVATIONS[found].activation_function
    assert function is not None
    return function


def activation_names() -> list:
    """Names of all activations, as the command line has them."""
    return sorted(ACTIVATIONS)


def _evaluated(name, z, options):
    """(values, slopes) of the operation at z, in float64."""
    function = next(f for f in ops.ACTIVATION_FUNCTIONS.values() if f.name == name)
    options = dict(options)
    with float64():
        rows = name in ROWWISE
        data = np.stack([z, np.zeros_like(z)], axis=-1) if rows else z
        given = Tensor(data, requires_grad=True)
        learned = [Tensor(np.array([options.pop("slope")]))] if name in LEARNED else []
        out = function(given, *learned, **options)
        out = out[:, 0] if rows else out
        found = {id(leaf): slope for leaf, slope in gradients(out.sum())}
        slopes = np.asarray(found.get(id(given), np.zeros_like(data)), np.float64)
        values = np.asarray(out.data, np.float64)
    return values, slopes[:, 0] if rows else slopes


def _where(z, chosen) -> str:
    """The stretches of z in words: "z < -3.66 and z > 3.66"."""
    ok = np.concatenate([[False], chosen, [False]])
    parts = []
    for a, b in np.flatnonzero(ok[1:] != ok[:-1]).reshape(-1, 2):
        low, high = z[a], z[b - 1]
        if b - a < 3:
            continue
        if a == 0:
            parts.append(f"z ≤ {number(high, 3)}")
        elif b == len(z):
            parts.append(f"z ≥ {number(low, 3)}")
        else:
            parts.append(f"z from {number(low, 3)} to {number(high, 3)}")
    return " and ".join(parts)


def range_end(value) -> str:
    """An end of a range as text: a number, ∞ or -∞."""
    return number(value) if math.isfinite(value) else "∞" if value > 0 else "-∞"
