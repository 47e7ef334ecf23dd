"""loss_curve: a loss over one prediction ŷ, beside its slope."""

import dataclasses
import inspect

import numpy as np

from cutaway.engine import Tensor, float64, gradients
from cutaway.errors import OptionError, did_you_mean, expect_range
from cutaway.losses import LOSS_ALIASES, LOSSES, Expects, expects, overlap
from cutaway.losses.contract import OPTION_LETTERS
from cutaway.story.curve_chart import ORDER, CurveChart, CurveDot, CurveLine
from cutaway.story.curve_story import CurveStory
from cutaway.story.text import number

POINTS = 601
PROBABILITIES = 981  # in steps of 0.001
REACH = 3.0  # of ŷ around y
LOGITS = 6.0
EDGE = 0.01  # the smallest probability that is shown
CLASSES = 3  # of a loss over classes: the one that is true, and others that share the rest
LARGEST = 1e6  # target; beyond it ŷ - y is lost in rounding
NEAR = 1e-6  # beside y, where a kink would be
MOST_SLOPE = 12.0  # of a probability's slopes, which grow without bound
SHORT = {name: alias for alias, name in LOSS_ALIASES.items()}
REDUCED = ("prediction", "target", "reduction", "row_weights", "class_weights", "label_smoothing")


