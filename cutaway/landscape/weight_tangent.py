"""weight_curve: the loss over one weight of a network, its tangent, and a step of descent."""

import dataclasses
import math

import numpy as np

from cutaway.errors import GradientError, OptionError, ShapeError, did_you_mean, expect_range
from cutaway.landscape.objective import expect_point, network_objective
from cutaway.story.curve_chart import CurveArrow, CurveChart, CurveDot, CurveLine
from cutaway.story.curve_story import CurveStory
from cutaway.story.text import bracketed, number

POINTS = 121
REACH = 1.5  # of the weight, on both sides of its value, at least
STEPS_SHOWN = 2.5  # lengths of the step that fit into the picture on each side
TANGENT_POINTS = 201
TANGENT = 0.45  # half the tangent's length, per half of the picture's width


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class WeightCurve(CurveStory):
    """L over one weight, all others as they are. Made by `weight_curve`.

    Attributes:
        path, index: of the weight. name: as it is shown, "w_11^(1)".
        weight, loss, slope: its value, L and ∂L/∂w there.
        lr: η of the step. new: w - η ∂L/∂w. new_loss: L there.
        weights, losses: (points,).
    """

    path: str
    index: tuple[int, ...]
    name: str
    weight: float
    loss: float
    slope: float
    lr: float
    new: float
    new_loss: float
    weights: np.ndarray
    losses: np.ndarray

    def headline(self) -> str:
        index = ", ".join(map(str, self.index))
        place = f" ({self.path}[{index}])" if self.path not in self.name else ""
        return f"L over {self.name}{place}, all other weights as they are"

    def charts(self) -> list[CurveChart]:
        half = TANGENT * (self.weights[-1] - self.weights[0]) / 2
        # many points: those beyond the picture are left out
        tangent = np.linspace(self.weight - half, self.weight + half, TANGENT_POINTS)
        on_tangent = self.loss + self.slope * (tangent - self.weight)
        curve = CurveLine(self.weights, self.losses, "L", "blue")
        line = CurveLine(tangent, on_tangent, f"tangent, slope {number(self.slope)}", "orange",
                         dashed=True)  # fmt: skip
        grows = self.new >= self.weight
        dots = (
            CurveDot(self.weight, self.loss, "w", "ink", "left" if grows else "right", "w"),
            CurveDot(self.new, self.new_loss, "w_new", "green", "right" if grows else "left", "n"),
        )
        low, high = self._range(on_tangent)
        arrow = CurveArrow(self.weight, self.loss, self.new, self.new_loss)
        return [
            CurveChart(
                f"L over {self.name}", self.name, "L", (curve, line), dots, (arrow,),
                y_range=(low, high),
            )
        ]  # fmt: skip

    def _range(self, on_tangent):
        """Of the curve and, as far as it is not much larger, of the tangent."""
        finite = self.losses[np.isfinite(self.losses)]
        finite = np.append(finite, [self.loss, self.new_loss])
        low, high = float(finite.min()), float(finite.max())
        tall = (high - low) or max(abs(high), 1.0) * 0.1
        low = max(min(low, float(on_tangent.min())), low - 0.4 * tall)
        return low - 0.08 * tall, high + 0.08 * tall

    def table(self) -> tuple[list, list]:
        rows = [
            ["w", number(self.weight), number(self.loss), number(self.slope)],
            ["w_new", number(self.new, 5), number(self.new_loss), ""],
        ]
        return ["", self.name, "L", "slope"], rows

    def sentences(self) -> list[str]:
        name, slope = self.name, number(self.slope)
        step = f"{number(self.weight)} - {number(self.lr)} · {bracketed(self.slope)}"
        result = f"{name} ← w - η ∂L/∂w = {step} = {number(self.new, 5)}"
        if self.slope == 0:
            return [f"The slope ∂L/∂{name} is 0: gradient descent does not move this weight."]
        sign, way = ("negative", "grows") if self.slope < 0 else ("positive", "falls")
        found = [
            f"The slope ∂L/∂{name} = {slope} is {sign}: L falls as the weight "
            f"{'grows' if self.slope < 0 else 'gets smaller'}, so the step makes it "
            f"{'larger' if self.slope < 0 else 'smaller'}: the weight {way}.",
            f"The step with η = {number(self.lr)}: {result}.",
        ]
        expected, real = self.slope * (self.new - self.weight), self.new_loss - self.loss
        outcome = (
            "falls" if real < 0 else "rises: the step goes too far, take a smaller η"
            if real > 0 else "stays the same to all digits"
        )  # fmt: skip
        found.append(
            f"L goes from {number(self.loss)} to {number(self.new_loss)} and {outcome}. The "
            f"tangent promises a change of {number(expected, 3)}; the curve gives "
            f"{number(real, 3)}."
        )
        return found

    def to_dict(self) -> dict:
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return found | {
            "index": list(self.index),
            "weights": self.weights.tolist(),
            "losses": self.losses.tolist(),
            "remarks": self.sentences(),
        }


