"""Formulas: two or three columns whose weighted sum, product or ratio is the target.

Least squares of all columns says first whether the target is a sum at all, up to rounding; only
then the few columns are looked for that give it. A product is a sum of logarithms.
"""

import dataclasses
import itertools

import numpy as np

LEAST_ROWS, LEAST_DISTINCT = 30, 10
MOST_COLUMNS = 40  # among which pairs and triples are looked for
SEARCHED_ROWS = 1000  # by which they are chosen
TRIMMED, ROUNDS = 0.9, 8  # fraction of the rows that a fit keeps: the others may break a formula
EXACT = 0.02  # of the standard deviation of the target: residual of the rows that are kept
FRACTION = 0.98  # of the rows must obey a formula
COARSEST = 0.05  # of the standard deviation of the target: most that rounding may excuse
POSITIVE = 0.95  # fraction of the rows in which the factors of a product are positive
MOST_POWER = 3.0


@dataclasses.dataclass(frozen=True)
class LinearFormula:
    """target = Σ weight column + constant.

    Attributes:
        columns, weights, constant: of the sum.
        fraction: of the rows that obey it, up to rounding.
    """

    columns: tuple[str, ...]
    weights: tuple[float, ...]
    constant: float
    fraction: float

    @property
    def text(self) -> str:
        parts = []
        for name, weight in sorted(
            zip(self.columns, self.weights, strict=True), key=lambda pair: pair[1] < 0
        ):
            sign = "-" if weight < 0 else "+"
            size = "" if abs(weight) == 1 else f"{abs(weight):.4g} "
            parts.append((sign, f"{size}`{name}`"))
        if self.constant:
            parts.append(("-" if self.constant < 0 else "+", f"{abs(self.constant):.4g}"))
        (sign, first), *rest = parts
        return ("-" if sign == "-" else "") + " ".join([first, *(f"{s} {t}" for s, t in rest)])


@dataclasses.dataclass(frozen=True)
class PowerFormula:
    """target = factor Π column^power.

    Attributes:
        columns, powers, factor: of the product.
        fraction: of the rows that obey it, up to rounding.
    """

    columns: tuple[str, ...]
    powers: tuple[float, ...]
    factor: float
    fraction: float

    @property
    def text(self) -> str:
        pairs = sorted(zip(self.columns, self.powers, strict=True), key=lambda pair: pair[1] < 0)
        text = "" if self.factor == 1 else f"{self.factor:.4g}"
        for name, power in pairs:
            sign = " / " if power < 0 else " × "
            text += (sign if text else "1 / " if power < 0 else "") + f"`{name}`"
            text += "" if abs(power) == 1 else f"^{abs(power):g}"
        return text


def unit_of(values) -> float:
    """The unit in the last decimal place of the values, 0 with more than six places.

    Example:
        >>> import numpy as np
        >>> from cutaway.data.leak_formulas import unit_of
        >>> [unit_of(np.array(v)) for v in ([1.25, 3.5], [2.0, 7.0], [1 / 3, 0.5])]
        [0.01, 1.0, 0.0]
    """
    for places in range(7):
        scaled = values * 10.0**places
        if (np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))).all():
            return 10.0**-places
    return 0.0


def find_formula(names, x, y) -> LinearFormula | PowerFormula | None:
    """The sum or product of two or three columns that is the target.

    Args:
        names: of the columns.
        x: (rows, columns) float64, finite.
        y: (rows,) float64.

    Example:
        >>> import numpy as np
        >>> from cutaway.data.leak_formulas import find_formula
        >>> x = np.random.default_rng(0).integers(0, 100, (50, 3)).astype(float)
        >>> find_formula(["casual", "registered", "wind"], x, x[:, 0] + x[:, 1]).text
        '`casual` + `registered`'
    """
    if len(y) < LEAST_ROWS or len(np.unique(y)) < LEAST_DISTINCT or x.shape[1] < 2:
        return None
    for chosen in _candidates(x, y):
        found = fit_sum([names[k] for k in chosen], x[:, chosen], y)
        if found is not None and all(found.weights):
            return found
    return _find_product(names, x, y)


def _find_product(names, x, y) -> PowerFormula | None:
    positive = np.flatnonzero((x > 0).mean(axis=0) >= POSITIVE)
    rows = (y > 0) & (x[:, positive] > 0).all(axis=1)
    if len(positive) < 2 or rows.sum() < max(LEAST_ROWS, 0.5 * len(y)):
        return None
    x, y, names = x[rows][:, positive], y[rows], [names[k] for k in positive]
    for chosen in _candidates(np.log(x), np.log(y)):
        found = _fit_product([names[k] for k in chosen], x[:, chosen], y)
        if found is not None:
            return found
    return None


