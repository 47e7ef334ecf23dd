"""Which weights of the drawing are lit: those on chain-rule paths, or those of a neuron's sum."""

import itertools
from typing import Any

import numpy as np

from cutaway.engine import float64
from cutaway.explain import Explanation
from cutaway.explain.graph import Node
from cutaway.explain.paths import StrongestPaths, strongest_paths

MOST = 64  # weights
PATHS = 5  # of a gradient


def weights_on_paths(why: Explanation, path: str, index: tuple[int, ...]) -> list[dict[str, Any]]:
    """The weights on the strongest paths from a weight to the loss, those of the strongest first.

    Args:
        why: of one row, with a loss.
        path, index: of the weight.

    Returns:
        [{"path", "index", "share", "strongest"}]: the share is the sum of |products| of the paths
        through it, of those of all paths that were searched; "strongest" says whether it is on the
        strongest one.
    """
    node = why.trace.graph.parameters[path]
    element = int(np.ravel_multi_index(index, node.shape)) if node.shape else 0
    with float64():
        found = strongest_paths(why.jacobians, node, element, PATHS)
    sizes = [abs(product) for product, _ in found.paths]
    total = sum(sizes) or 1.0
    shares: dict[tuple, float] = {}
    strongest: set[tuple] = set()
    for k, weights in enumerate(_weights_of(found, why)):
        for weight in weights:
            shares[weight] = shares.get(weight, 0.0) + sizes[k] / total
        strongest |= weights if k == 0 else set()
    order = sorted(shares, key=lambda weight: (weight not in strongest, -shares[weight]))
    return [
        {
            "path": own,
            "index": list(place),
            "share": shares[own, place],
            "strongest": (own, place) in strongest,
        }
        for own, place in order[:MOST]
    ]


def _weights_of(found: StrongestPaths, why: Explanation):
    """{(path of a parameter, index)} of each path, with the weight that it leads to."""
    for _, steps in found.paths:
        weights = set()
        for above, below in itertools.pairwise(steps):
            jacobian = why.jacobians.of(above.node)
            if not hasattr(jacobian, "partner"):
                continue
            k = next(k for k, source in enumerate(above.node.sources) if source is below.node)
            number, element = jacobian.partner(above.element, k, below.element)
            weights.add(_parameter_behind(above.node.sources[number], int(element), why))
        last = steps[-1]
        weights.add(_parameter_behind(last.node, last.element, why))
        yield weights - {None}


def weights_of_sum(why: Explanation, path: str, index: tuple[int, ...]) -> list[dict[str, Any]]:
    """The weights of the sum that an element of a layer's output was computed from.

    Args:
        path, index: of the layer, and of the element without the batch axis.

    Returns:
        [{"path", "index", "share"}]: the share is |w O| of the sum of all |w O|; [] if it was
        computed from something else than a sum of weights times inputs.
    """
    node, place = _result_of(why, path, index)
    if node is None:
        return []
    products: dict[tuple, float] = {}
    with float64():
        for one, element in _sums_behind(node, place, why):
            products |= _products(one, why.jacobians.of(one).terms(element), why)
    total = sum(products.values()) or 1.0
    found = [
        {"path": own, "index": list(at), "share": size / total}
        for (own, at), size in products.items()
    ]
    return sorted(found, key=_by_share)[:MOST]


def _by_share(lit: dict) -> float:
    return -lit["share"]


def _result_of(why: Explanation, path: str, index) -> tuple[Node | None, tuple]:
    """(the last array that a layer computed with such an element, its index with the batch)."""
    for node in reversed(why.trace.graph.nodes):
        if node.record is None or node.module != path:
            continue
        place = (0, *index) if len(index) == len(node.shape) - 1 else tuple(index)
        if len(place) == len(node.shape) and all(
            0 <= i < n for i, n in zip(place, node.shape, strict=True)
        ):
            return node, place
    return None, ()


def _products(node: Node, sides, why: Explanation) -> dict[tuple, float]:
    """{(path, index) of a weight: |w O|} of one element of a product of matrices.

    Args:
        sides: [(elements, values)] of its two sources.
    """
    for k, (elements, values) in enumerate(sides):
        weights = [_parameter_behind(node.sources[k], int(e), why) for e in elements]
        sizes = np.abs(np.asarray(values) * np.asarray(sides[1 - k][1])).tolist()
        if all(weight is not None for weight in weights):
            return {w: size for w, size in zip(weights, sizes, strict=True) if w is not None}
    return {}


def _sums_behind(node: Node, place: tuple, why: Explanation) -> list[tuple[Node, int]]:
    """[(product of matrices, element in it)] of which an element is a function of their sum."""
    waiting = [(node, int(np.ravel_multi_index(place, node.shape)))]
    found, seen = [], set()
    while waiting:
        node, element = waiting.pop()
        if node.record is None or (node.number, element) in seen:
            continue
        seen.add((node.number, element))
        traits = node.record.operation.traits
        jacobian = why.jacobians.of(node)
        if traits.role == "weights" and hasattr(jacobian, "terms"):
            found.append((node, element))
        elif traits.edges in ("elementwise", "movement"):
            edges = [e for e in jacobian.row(element) if node.sources[e[0]] is not None]
            if traits.sign != "+" and len(edges) > 1:
                return []  # a product of several results: no sum of weights
            waiting += [(node.sources[k], int(e)) for k, elements, _ in edges for e in elements]
    return found


def _parameter_behind(node: Node | None, element: int, why: Explanation) -> tuple | None:
    """(path, index) of the element of a parameter that an element is a copy of; None: of none."""
    paths = {n.number: path for path, n in why.trace.graph.parameters.items()}
    while node is not None and node.record is not None:
        node, element = why.jacobians.origin(node, element)
    if node is None or node.number not in paths:
        return None
    return paths[node.number], tuple(map(int, np.unravel_index(element, node.shape)))