def weight_curve(
    net, x, y, *, loss, path: str, index=(), lr: float = 0.1, name: str | None = None
) -> WeightCurve:
    """L over one weight of a network, with the tangent at its value and a step of descent.

    In evaluation mode and in float64; the network is not modified.

    Args:
        net: a Module.
        x, y: inputs and targets, a batch.
        loss: function (prediction, target) -> Tensor of one number.
        path: of the parameter, "0.weight".
        index: of the weight in it, (i, j) for a Linear.
        lr: η of the step w - η ∂L/∂w.
        name: of the weight in texts; None: w_ij^(layer) or b_j^(layer) for the layers of a
            Sequential of Linear layers, otherwise its path and index.

    Raises:
        OptionError: no such parameter. ShapeError: no such index. GradientError: L is not finite.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> net = ct.Linear(1, 1, bias=False)
        >>> net.weight.data = net.weight.data * 0 + 1
        >>> curve = ct.landscape.weight_curve(net, np.array([[2.0]]), np.array([[6.0]]),
        ...     loss=ct.losses.mean_squared_error, path="weight", index=(0, 0), lr=0.05)
        >>> curve.slope, curve.new, curve.new_loss  # L = (2 w - 6)²: 2 · (2 - 6) · 2 = -16
        (-16.0, 1.8, 5.76)
    """
    expect_point(x, y, where="weight_curve")
    expect_range(lr, what="learning rate lr", above=0, below=math.inf)
    objective, start = network_objective(net, x, y, loss, where="weight_curve")
    if path not in start:
        raise OptionError(
            f"weight_curve: the network has no trained parameter {path!r}",
            expected="a path as in net.summary()",
            fix=did_you_mean(path, start),
        )
    index = _index(path, index, start[path].shape)
    arrays = {key: np.asarray(a, np.float64) for key, a in start.items()}
    weight = float(arrays[path][index])

    def loss_at(value) -> float:
        moved = arrays[path].copy()
        moved[index] = value
        return float(objective.value(list((arrays | {path: moved}).values())))

    slopes = dict(zip(start, objective.gradient(list(arrays.values())), strict=True))
    slope, here = float(np.asarray(slopes[path])[index]), loss_at(weight)
    if not (math.isfinite(slope) and math.isfinite(here)):
        raise GradientError(
            f"weight_curve: L is {here:g} and its slope {slope:g}",
            expected="finite numbers",
            fix="look for the first NaN: net(x)",
        )
    new = weight - lr * slope
    reach = max(REACH, STEPS_SHOWN * abs(new - weight))
    weights = np.linspace(weight - reach, weight + reach, POINTS)
    return WeightCurve(
        path=path,
        index=index,
        name=name or _name(net, path, index),
        weight=weight,
        loss=here,
        slope=slope,
        lr=float(lr),
        new=new,
        new_loss=loss_at(new),
        weights=weights,
        losses=np.array([loss_at(w) for w in weights]),
    )


def _index(path, index, shape) -> tuple[int, ...]:
    index = tuple(index) if isinstance(index, tuple | list) else (index,)
    fits = len(index) == len(shape) and all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(index, shape, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"weight_curve: {path} has no element {index}",
            expected=f"{len(shape)} integers: " + ", ".join(f"0 to {n - 1}" for n in shape),
        )
    return tuple(int(i) % n for i, n in zip(index, shape, strict=True))


def _name(net, path, index) -> str:
    """w_ij^(layer), b_j^(layer), or the path and index where layers are not a stack of Linear."""
    plain = f"{path}[{', '.join(map(str, index))}]"
    weights = [key for key, p in net.named_parameters().items() if key.endswith("weight")]
    stacked = all(net.named_parameters()[key].ndim == 2 for key in weights)
    owner, _, kind = path.rpartition(".")
    layer = f"{owner}.weight" if owner else "weight"
    if not stacked or layer not in weights or kind not in ("weight", "bias"):
        return plain
    numbers = [str(i + 1) for i in index]
    joined = ("" if all(len(n) == 1 for n in numbers) else ",").join(numbers)
    return f"{'w' if kind == 'weight' else 'b'}_{joined}^({weights.index(layer) + 1})"