@dataclasses.dataclass(frozen=True, eq=False)
class LossLine:
    """One loss for one target.

    Attributes:
        name: of the loss. y: the target.
        values, slopes: (points,): L, and ∂L/∂ŷ by the engine.
        kink: (slope just below ŷ = y, at y, just above); None where there is no such ŷ.
    """

    name: str
    y: float
    values: np.ndarray
    slopes: np.ndarray
    kink: tuple[float, float, float] | None

    @property
    def is_convex(self) -> bool:
        """Whether the slope never falls as ŷ grows."""
        return bool((np.diff(self.slopes) >= -1e-9 * np.abs(self.slopes).max()).all())


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class LossSlopes(CurveStory):
    """Losses over one prediction. Made by `loss_curve`.

    Attributes:
        output: what is on the axis: "any", "probability", "logit" or "score"; see losses.Expects.
        target: "real", "binary", "sign", or a class.
        predictions: (points,).
        lines: a LossLine for each loss and target.
        options: of the losses, {name: {option: value}}.
    """

    output: str
    target: str
    predictions: np.ndarray
    lines: tuple[LossLine, ...]
    options: dict

    @property
    def axis(self) -> str:
        """What is on the axis, as a symbol: ŷ, p or z."""
        if self.output == "logit":
            return "z"
        return "p" if self.target in ("labels", "one_hot") else "ŷ"

    def headline(self) -> str:
        names = ", ".join(dict.fromkeys(self._title(line.name) for line in self.lines))
        over = {
            "logit": "the logit z",
            "score": "the score ŷ",
            "probability": "the probability ŷ of class 1",
            "any": "the prediction ŷ",
        }[self.output]
        if self.axis == "p":
            over = "the probability p of the true class"
        elif self.target in ("labels", "one_hot"):
            over = f"the logit z of the true class, {CLASSES - 1} others at 0"
        known = f" for y = {self.lines[0].y:g}" if self.target == "real" else ""
        return f"{names}: the loss of one row over {over}{known}, and its slope"

    def _title(self, name) -> str:
        options = ", ".join(
            f"{OPTION_LETTERS.get(k, k)} = {v:g}" for k, v in self.options.get(name, {}).items()
        )
        return name.replace("_", " ") + (f" ({options})" if options else "")

    def _label(self, line) -> str:
        parts = []
        if len({one.name for one in self.lines}) > 1:
            parts.append(SHORT.get(line.name) or self._title(line.name))
        if len({one.y for one in self.lines}) > 1:
            parts.append(f"y = {line.y:g}")
        return ", ".join(parts) or self._title(line.name)

    def charts(self) -> list[CurveChart]:
        x, axis = self.predictions, self.axis
        colors = [ORDER[k % len(ORDER)] for k in range(len(self.lines))]
        values, slopes, dots = [], [], []
        for line, color in zip(self.lines, colors, strict=True):
            values.append(CurveLine(x, line.values, self._label(line), color))
            slope = line.slopes.copy()
            if line.kink is not None and abs(line.kink[2] - line.kink[0]) > 0.1:
                slope[np.abs(x - line.y).argmin()] = np.nan  # it jumps
            slopes.append(CurveLine(x, slope, self._label(line), color))
        if self.target == "real" and len({line.y for line in self.lines}) == 1:
            dots.append(CurveDot(self.lines[0].y, 0.0, "ŷ = y", "ink", "below"))
        largest = max(float(np.abs(line.slopes).max()) for line in self.lines)
        slope_range = (-MOST_SLOPE, MOST_SLOPE) if largest > 2 * MOST_SLOPE else None
        if self.axis == "p" and slope_range:
            slope_range = (-MOST_SLOPE, 1.0)
        return [
            CurveChart("loss L", axis, "L", tuple(values), tuple(dots)),
            CurveChart(
                f"slope ∂L/∂{axis}", axis, f"∂L/∂{axis}", tuple(slopes), y_range=slope_range
            ),
        ]

    def table(self) -> tuple[list, list]:
        shown = _shown(self.output, self.predictions)
        headings, columns = [self.axis], []
        for line in self.lines:
            label = self._label(line)
            several = len(self.lines) > 1
            headings += [f"L ({label})" if several else "L", f"∂L/∂{self.axis}"]
            columns += [line.values, line.slopes]
        rows = []
        for x in shown:
            k = int(np.abs(self.predictions - x).argmin())
            rows.append([number(x), *(number(column[k]) for column in columns)])
        return headings, rows

    def sentences(self) -> list[str]:
        found = []
        for line in self.lines:
            who = self._label(line) if len(self.lines) > 1 else "It"
            who = f"For {who} it" if who.startswith("y =") else who
            shape = (
                "is convex: from left to right the slope never falls, so there is no local "
                "minimum but the global one"
                if line.is_convex
                else "is not convex: from left to right the slope falls in places"
            )
            sentence = f"{who} {shape}."
            if line.kink is not None and line.kink[2] - line.kink[0] > 0.1:
                low, at, high = (number(v, 3) for v in line.kink)
                sentence += (
                    f" At ŷ = y it is not differentiable, which does not make it less convex: the "
                    f"slope jumps from {low} to {high}, and the subgradient {at} is used there."
                )
            if self.target == "real":
                sentence += self._outliers(line)
            found.append(sentence)
        if self.output == "probability":
            found.append(self._certain())
        return found

    def _outliers(self, line) -> str:
        one, three = (int(np.abs(self.predictions - line.y - d).argmin()) for d in (1, 3))
        ratio, pull = (v[three] / v[one] for v in (line.values, line.slopes))
        harder = f"its slope is {number(pull, 3)} times as large"
        if abs(pull - 1) < 1e-9:
            harder = "its slope is the same, so that outliers pull no harder"
        return f" An error of 3 costs {number(ratio, 3)} times as much as one of 1; {harder}."

    def _certain(self) -> str:
        line = self.lines[0]
        right = line.y if self.target == "binary" else 1.0
        wrong = EDGE if right >= 0.5 else 1 - EDGE
        k = int(np.abs(self.predictions - wrong).argmin())
        known = f"y = {line.y:g}" if self.target == "binary" else "the true class"
        return (
            f"With {known} and {self.axis} = {number(wrong)} L is {number(line.values[k])}: the "
            f"surer a wrong prediction is, the more it costs, without a bound."
        )

    def to_dict(self) -> dict:
        return {
            "output": self.output,
            "target": self.target,
            "options": self.options,
            "predictions": self.predictions.tolist(),
            "losses": [
                {
                    "loss": line.name,
                    "y": line.y,
                    "convex": line.is_convex,
                    "values": line.values.tolist(),
                    "slopes": line.slopes.tolist(),
                    "kink": None if line.kink is None else list(line.kink),
                }
                for line in self.lines
            ],
            "remarks": self.sentences(),
        }


def loss_curve(names, *, y: float | None = None, **options) -> LossSlopes:
    """The loss of one row over its prediction ŷ for a given y, beside the slope ∂L/∂ŷ.

    Args:
        names: of a loss, "huber" or "mse", or of several with the same kind of output and target.
        y: the target; None: 0 for regression, both classes for two classes.
        options: of those losses that have them, such as delta=2.0 for huber.

    Raises:
        OptionError: no such loss or option, losses of different kinds, or one of pictures.

    Example:
        >>> import cutaway as ct
        >>> curve = ct.landscape.loss_curve("mae")
        >>> curve.lines[0].is_convex, curve.lines[0].kink
        (True, (-1.0, 0.0, 1.0))
    """
    names = [names] if isinstance(names, str) else list(names)
    if y is not None:
        expect_range(y, what="target y", least=-LARGEST, most=LARGEST)
    losses = [loss_named(name) for name in names]
    kinds = {(kind_of(loss).output, _family(kind_of(loss).target)) for loss in losses}
    if len(kinds) != 1:
        raise OptionError(
            f"{' and '.join(names)} are losses of different outputs or targets",
            expected="losses that share an axis, such as mse, mae and huber",
            fix="show one at a time",
        )
    output, target = kind_of(losses[0]).output, kind_of(losses[0]).target
    options = _options(losses, options)
    x = _axis(output, target, 0.0 if y is None else float(y))
    targets = [float(y)] if y is not None else _targets(target)
    lines = tuple(
        _line(loss, x, one, output, target, options.get(loss.__name__, {}))
        for loss in losses
        for one in targets
    )
    return LossSlopes(output, target, x, lines, options)


