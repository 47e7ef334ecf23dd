"""curvature: is this point of a loss a minimum, a saddle, a plateau, or a slope?

The Hessian is never formed: its products with vectors are derivatives (`jax.jvp`) of the engine's
gradient, and its extreme eigenvalues come from the Lanczos algorithm.
"""

import dataclasses
import functools
import math
import textwrap
from collections.abc import Callable

import jax
import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import GradientError, OptionError, expect_range
from cutaway.landscape.lanczos import tridiagonalize
from cutaway.landscape.objective import (
    Objective,
    expect_point,
    network_objective,
    objective_of,
)
from cutaway.story.design import BLUE, GRAY, ORANGE
from cutaway.story.panels import legend_above, new_axes
from cutaway.story.text import Story, align, latex_number, number

FULL_SPECTRUM = 200  # parameters up to which all eigenvalues are computed
STEPS = 64  # of Lanczos for larger networks
BASIS_BYTES = 2**30  # memory for the Lanczos vectors
CONVERGED = 1e-8  # error bound of the extreme eigenvalues, relative to the larger one
NEAR = 0.01  # fraction of the norm of the parameters: the neighborhood that counts as "here"
ROUNDS = 6  # of Newton's method towards a stationary point
RESIDUAL = 0.1  # fraction of the gradient that may remain after a Newton step, by its model
VANISHED = 0.01  # fraction of the gradient below which a point counts as stationary
FLAT = 1e-3  # fraction of the loss by which a plateau may vary, within ten times NEAR


@dataclasses.dataclass(frozen=True, repr=False)
class Curvature(Story):
    """The curvature of a loss at a point, and what kind of point it is.

    Attributes:
        verdict: "minimum", "saddle", "maximum", "plateau", "slope" or "not decided".
        reason: why, in a sentence with the numbers.
        loss: its value at the point.
        gradient_norm: norm of the gradient.
        largest, smallest: extreme eigenvalues of the Hessian. If not all eigenvalues were computed,
            there are directions of this curvature, and there may be more extreme ones.
        largest_bound, smallest_bound: an eigenvalue lies within this distance of it.
        eigenvalues: those that were computed, in ascending order; unless complete, the
            inner ones are approximate.
        complete: whether these are all eigenvalues.
        parameters: number of parameters of the loss.
        near: radius of the neighborhood that counts as "here".
        distance: to the stationary point within `near`; None if none was found.
        directions: (largest, smallest): the eigenvectors as {path: array}.
        stationary: the stationary point, {path: array}; None if none was found.
        deciding: eigenvalues of the Hessian there, in ascending order, which decide the verdict;
            without a stationary point those at the point itself.
    """

    verdict: str
    reason: str
    loss: float
    gradient_norm: float
    largest: float
    smallest: float
    largest_bound: float
    smallest_bound: float
    eigenvalues: np.ndarray
    complete: bool
    parameters: int
    near: float
    distance: float | None
    directions: tuple
    stationary: dict | None
    deciding: np.ndarray

    def text(self, width: int = 80) -> str:
        how = (
            f"all {self.parameters} eigenvalues"
            if self.complete
            else f"from {len(self.eigenvalues)} products with the Hessian"
        )
        rows = [
            ["loss", number(self.loss), ""],
            ["gradient norm", number(self.gradient_norm), ""],
            ["largest curvature", number(self.largest), f"± {number(self.largest_bound, 2)}"],
            ["smallest curvature", number(self.smallest), f"± {number(self.smallest_bound, 2)}"],
        ]
        verdict = textwrap.fill(f"{self.verdict}: {self.reason}", width)
        head = f"curvature of the loss over {self.parameters:,} parameters ({how})"
        lines = [f"  {line}" for line in align(rows)]
        return "\n".join([textwrap.fill(head, width), *lines, verdict])

    def to_dict(self) -> dict:
        skipped = ("eigenvalues", "directions", "stationary", "deciding")
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain = {name: value for name, value in plain.items() if name not in skipped}
        return {
            **plain,
            "eigenvalues": self.eigenvalues.tolist(),
            "deciding": self.deciding.tolist(),
            "stationary": None
            if self.stationary is None
            else {path: np.asarray(array).tolist() for path, array in self.stationary.items()},
        }

    def latex(self) -> str:
        return (
            rf"\lambda_{{\max}} = {latex_number(number(self.largest))},\quad "
            rf"\lambda_{{\min}} = {latex_number(number(self.smallest))},\quad "
            rf"\|\nabla L\| = {latex_number(number(self.gradient_norm))}"
        )

    def plot(self, axes=None):
        """The eigenvalues in order, on an axis that is linear around 0 and logarithmic beyond."""
        axes = new_axes(axes, width=6, height=3.4)
        values = self.eigenvalues
        largest = float(np.abs(values).max())
        up = values > 0
        places = np.arange(1, len(values) + 1)
        for chosen, color, marker, label in (
            (up, BLUE, "o", "curves up"),
            (~up, ORANGE, "v", "curves down or not at all"),
        ):
            if chosen.any():
                axes.plot(places[chosen], values[chosen], marker, color=color, label=label, ms=4)
        axes.axhline(0, color=GRAY, lw=0.8)
        if largest > 0 and np.abs(values).min() < 1e-2 * largest:
            # a power of ten, so that no tick falls into the linear range
            axes.set_yscale("symlog", linthresh=10.0 ** math.floor(math.log10(1e-2 * largest)))
        axes.set_title(f"{self.verdict} · gradient norm {number(self.gradient_norm, 3)}")
        axes.set_xlabel("index of the eigenvalue, from the smallest")
        axes.set_ylabel("eigenvalue of the Hessian")
        legend_above(axes)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        return axes


