"""The shapes of what the modules of a network return, found without computing them."""

import weakref
from typing import Any

import jax
import numpy as np

from cutaway.engine import Tensor, no_grad
from cutaway.nn import in_mode, watch
from cutaway.nn.state import Held, latest_change, named_variables, values_of
from cutaway.nn.trees import call, leaves, map_leaves
from cutaway.train import Program

_known: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # net: (change, {path: shape})


def output_shapes(program: Program, example) -> dict[str, tuple[int, ...]]:
    """{path of a module: shape of what it returns}, in the order in which modules end.

    "" is the network itself; of several results the first is taken. Known again until a layer
    changes.

    Args:
        program: the Program.
        example: x of one row, with its batch axis, as the program takes it.
    """
    net: Any = program.net
    change = latest_change()
    seen, shapes = _known.get(net, (None, {}))
    key = (change, tuple(np.shape(leaf) for leaf in leaves(example)))
    if seen != key:
        shapes = _shapes(program, net, example)
        _known[net] = (key, shapes)
    return shapes


def _shapes(program: Program, net, example) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}

    def keep(module, inputs, out):
        if isinstance(out, tuple) and out:
            out = out[0]
        if isinstance(out, Tensor):
            found[watched.path_of(module)] = tuple(out.shape)

    watched = watch(net, keep)

    def run(x):
        with watched:
            call(net, program.inputs(map_leaves(Tensor, x)))

    owned = list(named_variables([net, program.prepare]).values())
    # what is written while shapes are found is dropped
    with no_grad(), in_mode(net, False), Held(owned, values_of(owned)):
        jax.eval_shape(run, map_leaves(np.asarray, example))
    return found
