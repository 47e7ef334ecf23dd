"""ParameterSettings: what an optimizer does differently for some of its parameters."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway.errors import OptionError, did_you_mean, expect_function, expect_range


class ParameterSettings:
    """Settings of individual parameters of an optimizer, by their index.

    Not a Stateful: compiled steps treat it as one object, which never changes after __init__.

    Args:
        named: {path: parameter}.
        groups: {path prefix: factor} or function (path, parameter) -> factor; see Optimizer.

    Attributes:
        paths: names of the parameters.
        factors: {index: factor on the learning rate}, of those with one.
        decay_factors: {index: factor on the weight decay}, of those with one; 0 for none.
        moving: index of the parameter that is being updated.

    Raises:
        OptionError: a group without parameters, or a factor that is not a positive number.
    """

    def __init__(self, named: dict, groups: Any = None):
        self.paths = list(named)
        self.rule: Callable | None = None
        self.factors: dict[int | None, float] = {}
        self.decay_factors: dict[int | None, float] = {}
        self.moving: int | None = None
        if groups is None or isinstance(groups, dict):
            self.factors = _of_prefixes(self.paths, groups or {})
            return
        expect_function(
            groups,
            what="groups",
            expected="{path prefix: factor}, or a function (path, parameter) -> factor",
            fix='for example groups={"0": 0.1}',
        )
        self.rule = groups
        for i, (path, p) in enumerate(named.items()):
            self._ask(i, path, p)

    @property
    def spared(self) -> set:
        """Indices of the parameters without weight decay."""
        return {i for i, factor in self.decay_factors.items() if factor == 0}

    def choose_decay(self, parameters: list, decays: Callable) -> None:
        """Ask `decays` (path, parameter) for the factor on the weight decay of each parameter."""
        self.decay_factors = {}
        for i, (path, p) in enumerate(zip(self.paths, parameters, strict=True)):
            found = decays(path, p)
            if isinstance(found, bool | np.bool_):
                found = float(found)
            factor = _checked(found, f"factor on the weight decay of {path!r} by `decays`", least=0)
            if factor != 1:
                self.decay_factors[i] = factor

    def copied(self, paths: list, parameters: list, kept: list[int | None]) -> "ParameterSettings":
        """The settings for other parameters.

        Args:
            paths, parameters: the names and the parameters.
            kept: of each the index it has here; None for a new one. A function `groups` is asked
                for those; new vectors have no weight decay if some parameters here have none.
        """
        other = ParameterSettings({})
        other.paths, other.rule = list(paths), self.rule
        for i, before in enumerate(kept):
            if before is None:
                other._ask(i, paths[i], parameters[i])
                if self.spared and parameters[i].ndim < 2:
                    other.decay_factors[i] = 0.0
                continue
            if before in self.factors:
                other.factors[i] = self.factors[before]
            if before in self.decay_factors:
                other.decay_factors[i] = self.decay_factors[before]
        return other

    def _ask(self, i: int, path: str, p) -> None:
        if self.rule is None:
            return
        factor = _checked(self.rule(path, p), f"factor of {path!r} by `groups`", above=0)
        if factor != 1:
            self.factors[i] = factor


def _checked(factor: Any, what: str, **limits) -> float:
    expect_range(factor, what=what, below=float("inf"), **limits)
    return float(factor)


def _of_prefixes(paths: list, groups: dict) -> dict[int | None, float]:
    """{index of a parameter: factor} of those whose path starts with a key of `groups`."""
    chosen = {}
    for prefix, factor in sorted(groups.items(), key=lambda item: len(item[0])):
        factor = _checked(factor, f"factor of group {prefix!r}", above=0)
        inside = [i for i, path in enumerate(paths) if f"{path}.".startswith(f"{prefix}.")]
        if not inside:
            raise OptionError(
                f"the group {prefix!r} has no parameters",
                expected='the path of a module or parameter, like "0" or "0.weight"',
                fix=did_you_mean(prefix, paths),
            )
        chosen.update(dict.fromkeys(inside, factor))  # longer prefixes come later
    return chosen
