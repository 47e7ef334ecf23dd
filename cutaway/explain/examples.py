"""One example or a batch of them, as trees, and leaves of trees that a caller names."""

from typing import Any

import jax
import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import OptionError
from cutaway.nn.trees import named_leaves, subscripts


def as_tree(value) -> Any:
    """A tuple or dict of trees of arrays; anything else, lists too, as one array.

    Raises:
        OptionError: a list of arrays of different shapes.
    """

    def array(leaf):
        if isinstance(leaf, Tensor):
            return leaf.numpy()
        try:
            return np.asarray(leaf)
        except ValueError:
            raise OptionError(
                f"a list of {len(leaf)} arrays of different shapes",
                expected="an array, or a list that is one; several inputs in a tuple or dict",
                fix="write (a, b) for positional arguments of the network, {name: a} for others",
            ) from None

    return jax.tree.map(array, value, is_leaf=lambda v: not isinstance(v, tuple | dict))


def chosen_leaf(tree, wanted, *, what: str, fits=None) -> tuple:
    """The keys of the leaf that a caller asked for; of the only one if nothing was asked.

    Args:
        wanted: its key, the tuple of its keys in nested trees, or None.
        what: it is: "output" or "input", also the name of the argument that chooses it.
        fits: function of a leaf -> whether it can be meant if nothing was asked; None: all can.

    Raises:
        OptionError: no such leaf, or several that could be meant; lists them.
    """
    found = named_leaves(tree)
    if wanted is None:
        possible = [keys for keys, leaf in found.items() if fits is None or fits(leaf)]
        if len(possible) == 1:
            return possible[0]
        many = f"{len(found)} {what}s: {', '.join(map(_argument, found))}"
        raise OptionError(
            f"the network has {many}",
            expected=f"{what}=, the one that is meant",
            fix=f"for example {what}={_argument(next(iter(possible or found)))}",
        )
    keys = wanted if isinstance(wanted, tuple) else (wanted,)
    if keys not in found:
        choices = f"one of {', '.join(map(_argument, found))}"
        raise OptionError(
            f"{what}={wanted!r}: the network has no such {what}",
            expected=f"no {what}=, since it has one alone" if () in found else choices,
        )
    return keys


def _argument(keys: tuple) -> str:
    """The keys as one writes them in a call."""
    shown = repr(keys[0]) if len(keys) == 1 else repr(keys)
    return shown.replace("'", '"')


def by_leaf(given, x, *, what: str) -> dict[tuple, Any]:
    """{keys of a leaf of x: what `given` holds for it, None for nothing}.

    Args:
        given: None; for an array x what belongs to it; otherwise a dict, tuple or list like x,
            which may leave out leaves.

    Raises:
        OptionError: it names a leaf that x does not have.
    """
    found = named_leaves(x)
    if () in found:
        return {(): given}
    _expect_inside(given, x, what)
    return {keys: _descend(given, keys) for keys in found}


def _descend(given, keys):
    for key in keys:
        if isinstance(given, dict):
            given = given.get(key)
        elif given is not None:
            given = given[key] if key < len(given) else None
    return given


def _expect_inside(given, tree, what):
    """Raise OptionError unless each key of `given` is one of the tree."""
    if given is None or not isinstance(tree, tuple | list | dict):
        return
    is_dict = isinstance(tree, dict)
    fits = isinstance(given, dict) if is_dict else isinstance(given, tuple | list)
    known = list(tree) if is_dict else list(range(len(tree)))
    keys_given = list(given) if is_dict and fits else list(range(len(given))) if fits else []
    unknown = [key for key in keys_given if key not in known]
    if not fits or unknown:
        came = f"has {unknown[0]!r}" if unknown else f"is a {type(given).__name__}"
        raise OptionError(
            f"{what} {came}, but the network's inputs are {_listed(tree)}",
            expected=f"a {type(tree).__name__} with one {what} for each input, or for some",
        )
    for key in keys_given:
        _expect_inside(given[key], tree[key], what)


def _listed(tree) -> str:
    return ", ".join(f"x{subscripts(keys)}" for keys in named_leaves(tree))
