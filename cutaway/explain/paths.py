"""Paths: ∂L/∂w as a sum over all paths from a weight to the loss, the strongest ones first.

Forward passes over the graph compute for every element v that depends on w
    the strongest product of factors from w to v        (semirings.Max)
    the sum over all paths, ∂v/∂w                       (semirings.Sum)
    the number of paths                                 (semirings.Counting)
If fewer than the requested paths have a product other than 0, a fourth one finds paths through
factors of 0, such as the slope of a ReLU that is off (semirings.ThroughZeros).
Then the strongest paths are searched backward from the loss. The product of a partial path times
the strongest product from w to its last element is exactly the product of its best completion, so
the first paths to arrive are the strongest, and no others are expanded: A* with an exact heuristic
(Hart, Nilsson & Raphael 1968, "A formal basis for the heuristic determination of minimum cost
paths"). This holds for every operation, and the cost grows with the number of paths requested, not
with the number of paths in the graph.
"""

import dataclasses
import heapq
import itertools

import numpy as np

from cutaway.errors import GradientError
from cutaway.explain.graph import ComputationGraph, Node
from cutaway.explain.local_jacobians import local_jacobian_of
from cutaway.explain.semirings import Max, Sum, ThroughZeros, count_exactly


@dataclasses.dataclass(frozen=True)
class PathStep:
    """An element on a path.

    Attributes:
        node, element: the array, and the index in the flattened array.
        factor: ∂(next element toward the loss)/∂(this one); 1 for the loss itself.
    """

    node: Node
    element: int
    factor: float


@dataclasses.dataclass(frozen=True)
class StrongestPaths:
    """The strongest paths from an element to the result, with the sum and number of all paths.

    Attributes:
        total: sum over all paths, by a forward pass.
        count: number of all paths.
        paths: [(product, [PathStep, ...] from the result to the element)], the largest first.
    """

    total: float
    count: int
    paths: list


class LocalJacobians:
    """The local Jacobians of a graph, each computed when it is first needed."""

    def __init__(self, graph: ComputationGraph):
        self.graph = graph
        self._made = {}

    def of(self, node: Node):
        if node.number not in self._made:
            self._made[node.number] = local_jacobian_of(node)
        return self._made[node.number]

    def origin(self, node: Node, element: int) -> tuple:
        """(source, element) that an element was computed from if it is only one; else (None, 0)."""
        if node.record is None:
            return None, 0
        edges = [e for e in self.of(node).row(element) if len(e[1]) == 1]
        if node.record.operation.traits.role == "choice":  # computed from the selected one
            edges = [e for e in edges if e[2][0] != 0]
        if len(edges) != 1:
            return None, 0
        number, elements, _ = edges[0]
        return node.sources[number], int(elements[0])

    def propagate(self, node: Node, element: int, semiring, cone, *, until: Node) -> dict:
        """{number of a node: the value at each of its elements} for the nodes in the cone."""
        start = np.zeros(node.shape)
        start.ravel()[element] = 1.0
        arrived = {node.number: start}
        for other in self.graph.nodes[node.number + 1 : until.number + 1]:
            if other.number in cone:
                values = [None if s is None else arrived.get(s.number) for s in other.sources]
                arrived[other.number] = self.of(other).propagate(values, semiring)
        return arrived


def strongest_paths(
    jacobians: LocalJacobians, node: Node, element: int, top: int
) -> StrongestPaths:
    """The `top` strongest paths from an element of `node` to the graph's result.

    Raises:
        GradientError: a NaN or infinity is on a path.
    """
    graph = jacobians.graph
    cone = graph.cone(node)
    end = graph.result
    if not np.isfinite(end.value).all():  # -∞ behind a mask does not propagate
        expect_finite([n for n in graph.nodes if n.number in cone], graph)
    total = float(jacobians.propagate(node, element, Sum(), cone, until=end)[end.number].ravel()[0])

    if not np.isfinite(total):
        expect_finite([n for n in graph.nodes if n.number in cone], graph)

    def count(semiring):
        arrived = jacobians.propagate(node, element, semiring, cone, until=end)
        return float(arrived[end.number].ravel()[0])

    def found_by(semiring):
        best = jacobians.propagate(node, element, semiring, cone, until=end)
        return _search(jacobians, best, node, element, top, semiring)

    paths, number = found_by(Max()), count_exactly(count)
    if len(paths) < min(top, number):  # the others have a factor of 0
        zero = [found for found in found_by(ThroughZeros()) if found[0] == 0]
        paths += zero[: top - len(paths)]
    return StrongestPaths(total, number, paths)