def loss_named(name: str):
    """The loss of a name, "huber", or a short one, "mse".

    Raises:
        OptionError: there is none, or it has no curve over one prediction.
    """
    full = str(name).replace("-", "_")
    full = LOSS_ALIASES.get(full, full)
    known = curve_losses()
    if full not in known:
        raise OptionError(
            f"unknown loss {name!r}" if full not in LOSSES else f"{full} is a loss of whole rows",
            expected="one of " + ", ".join(known),
            fix=did_you_mean(full, [*known, *LOSS_ALIASES]),
        )
    return LOSSES[full]


def curve_losses() -> tuple[str, ...]:
    """Names of the losses that are functions of one prediction: not those of many pixels."""
    of_pixels = vars(overlap).values()
    return tuple(sorted(name for name, loss in LOSSES.items() if loss not in of_pixels))


def kind_of(loss) -> Expects:
    """What a loss of LOSSES expects; all of them say it."""
    found = expects(loss)
    assert found is not None
    return found


def _family(target) -> str:
    return "class" if target in ("labels", "one_hot") else target


def _targets(target) -> list:
    return {"binary": [1.0, 0.0], "sign": [1.0, -1.0]}.get(target, [0.0])


def _axis(output, target, y):
    if output == "probability":
        return np.linspace(EDGE, 1 - EDGE, PROBABILITIES)
    if output == "logit":
        return np.linspace(-LOGITS, LOGITS, POINTS)
    middle = y if target == "real" else 0.0
    return np.linspace(middle - REACH, middle + REACH, POINTS)


def _shown(output, x) -> list:
    if output == "probability":
        return [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99]
    count = 7
    return [float(v) for v in np.linspace(x[0], x[-1], count)]


def _line(loss, x, y, output, target, options) -> LossLine:
    values, slopes = _evaluated(loss, x, y, output, target, options)
    kink = None
    if x[0] < y < x[-1] and target == "real":
        around = np.array([y - NEAR, y, y + NEAR])
        low, at, high = _evaluated(loss, around, y, output, target, options)[1]
        kink = float(low), float(at), float(high)
    return LossLine(loss.__name__, y, values, slopes, kink)


def _evaluated(loss, x, y, output, target, options):
    """(L, ∂L/∂prediction) at predictions x, in float64."""
    is_class = target in ("labels", "one_hot")
    with float64():
        if is_class:
            others = (1 - x) / (CLASSES - 1) if output == "probability" else np.zeros_like(x)
            data = np.stack([x] + [others] * (CLASSES - 1), axis=-1)
            goal = np.zeros(len(x), int) if target == "labels" else np.eye(CLASSES)[[0] * len(x)]
        else:
            data, goal = x, np.full(len(x), y)
        given = Tensor(data, requires_grad=True)
        out = loss(given, Tensor(goal), reduction="none", **options)
        if out.shape != x.shape:
            raise OptionError(f"{loss.__name__} has no loss per row", expected="one per row")
        (slopes,) = [slope for leaf, slope in gradients(out.sum()) if leaf is given]
        slopes = np.asarray(slopes, np.float64)
        return np.asarray(out.data, np.float64), slopes[:, 0] if is_class else slopes


def _options(losses, given) -> dict:
    """{loss: {option: value}} of those that have it."""
    has = {
        loss.__name__: {
            name: p.default
            for name, p in inspect.signature(loss).parameters.items()
            if name not in REDUCED and isinstance(p.default, int | float)
        }
        for loss in losses
    }
    known = sorted({name for found in has.values() for name in found})
    for name in given:
        if name not in known:
            raise OptionError(
                f"{', '.join(has)}: no option {name!r}",
                expected="one of " + ", ".join(known) if known else "no option",
                fix=did_you_mean(name, known) if known else "leave it out",
            )
    return {
        loss: {name: float(given.get(name, default)) for name, default in found.items()}
        for loss, found in has.items()
        if found
    }