def curvature(
    net, x, y, *, loss, steps: int | None = None, near: float | None = None, float64: bool = True
) -> Curvature:
    """The largest and smallest curvature of a network's loss at its parameters.

    Newton's method looks for a stationary point within `near`, where the gradient has dropped to a
    hundredth. If there is one, the signs of the eigenvalues there decide, each compared with its
    error bound: it is a minimum if the smallest eigenvalue is larger than its bound. A negative
    curvature that was found exists; that there is no smaller one is, above 200 parameters, as
    certain as Lanczos from a random vector. If there is no stationary point, it is a plateau if the
    loss changes by less than a thousandth within ten times `near`, otherwise a slope.

    The network runs in evaluation mode, with all of (x, y) in one batch, and is not modified.

    Args:
        net: a Module; its frozen parameters are constants.
        x, y: inputs and targets.
        loss: function (prediction, target) -> Tensor of one number.
        steps: number of products with the Hessian, at most; None: one per parameter up to 200
            parameters, otherwise 64, or fewer if their vectors exceed 1 GiB.
        near: radius of the neighborhood that counts as "here", as a distance between parameters;
            None: 1% of their norm, but at least 0.01.
        float64: compute in float64; float32 is faster and needs half the memory.

    References:
        Pearlmutter 1994, "Fast exact multiplication by the Hessian", Neural Computation 6(1);
        Dauphin et al. 2014, "Identifying and attacking the saddle point problem",
        arXiv:1406.2572.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.losses import mean_squared_error
        >>> from cutaway.nn import Linear
        >>> net = Linear(1, 1)
        >>> net.weight.data = net.weight.data * 0 + 2
        >>> found = ct.curvature(net, np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]),
        ...                      loss=mean_squared_error)
        >>> found.verdict, round(found.largest, 3), round(found.smallest, 3)
        ('minimum', 6.854, 0.146)
    """
    expect_point(x, y, where="curvature")
    objective, start = network_objective(net, x, y, loss, where="curvature", wide=float64)
    return curvature_at(objective, start, steps=steps, near=near)


def curvature_of(f, *arrays, near: float | None = None) -> Curvature:
    """The curvature of a function of Tensors at a point, in float64; see `curvature`.

    Args:
        f: takes Tensors and returns a Tensor of one number.
        arrays: where, one array for each Tensor.

    Example:
        >>> import numpy as np
        >>> from cutaway.landscape import curvature_of
        >>> curvature_of(lambda w: w[0] ** 2 - w[1] ** 2, np.zeros(2)).verdict
        'saddle'
    """
    objective = objective_of(f)
    with objective.precision():
        start = {str(k): Tensor(np.asarray(a, float)).data for k, a in enumerate(arrays)}
    return curvature_at(objective, start, near=near)