def _candidates(x, y):
    """Yields the pair and the triple of columns whose weighted sum is closest to the target."""
    some = np.linspace(0, len(y) - 1, min(len(y), SEARCHED_ROWS)).astype(int)
    x, y = x[some], y[some]
    std = x.std(axis=0)
    own = np.flatnonzero(std > 0)
    if len(own) < 2 or y.std() == 0:
        return
    z = (x[:, own] - x[:, own].mean(axis=0)) / std[own]
    t = (y - y.mean()) / y.std()
    if z.shape[1] > len(t) // 3:  # too few rows for least squares of all columns
        best = np.sort(np.argsort(-np.abs(z.T @ t), kind="stable")[: max(2, len(t) // 3)])
        own, z = own[best], z[:, best]
    weights, off = _trimmed(z, t, solve=_normal_equations)
    kept = np.argsort(off, kind="stable")[: int(TRIMMED * len(off))]
    if np.sqrt((off[kept] ** 2).mean()) > EXACT:
        return
    if len(own) > MOST_COLUMNS:
        best = np.sort(np.argsort(-np.abs(weights[:-1]), kind="stable")[:MOST_COLUMNS])
        own, z = own[best], z[:, best]
    z, t = z[kept] - z[kept].mean(axis=0), t[kept] - t[kept].mean()
    gram, moments = z.T @ z / len(t), z.T @ t / len(t)
    for size in (2, 3):
        if len(own) < size:
            return
        sets = np.array(list(itertools.combinations(range(len(own)), size)))
        within = gram[sets[:, :, None], sets[:, None, :]] + 1e-10 * np.eye(size)
        sums = np.linalg.solve(within, moments[sets][..., None])[..., 0]
        explained = (sums * moments[sets]).sum(axis=1)
        yield own[sets[explained.argmax()]]


def _normal_equations(design, y):
    """Least squares, faster and less exactly; columns may depend on each other."""
    gram = design.T @ design / len(y) + 1e-10 * np.eye(design.shape[1])
    return np.linalg.solve(gram, design.T @ y / len(y))


def _least_squares(design, y):
    return np.linalg.lstsq(design, y, rcond=None)[0]


def _trimmed(x, y, solve=_least_squares):
    """((columns + 1,) weights, |residuals|) by least squares without the rows that fit worst."""
    design = np.column_stack([x, np.ones(len(y))])
    rows = np.arange(len(y))
    weights, off = np.zeros(design.shape[1]), np.zeros(len(y))
    for _ in range(ROUNDS):
        weights = solve(design[rows], y[rows])
        off = np.abs(design @ weights - y)
        rows = np.argsort(off, kind="stable")[: int(TRIMMED * len(y))]
    return weights, off


def fit_sum(names, x, y) -> LinearFormula | None:
    """The weighted sum of these columns that is the target in nearly all rows, up to rounding."""
    std, scale = x.std(axis=0), y.std()
    if not std.all() or not scale:
        return None
    weights, off = _trimmed((x - x.mean(axis=0)) / std, y)
    kept = np.sort(off)[: int(TRIMMED * len(y))]
    if np.sqrt((kept**2).mean()) > EXACT * scale:
        return None
    own = weights[:-1] / std
    constant = float(weights[-1] - (x.mean(axis=0) * own).sum())
    units, unit = np.array([unit_of(column) for column in x.T]), unit_of(y)

    def obeying(weights, constant):
        slack = 0.5 * (unit + (np.abs(weights) * units).sum())
        slack = max(1e-6 * scale, min(slack, COARSEST * scale))
        return float((np.abs(x @ weights + constant - y) <= slack * (1 + 1e-6)).mean())

    fraction = obeying(own, constant)
    simple = np.array([float(f"{weight:.3g}") for weight in own])
    for w, c in ((simple, 0.0), (own, 0.0), (simple, float(f"{constant:.3g}")), (own, constant)):
        if (part := obeying(w, c)) >= max(FRACTION, fraction - 0.005):
            return LinearFormula(tuple(names), tuple(map(float, w)), c, part)
    return None


def _fit_product(names, x, y) -> PowerFormula | None:
    logs = np.log(x)
    if not logs.std(axis=0).all():
        return None
    weights, _ = _trimmed(logs, np.log(y))
    powers = np.round(2 * weights[:-1]) / 2
    if (np.abs(powers - weights[:-1]) > 0.02).any() or (powers == 0).any():
        return None
    if np.abs(powers).max() > MOST_POWER:
        return None
    factor = float(np.exp(np.median(np.log(y) - logs @ powers)))
    units, unit, scale = np.array([unit_of(column) for column in x.T]), unit_of(y), y.std()

    def obeying(factor):
        product = factor * np.exp(logs @ powers)
        slack = 0.5 * (unit + product * (np.abs(powers) * units / x).sum(axis=1))
        slack = np.maximum(1e-6 * scale, np.minimum(slack, COARSEST * scale))
        return float((np.abs(product - y) <= slack * (1 + 1e-6)).mean())

    for f in (1.0, float(f"{factor:.3g}"), factor):
        if (part := obeying(f)) >= FRACTION:
            return PowerFormula(tuple(names), tuple(map(float, powers)), f, part)
    return None
