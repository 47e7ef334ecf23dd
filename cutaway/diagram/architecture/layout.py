"""Layered layout, from top to bottom: a part's layer is the length of the longest path to it."""

import dataclasses

from cutaway.diagram.architecture.boxes import (
    Box,
    group_box,
    is_attached,
    leaf_box,
    readers,
)
from cutaway.diagram.architecture.parts import INPUT, Scope
from cutaway.diagram.architecture.routes import Edge, Routes

BESIDE, GAP = 22, 20  # distance between neighboring boxes, and between layers


@dataclasses.dataclass
class Placement:
    """A scope that was laid out.

    Attributes:
        boxes: a Box for each part.
        wires: a Wire for each edge.
        width, height: of the whole.
        ins, outs: x of its inputs and outputs.
        x, y: its upper left corner in the box around it.
    """

    boxes: list
    wires: list
    width: float
    height: float
    ins: list
    outs: list
    x: float = 0
    y: float = 0


@dataclasses.dataclass
class _End:
    """An input or output of the scope, laid out like a box of size 0."""

    x: float = 0
    y: float = 0
    height: float = 0
    width: float = 0
    anchor: float = 0
    is_pill: bool = False
    ins: list = dataclasses.field(default_factory=lambda: [0.0])
    outs: list = dataclasses.field(default_factory=lambda: [0.0])


def plan(scope: Scope) -> Placement:
    """Lay out all parts of the scope and everything inside them."""
    return _Layout(scope).plan()


def box_of(part, read: dict) -> Box:
    """The box of a part, with its inside laid out.

    Args:
        read: {output number: number of its readers}.
    """
    outputs = max(read, default=0) + 1
    if part.inner is None:
        return leaf_box(part, 1)
    return group_box(part, plan(part.inner), outputs)


class _Layout:
    def __init__(self, scope: Scope):
        self.scope = scope
        self.boxes = [
            box_of(part, read) for part, read in zip(scope.parts, readers(scope), strict=True)
        ]
        self.ins = [_End(x=28 * (k - (scope.inputs - 1) / 2)) for k in range(scope.inputs)]
        self.outs = [_End() for _ in scope.outputs]
        self._set_layers()
        self.edges = self._all_edges()

    def plan(self) -> Placement:
        self._widen_stacks()
        self._set_x()
        routes = Routes(self.layers, self.edges)
        self._set_y(routes)
        return self._shifted(routes.wires(self.gap_top))

    # layers

    def _set_layers(self):
        parts, layer = self.scope.parts, []
        for part in parts:
            layer.append(1 + max((layer[s] if s >= 0 else 0 for s, _ in part.sources), default=0))
        last = max(layer, default=0) + 1
        for k in reversed(range(len(parts))):
            # a part without sources, such as a loose parameter, goes right above its first reader
            if not parts[k].sources:
                below = [layer[n] for n, p in enumerate(parts) if k in [s for s, _ in p.sources]]
                layer[k] = max(1, min(below, default=last) - 1)
        self.layer_of = {id(b): n for b, n in zip(self.boxes, layer, strict=True)}
        self.layer_of |= {id(e): 0 for e in self.ins} | {id(e): last for e in self.outs}
        self.layers = [[] for _ in range(last + 1)]
        for box in [*self.ins, *self.boxes, *self.outs]:
            self.layers[self.layer_of[id(box)]].append(box)

    def _all_edges(self):
        edges = []
        count = len(self.boxes)
        for number, (part, box) in enumerate(zip(self.scope.parts, self.boxes, strict=True)):
            for k, source in enumerate(part.sources):
                into = min(k, len(box.ins) - 1)
                edges.append(self._edge(source, box, into, number, part.guessed))
        for k, source in enumerate(self.scope.outputs):
            edges.append(self._edge(source, self.outs[k], 0, count, False))
        return edges

    def _edge(self, source, target, into, number, guessed):
        index, port = source
        if index == INPUT:
            box, out = self.ins[min(port, len(self.ins) - 1)], 0
        else:
            box = self.boxes[index]
            out = min(port, len(box.outs) - 1)
        span = self.layer_of[id(box)], self.layer_of[id(target)]
        ends = isinstance(target, Box)
        return Edge(box, out, target, into, span, (index, number), ends, guessed)

    def _widen_stacks(self):
        alone = [layer[0] for layer in self.layers if len(layer) == 1]
        leaves = [b for b in alone if isinstance(b, Box) and b.plan is None and not b.is_pill]
        for box in leaves:
            box.widen(max(b.width for b in leaves))

    # x

    def _set_x(self):
        for layer in self.layers[1:]:
            wanted = {}
            for box in layer:
                edges = [e for e in self.edges if e.target is box]
                near = [e for e in edges if not e.is_long]
                if not near or len(edges) > 2:
                    near = edges  # centered under all sources if there are many
                xs = [e.start - (e.target.ins[e.target_port] - e.target.anchor) for e in near]
                wanted[id(box)] = sum(xs) / len(xs) if xs else 0.0
            self._place(layer, wanted)

    def _place(self, layer, wanted):
        order = sorted(layer, key=lambda box: wanted[id(box)])
        right = None
        for box in order:
            x = wanted[id(box)] - box.anchor
            box.x = x if right is None else max(x, right + BESIDE)
            right = box.x + box.width
        off = [box.x + box.anchor - wanted[id(box)] for box in order]
        if max(off, default=0) > 1e-9:
            # center the row again, so that a sum of its branches returns to the middle
            middle = sum(box.x + box.anchor for box in order) / len(order)
            aim = sum(wanted[id(box)] for box in order) / len(order)
            for box in order:
                box.x += aim - middle
        layer[:] = order

    # y

    def _set_y(self, routes):
        y, self.gap_top = 0.0, [0.0] * len(self.layers)
        for number, layer in enumerate(self.layers):
            self.gap_top[number] = y
            if number:
                y += self._gap(number, routes)
            for box in layer:
                box.y = y
            y += max((box.height for box in layer), default=0)
        self.height = y

    def _gap(self, number, routes) -> float:
        if not self.layers[number] or not self.layers[number - 1]:
            return 0
        if routes.height(number):
            return routes.height(number)
        return 0 if self._is_stacked(number) else GAP

    def _is_stacked(self, number) -> bool:
        """Whether a layer is drawn directly below the previous one, without a gap."""
        above, layer = self.layers[number - 1], self.layers[number]
        if len(above) != 1 or len(layer) != 1:
            return False
        upper, lower = above[0], layer[0]
        if not isinstance(upper, Box) or not isinstance(lower, Box):
            return False
        leaves = all(b.plan is None and not b.is_pill for b in (upper, lower))
        between = [e for e in self.edges if e.source is upper]
        return (
            leaves
            and upper.part.times == 1
            and is_attached(lower.part)
            and [e.target for e in between] == [lower]
            and len([e for e in self.edges if e.target is lower]) == 1
            and not lower.part.guessed
        )

    def _shifted(self, wires) -> Placement:
        boxes = [*self.boxes, *self.ins, *self.outs]
        left = min([b.x for b in boxes] + [x for w in wires for x, _ in w.points])
        right = max([b.x + b.width for b in boxes] + [x for w in wires for x, _ in w.points])
        for box in boxes:
            box.x -= left
        for wire in wires:
            wire.points = [(x - left, y) for x, y in wire.points]
            wire.dots = [(x - left, y) for x, y in dict.fromkeys(wire.dots)]
        return Placement(
            self.boxes,
            wires,
            right - left,
            self.height,
            [e.x for e in self.ins],
            [e.x for e in self.outs],
        )