def hessians_of(f, points) -> np.ndarray:
    """Hessians (rows, n, n) of a function of n Tensors that works element by element, in float64.

    Args:
        f: takes n Tensors (rows,) and returns one.
        points: (rows, n).
    """
    return hessian_function(f)(points)


def hessian_function(f) -> Callable:
    """The function points -> Hessians of `hessians_of`, compiled once for each shape of points."""
    compiled = _product(objective_of(lambda *columns: f(*columns).sum()))

    def hessians(points):
        columns = list(np.asarray(points, float).T)
        # rows are independent, so one product gives a column of every row's Hessian
        units = np.eye(len(columns))
        found = [compiled(columns, [np.full_like(columns[0], u) for u in unit]) for unit in units]
        return np.moveaxis(np.asarray(found), -1, 0)

    return hessians


def curvature_at(
    objective: Objective, start: dict, *, steps=None, near=None, spread=math.inf
) -> Curvature:
    """The curvature of an Objective at the arrays of `start`, {path: array}.

    Args:
        spread: by how much the loss varies where it is looked at. A plateau is flat compared with
            this too, as the size of a loss that may be negative says little.
    """
    point = _Point(objective, start)
    n = point.size
    if near is not None:
        expect_range(near, what="near", above=0, below=math.inf)
    else:
        near = NEAR * max(1.0, float(np.linalg.norm(point.vector)))
    if steps is None:
        fitting = BASIS_BYTES // (n * point.vector.itemsize)
        steps = n if n <= FULL_SPECTRUM else min(STEPS, max(12, fitting))
    expect_range(steps, what="steps", least=1)

    value, gradient = point.value(point.vector), point.gradient()
    norm = float(np.linalg.norm(gradient))
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise GradientError(
            f"curvature: the loss here is {value:g}, its gradient norm {norm:g}",
            expected="finite numbers",
            fix="find where it first becomes infinite or NaN; a point before that can be analyzed",
        )
    spectrum = _spectrum(point, steps)
    eps = float(np.finfo(point.vector.dtype).eps)
    rounding = 100 * eps * max(1.0, float(np.linalg.norm(point.vector))) * spectrum.size
    stationary = _stationary(point, gradient, near, rounding)
    distance = (
        None if stationary is None else float(np.linalg.norm(stationary.vector - point.vector))
    )
    decisive = spectrum
    if stationary is not None and distance:
        decisive = _settled(stationary, spectrum, steps, distance, rounding)
    flat = (stationary is None or decisive.size <= decisive.noise) and _is_flat(
        point, value, gradient, spectrum, 10 * near, spread
    )
    verdict, reason = _judge(flat, distance, norm, near, decisive)
    return Curvature(
        verdict=verdict,
        reason=reason,
        loss=value,
        gradient_norm=norm,
        largest=spectrum.largest,
        smallest=spectrum.smallest,
        largest_bound=spectrum.largest_bound,
        smallest_bound=spectrum.smallest_bound,
        eigenvalues=spectrum.values,
        complete=spectrum.complete,
        parameters=n,
        near=near,
        distance=distance,
        directions=tuple(point.split(v) for v in spectrum.vectors),
        stationary=None if stationary is None else stationary.split(stationary.vector),
        deciding=decisive.values,
    )


@dataclasses.dataclass(frozen=True)
class _Spectrum:
    """Both ends of the Hessian's spectrum at a point; names as in Curvature."""

    values: np.ndarray
    vectors: tuple  # of the largest and the smallest
    largest_bound: float
    smallest_bound: float
    noise: float  # an eigenvalue up to this size may be 0 up to rounding
    complete: bool

    largest = property(lambda self: float(self.values[-1]))
    smallest = property(lambda self: float(self.values[0]))
    size = property(lambda self: float(np.abs(self.values).max()))


