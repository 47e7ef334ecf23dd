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
        computed from something else than one sum of weights times inputs.
    """
    graph = why.trace.graph
    nodes = [n for n in graph.nodes if n.record is not None and n.module == path]
    if not nodes:
        return []
    place = (0, *index) if len(index) < nodes[-1].value.ndim else tuple(index)
    if len(place) != nodes[-1].value.ndim:
        return []
    with float64():
        node, element = _sum_behind(nodes[-1], place, why)
        if node is None:
            return []
        sides = why.jacobians.of(node).terms(element)
    found = []
    for k, (elements, values) in enumerate(sides):
        weights = [_parameter_behind(node.sources[k], int(e), why) for e in elements]
        if any(weight is None for weight in weights):
            continue
        products = np.abs(np.asarray(values) * np.asarray(sides[1 - k][1]))
        total = products.sum() or 1.0
        for weight, product in zip(weights, products.tolist(), strict=True):
            own, at = weight or ("", ())
            found.append({"path": own, "index": list(at), "share": product / total})
        break
    return sorted(found, key=_by_share)[:MOST]


def _by_share(lit: dict) -> float:
    return -lit["share"]


def _sum_behind(node: Node, place: tuple, why: Explanation) -> tuple[Node | None, int]:
    """(the sum of products that an element was computed from, the element in it)."""
    waiting = [(node, int(np.ravel_multi_index(place, node.shape)))]
    while waiting:
        node, element = waiting.pop()
        if node.record is None:
            continue
        traits = node.record.operation.traits
        jacobian = why.jacobians.of(node)
        if traits.role == "weights" and hasattr(jacobian, "terms"):
            return node, element
        if traits.edges not in ("elementwise", "movement"):
            continue
        for number, elements, _ in jacobian.row(element):
            source = node.sources[number]
            if source is not None:
                waiting += [(source, int(e)) for e in elements]
    return None, 0


def _parameter_behind(node: Node | None, element: int, why: Explanation) -> tuple | None:
    """(path, index) of the element of a parameter that an element is a copy of; None: of none."""
    paths = {n.number: path for path, n in why.trace.graph.parameters.items()}
    while node is not None and node.record is not None:
        node, element = why.jacobians.origin(node, element)
    if node is None or node.number not in paths:
        return None
    return paths[node.number], tuple(map(int, np.unravel_index(element, node.shape)))