def _search(jacobians, best, target, target_element, top, semiring):
    end = jacobians.graph.result
    ties = itertools.count()
    # (-strongest completion, ties: deeper first, then in order, product so far, its size in the
    # semiring, step, trail)
    heap: list[tuple] = [
        (-best[end.number].ravel()[0], 0, next(ties), 1.0, 1.0, PathStep(end, 0, 1.0), None)
    ]
    found = []
    while heap and len(found) < top:
        strength, depth, _, product, size, step, previous = heapq.heappop(heap)
        if strength == 0:
            break
        trail = (step, previous)
        if step.node is target:
            if step.element == target_element:
                found.append((product, _unwound(trail)))
            continue
        onward = _onward(jacobians, best, step, top - len(found), semiring)
        for number, elements, factors, sizes in onward:
            source = step.node.sources[number]
            edges = zip(elements.tolist(), factors.tolist(), sizes.tolist(), strict=True)
            for element, factor, own in edges:
                ahead = size * own * best[source.number].ravel()[element]
                entry = (-ahead, depth - 1, next(ties), product * factor, size * own)
                heapq.heappush(heap, (*entry, PathStep(source, element, factor), trail))
    return found


def _onward(jacobians, best, step, wanted, semiring):
    """The edges from a step that may belong to one of the `wanted` best paths."""
    for number, elements, factors in jacobians.of(step.node).row(step.element):
        source = step.node.sources[number]
        if source is None or source.number not in best:
            continue
        sizes = semiring.weight(factors, None)
        ahead = sizes * best[source.number].ravel()[elements]
        chosen = np.flatnonzero(ahead)
        if len(chosen) > wanted:
            chosen = chosen[np.argpartition(-ahead[chosen], wanted - 1)[:wanted]]
        yield number, elements[chosen], factors[chosen], sizes[chosen]


def _unwound(trail):
    """The steps of a linked trail (step, previous trail), in order."""
    steps = []
    while trail is not None:
        step, trail = trail
        steps.append(step)
    return steps[::-1]


def expect_finite(nodes, graph):
    """Raise GradientError for the earliest NaN or infinity in these nodes."""
    for node in nodes:
        if node.value.dtype.kind == "f" and not np.isfinite(node.value).all():
            first = _origin(node, graph)
            where = f" in {first.module!r}" if first.module else ""
            element = int(np.flatnonzero(~np.isfinite(first.value).ravel())[0])
            place = tuple(int(i) for i in np.unravel_index(element, first.shape))
            what = first.value[place]
            raise GradientError(
                f"{what} is on the path: it begins in the {_origin_name(first)}{where}, at "
                f"element {place}",
                expected="finite numbers",
                fix="look at the inputs of that operation: explain(...).forward shows them",
            )


def _origin(node, graph):
    """The earliest node with a value that is not finite, among those that lead to `node`."""
    leading = {node.number}
    for other in reversed(graph.nodes[: node.number + 1]):
        if other.number in leading:
            leading |= {s.number for s in other.sources if s is not None}
    for other in graph.nodes:
        floating = other.value.dtype.kind == "f"
        if floating and other.number in leading and not np.isfinite(other.value).all():
            return other
    return node


def _origin_name(node) -> str:
    return f"operation {node.name!r}" if node.record is not None else "input or parameter itself"
