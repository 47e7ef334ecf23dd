"""Examples as trees: an array, or a tuple, list or dict of trees, all with as many rows."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from cutaway.engine import Tensor


def call(net: Callable, x) -> Any:
    """net(x): a tuple as positional arguments, a dict as keyword arguments.

    Example:
        >>> from cutaway.nn.trees import call
        >>> from cutaway.nn import Add
        >>> call(lambda a, b: a - b, (3, 1)), call(lambda a, b: a - b, {"b": 3, "a": 1})
        (2, -2)
    """
    if isinstance(x, tuple):
        return net(*x)
    return net(**x) if isinstance(x, dict) else net(x)


def leaves(tree) -> list:
    """The arrays or Tensors of a tree, in order."""
    return jax.tree.leaves(tree, is_leaf=_is_leaf)


def map_leaves(function: Callable, *trees) -> Any:
    """The tree of what the function returns for each leaf of one tree, or of several alike."""
    return jax.tree.map(function, *trees, is_leaf=_is_leaf)


def named_leaves(tree) -> dict[tuple, Any]:
    """{the keys that lead to a leaf: the leaf}, in order; an array alone has no keys: ().

    Example:
        >>> import numpy as np
        >>> from cutaway.nn.trees import named_leaves
        >>> list(named_leaves({"table": np.zeros(3), "images": (np.ones(2), np.ones(2))}))
        [('images', 0), ('images', 1), ('table',)]
    """
    found, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_leaf)
    return {tuple(map(_key, path)): leaf for path, leaf in found}


def _key(entry) -> Any:
    """The key, index or attribute that one step of a path of JAX stands for."""
    for name in ("key", "idx", "name"):
        if hasattr(entry, name):
            return getattr(entry, name)
    return str(entry)


def subscripts(keys: tuple) -> str:
    """Keys as one writes them behind the name of the tree.

    Example:
        >>> from cutaway.nn.trees import subscripts
        >>> subscripts(("images", 0)), subscripts(())
        ('["images"][0]', '')
    """
    return "".join(f'["{key}"]' if isinstance(key, str) else f"[{key}]" for key in keys)


def detach(tree) -> Any:
    """The same values, cut off from the tape: a Tensor, or a tuple, list or dict of Tensors.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> outputs, state = ct.LSTM(3, 4)(np.ones((2, 5, 3)))
        >>> [part.requires_grad for part in state]
        [True, True]
        >>> [part.requires_grad for part in ct.detach(state)]
        [False, False]
    """
    return map_leaves(Tensor, tree)


def count_rows(tree) -> int:
    """Rows of the first leaf."""
    return len(leaves(tree)[0])


def take_rows(tree, rows) -> Any:
    """The tree of these rows of each leaf: a slice or an array of indices.

    Example:
        >>> import numpy as np
        >>> from cutaway.nn.trees import take_rows
        >>> take_rows({"a": np.arange(3), "b": np.zeros((3, 2))}, [0, 2])["a"].tolist()
        [0, 2]
    """
    return map_leaves(lambda leaf: leaf[rows], tree)


def is_array(tree) -> bool:
    """Whether a tree is one leaf."""
    return _is_leaf(tree)


def _is_leaf(value) -> bool:
    return isinstance(value, Tensor | np.ndarray | jax.Array | jax.ShapeDtypeStruct)