def _spectrum(point, steps) -> _Spectrum:
    n = point.size
    random = np.random.default_rng(0).standard_normal(n).astype(point.vector.dtype)
    found = tridiagonalize(point.product, random, steps, tolerance=0 if steps >= n else CONVERGED)
    values, vectors = found.eigen()
    noise = max(found.noise, float(10 * np.finfo(random.dtype).eps * np.abs(values).max()))
    ends = [vectors[:, k].astype(random.dtype) @ found.basis for k in (-1, 0)]
    largest_bound, smallest_bound = (
        float(np.linalg.norm(point.product(v) - a * v)) + noise
        for v, a in zip(ends, (values[-1], values[0]), strict=True)
    )
    return _Spectrum(values, tuple(ends), largest_bound, smallest_bound, noise, len(values) == n)


def _settled(stationary, before, steps, distance, rounding) -> _Spectrum:
    """The spectrum at a stationary point that Newton's method found, as certain as its place is.

    The gradient there is 0 up to rounding, so the place is uncertain by about that over the largest
    curvature; how much eigenvalues change with the place is seen on the way from `before`.
    """
    found = _spectrum(stationary, steps)
    if not found.size:
        return found
    left = max(rounding, float(np.linalg.norm(stationary.gradient()))) / found.size
    ends = ((before.smallest, found.smallest), (before.largest, found.largest))
    change = max(abs(a - b) for a, b in ends) * left / distance
    return dataclasses.replace(
        found,
        noise=found.noise + change,
        largest_bound=found.largest_bound + change,
        smallest_bound=found.smallest_bound + change,
    )


def _product(objective) -> Callable:
    """(arrays, tangents) -> H · tangents, compiled: the derivative of the gradient along them."""

    def product(arrays, tangents, data):
        gradient = functools.partial(objective.pure_gradient, data=data)
        return jax.jvp(gradient, (arrays,), (tangents,))[1]

    if objective.product is None:
        objective.product = objective.compile(product)
    return objective.product


class _Point:
    """A point of an Objective, as a function of one flat vector."""

    def __init__(self, objective, start):
        self.objective = objective
        self.paths = list(start)
        self.arrays = list(start.values())
        for path, array in start.items():
            if not np.issubdtype(array.dtype, np.floating):
                raise OptionError(
                    f"curvature: {path} has dtype {array.dtype}", expected="floating-point numbers"
                )
        self.vector = self.join(self.arrays)
        self.size = self.vector.size
        self.compiled_product = _product(objective)

    def at(self, vector) -> "_Point":
        """The same Objective elsewhere."""
        return _Point(self.objective, self.split(vector.astype(self.vector.dtype)))

    def join(self, arrays):
        return np.concatenate([np.asarray(a).ravel() for a in arrays])

    def split(self, vector) -> dict:
        parts = np.split(vector, np.cumsum([a.size for a in self.arrays])[:-1])
        named = zip(self.paths, parts, self.arrays, strict=True)
        return {path: part.reshape(a.shape) for path, part, a in named}

    def value(self, vector) -> float:
        return float(self.objective.value(list(self.split(vector).values()))) + 0.0  # no -0

    def gradient(self):
        return self.join(self.objective.gradient(self.arrays))

    def product(self, vector):
        """H v."""
        tangents = list(self.split(vector.astype(self.vector.dtype)).values())
        out = self.join(self.compiled_product(self.arrays, tangents))
        if not np.isfinite(out).all():
            raise GradientError(
                "curvature: the second derivative here is not finite",
                expected="a loss that is twice differentiable at the parameters",
                fix="look for a root or a logarithm of 0 in the network or the loss",
            )
        return out


def _stationary(point, gradient, near, rounding):
    """The stationary point within `near` by Newton's method; None if not found.

    Args:
        rounding: norm below which a gradient counts as 0.
    """
    current, norm = point, float(np.linalg.norm(gradient))
    wanted = max(rounding, VANISHED * norm)
    for _ in range(ROUNDS):
        # small ones are followed down to rounding; for large ones a step is expensive
        if norm <= (rounding if current.size <= FULL_SPECTRUM else wanted):
            return current
        step = _newton_step(current, gradient, norm, near)
        if step is None:
            break
        moved = current.at(current.vector + step)
        if not np.linalg.norm(moved.vector - point.vector) <= near:
            break
        gradient = moved.gradient()
        last, norm = norm, float(np.linalg.norm(gradient))
        if last <= min(wanted, norm):
            return current
        current = moved
    return current if norm <= wanted else None


def _newton_step(point, gradient, norm, near):
    """A step x with ‖x‖ <= near and ‖g + H x‖ <= RESIDUAL ‖g‖; None if none was found.

    The candidates are those of MINRES: the best step in each Krylov space of g.
    """
    found = tridiagonalize(point.product, -gradient, min(point.size, 50))
    for k in range(1, len(found.diagonal) + 1):
        t = np.zeros((k + 1, k))
        t[range(k), range(k)] = found.diagonal[:k]
        t[range(1, k + 1), range(k)] = found.off_diagonal[:k]
        t[range(k - 1), range(1, k)] = found.off_diagonal[: k - 1]
        wanted = np.zeros(k + 1)
        wanted[0] = norm
        x, *_ = np.linalg.lstsq(t, wanted)
        if np.linalg.norm(wanted - t @ x) <= RESIDUAL * norm and np.linalg.norm(x) <= near:
            return x.astype(gradient.dtype) @ found.basis[:k]
        if found.off_diagonal[k - 1] == 0:
            break
    return None


def _is_flat(point, value, gradient, spectrum, distance, spread) -> bool:
    """Whether the loss varies by less than FLAT within `distance`, by its model and by trial."""
    allowed = FLAT * min(abs(value), spread)
    norm = np.linalg.norm(gradient)
    if norm * distance > allowed or spectrum.size * distance**2 / 2 > allowed:
        return False
    directions = [*spectrum.vectors, *np.random.default_rng(1).standard_normal((2, point.size))]
    if norm > 0:
        directions.append(gradient / norm)
    for direction in directions:
        move = distance / np.linalg.norm(direction) * direction
        for moved in (point.vector + move, point.vector - move):
            if not abs(point.value(moved.astype(move.dtype)) - value) <= allowed:
                return False
    return True


def _judge(flat, distance, norm, near, spectrum):
    """(verdict, reason), by the spectrum at the stationary point."""
    length = f"the gradient norm is {number(norm, 2)}"
    if flat:
        return "plateau", (
            f"{length}, and over a distance of {number(10 * near, 2)} the loss changes by less "
            f"than {FLAT:.1%} in every direction tried"
        )
    if distance is None:
        return "slope", f"{length}, and no point within {number(near, 2)} was found where it is 0"
    lead = f"the gradient vanishes {number(distance, 2)} from here" if distance else length
    low, high = number(spectrum.smallest, 3), number(spectrum.largest, 3)
    low_bound, high_bound = number(spectrum.smallest_bound, 2), number(spectrum.largest_bound, 2)
    seen = "" if spectrum.complete else ", as far as Lanczos from a random vector can tell"
    if spectrum.smallest < -spectrum.noise and spectrum.largest > spectrum.noise:
        return (
            "saddle",
            f"{lead}, and the loss curves down in one direction ({low}) and up in another ({high})",
        )
    if spectrum.smallest > spectrum.smallest_bound:
        return "minimum", (
            f"{lead}, and the loss curves up in every direction: the smallest curvature, {low}, is "
            f"above its error bound, {low_bound}{seen}"
        )
    if spectrum.largest < -spectrum.largest_bound:
        return "maximum", (
            f"{lead}, and the loss curves down in every direction: the largest curvature, {high}, "
            f"is below 0 by more than its error bound, {high_bound}{seen}"
        )
    if spectrum.size <= spectrum.noise:
        return "not decided", (
            f"{lead}, and the curvature is 0 up to rounding: what the loss does here is of higher "
            f"order"
        )
    end, value, bound, kind = "smallest", low, low_bound, "minimum or a valley"
    if spectrum.largest <= spectrum.noise:
        end, value, bound, kind = "largest", high, high_bound, "maximum or a ridge"
    return "not decided", (
        f"{lead}, but the {end} curvature, {value}, has an error bound of {bound}, so its sign "
        f"is undetermined: a {kind}, or a saddle"
    )
