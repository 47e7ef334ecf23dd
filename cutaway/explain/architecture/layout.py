"""Places: parts in layers from top to bottom, ways around them in lanes at the right.

A part's layer is the longest way to it. Joins of neighbouring layers bend in the gap between
them, each source on a track of its own; a join that passes a layer by leaves to the right into a
lane, one for each source, outside of all that it passes. So no line runs through a box, and two
lines that are not joined never lie on each other.
"""

import dataclasses
import itertools

from cutaway.explain.architecture.boxes import (
    Box,
    group_box,
    is_attached,
    leaf_box,
    readers,
)
from cutaway.explain.architecture.parts import INPUT, Scope

BESIDE, LANE, TRACK = 22, 15, 9  # between boxes, between lanes, between bends
GAP, BEFORE_TRACKS, AFTER_TRACKS = 20, 10, 14  # between layers


@dataclasses.dataclass
class Wire:
    """A line from a part to another.

    Attributes:
        points: its corners.
        source, target: indices of the parts in the scope; INPUT, or the number of parts for what
            leaves.
        tip: whether it ends in an arrow.
        guessed: see Part.
        dots: where it leaves a line that goes on.
    """

    points: list
    source: int
    target: int
    tip: bool
    guessed: bool
    dots: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Plan:
    """A scope with places; ins and outs are x of what comes and leaves."""

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
    """A place on the edge of the scope; stands in a layer like a box of no size."""

    x: float = 0
    y: float = 0
    height: float = 0
    width: float = 0
    anchor: float = 0
    is_pill: bool = False
    ins: list = dataclasses.field(default_factory=lambda: [0.0])
    outs: list = dataclasses.field(default_factory=lambda: [0.0])


@dataclasses.dataclass
class _Join:
    """From a joint of one box to one of another. lane: of a way past a layer."""

    source: object
    out: int
    target: object
    into: int
    numbers: tuple
    guessed: bool
    lane: object = None


@dataclasses.dataclass(eq=False)
class _Lane:
    """Where a source's line runs down at the right."""

    joins: list
    first: int
    last: int
    x: float = 0


def plan(scope: Scope) -> Plan:
    """Places for all parts of the scope, and for what is inside them."""
    return _Layout(scope).plan()


def box_of(part, read: dict) -> Box:
    """The box of a part, laid out inside.

    Args:
        read: {output number: how often it is read}.
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
        self.joins = self._all_joins()
        self.tracks = [[] for _ in self.layers]  # in the gap above layer k: (left, right, owners)

    def plan(self) -> Plan:
        self._widen_stacks()
        self._set_x()
        self._set_lanes()
        self._set_tracks()
        self._set_y()
        wires = [self._wire(join) for join in self.joins]
        self._put_dots(wires)
        return self._shifted(wires)

    # layers

    def _set_layers(self):
        parts, layer = self.scope.parts, []
        for part in parts:
            layer.append(1 + max((layer[s] if s >= 0 else 0 for s, _ in part.sources), default=0))
        last = max(layer, default=0) + 1
        for k in reversed(range(len(parts))):
            # what has no source, as a loose parameter, stands right above its first reader
            if not parts[k].sources:
                below = [layer[n] for n, p in enumerate(parts) if k in [s for s, _ in p.sources]]
                layer[k] = max(1, min(below, default=last) - 1)
        self.layer_of = {id(b): n for b, n in zip(self.boxes, layer, strict=True)}
        self.layer_of |= {id(e): 0 for e in self.ins} | {id(e): last for e in self.outs}
        self.layers = [[] for _ in range(last + 1)]
        for box in [*self.ins, *self.boxes, *self.outs]:
            self.layers[self.layer_of[id(box)]].append(box)

    def _all_joins(self):
        joins = []
        count = len(self.boxes)
        for number, (part, box) in enumerate(zip(self.scope.parts, self.boxes, strict=True)):
            for k, source in enumerate(part.sources):
                into = min(k, len(box.ins) - 1)
                joins.append(self._join(source, box, into, number, part.guessed))
        for k, source in enumerate(self.scope.outputs):
            joins.append(self._join(source, self.outs[k], 0, count, False))
        return joins

    def _join(self, source, target, into, number, guessed):
        index, port = source
        if index == INPUT:
            box, out = self.ins[min(port, len(self.ins) - 1)], 0
        else:
            box = self.boxes[index]
            out = min(port, len(box.outs) - 1)
        return _Join(box, out, target, into, (index, number), guessed)

    def _span(self, join):
        return self.layer_of[id(join.source)], self.layer_of[id(join.target)]

    def _is_long(self, join):
        first, last = self._span(join)
        return last - first > 1

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
                joins = [j for j in self.joins if j.target is box]
                near = [j for j in joins if not self._is_long(j)] or joins
                xs = [
                    j.source.x + j.source.outs[j.out] - (j.target.ins[j.into] - j.target.anchor)
                    for j in near
                ]
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
            # pushed apart evenly, so that a join of them comes back to the middle
            middle = sum(box.x + box.anchor for box in order) / len(order)
            aim = sum(wanted[id(box)] for box in order) / len(order)
            for box in order:
                box.x += aim - middle
        layer[:] = order

    def _set_lanes(self):
        lanes = {}
        for join in self.joins:
            if self._is_long(join):
                key = (id(join.source), join.out)
                lanes.setdefault(key, []).append(join)
        self.lanes = []
        for joins in lanes.values():
            first = self._span(joins[0])[0]
            lane = _Lane(joins, first, max(self._span(j)[1] for j in joins))
            for join in joins:
                join.lane = lane
            self.lanes.append(lane)
        placed = []
        for lane in sorted(self.lanes, key=lambda n: (n.last - n.first, n.first)):
            inside = [b for layer in self.layers[lane.first + 1 : lane.last] for b in layer]
            beside = [n.x for n in placed if n.first < lane.last and lane.first < n.last]
            source, out = lane.joins[0].source, lane.joins[0].out
            below = source.x + source.outs[out]
            if all(below < b.x - 8 or below > b.x + b.width + 8 for b in inside) and all(
                abs(below - x) > 8 for x in beside
            ):
                lane.x = below  # straight down, nothing is in the way
            else:
                ends = [self.layers[self._span(j)[1]] for j in lane.joins if j.target.is_pill]
                boxes = inside + [b for layer in ends for b in layer]
                right = max((b.x + b.width for b in boxes), default=0)
                lane.x = max([right + LANE, *(x + LANE for x in beside)])
            placed.append(lane)

    def _enters_at_side(self, join) -> bool:
        layer = self.layers[self._span(join)[1]]
        target = join.target
        is_last = layer[-1] is target
        return target.is_pill and is_last and join.lane.x > target.x + target.width

    # y

    def _set_tracks(self):
        """Bends in the gaps: those of a source in the gap below it, those out of a lane above
        their target."""
        for (box, out), joins in self._by_source():
            x = box.x + box.outs[out]
            xs = [x]
            for join in joins:
                xs.append(join.lane.x if join.lane else join.target.x + join.target.ins[join.into])
            if max(xs) - min(xs) > 0.5:
                targets = {id(j.target) for j in joins}
                self._take(self.layer_of[id(box)] + 1, min(xs), max(xs), (id(box), out), targets)
        for lane in self.lanes:
            for join in lane.joins:
                x = join.target.x + join.target.ins[join.into]
                if not self._enters_at_side(join) and abs(x - lane.x) > 0.5:
                    gap = self._span(join)[1]
                    self._take(gap, min(x, lane.x), max(x, lane.x), (id(lane), id(join)), {None})

    def _by_source(self):
        found = {}
        for join in self.joins:
            found.setdefault((id(join.source), join.out), []).append(join)
        return [((joins[0].source, joins[0].out), joins) for joins in found.values()]

    def _take(self, gap, left, right, owner, targets):
        tracks = self.tracks[gap]
        for track in tracks:
            # side by side on one track; they may touch where they reach the same target
            if all(
                right + 5 < a or b + 5 < left
                or (targets == goals and len(targets) == 1 and None not in targets
                    and (right <= a + 0.5 or b <= left + 0.5))
                for a, b, _, goals in track
            ):  # fmt: skip
                track.append((left, right, owner, targets))
                return
        tracks.append([(left, right, owner, targets)])

    def _track_y(self, gap, owner) -> float:
        for k, track in enumerate(self.tracks[gap]):
            if any(mine == owner for _, _, mine, _ in track):
                return self.gap_top[gap] + BEFORE_TRACKS + TRACK * k
        raise KeyError(owner)

    def _set_y(self):
        y, self.gap_top = 0.0, [0.0] * len(self.layers)
        for number, layer in enumerate(self.layers):
            self.gap_top[number] = y
            if number:
                y += self._gap(number)
            for box in layer:
                box.y = y
            y += max((box.height for box in layer), default=0)
        self.height = y

    def _gap(self, number) -> float:
        tracks = len(self.tracks[number])
        if not self.layers[number] or not self.layers[number - 1]:
            return 0
        if tracks:
            return BEFORE_TRACKS + TRACK * (tracks - 1) + AFTER_TRACKS
        return 0 if self._is_stacked(number) else GAP

    def _is_stacked(self, number) -> bool:
        """Whether a layer stands on the one before it without a gap."""
        above, layer = self.layers[number - 1], self.layers[number]
        if len(above) != 1 or len(layer) != 1:
            return False
        upper, lower = above[0], layer[0]
        if not isinstance(upper, Box) or not isinstance(lower, Box):
            return False
        leaves = all(b.plan is None and not b.is_pill for b in (upper, lower))
        between = [j for j in self.joins if j.source is upper]
        return (
            leaves
            and upper.part.times == 1
            and is_attached(lower.part)
            and [j.target for j in between] == [lower]
            and len([j for j in self.joins if j.target is lower]) == 1
            and not lower.part.guessed
        )

    # lines

    def _wire(self, join) -> Wire:
        source, target = join.source, join.target
        x, y = source.x + source.outs[join.out], source.y + source.height
        at, end = target.x + target.ins[join.into], target.y
        first, last = self._span(join)
        points = [(x, y)]
        if join.lane is None:
            if abs(at - x) > 0.5:
                bend = self._track_y(last, (id(source), join.out))
                points += [(x, bend), (at, bend)]
            points.append((at, end))
        else:
            if abs(join.lane.x - x) > 0.5:
                bend = self._track_y(first + 1, (id(source), join.out))
                points += [(x, bend), (join.lane.x, bend)]
            if self._enters_at_side(join):
                middle = target.y + target.height / 2
                points += [(join.lane.x, middle), (target.x + target.width, middle)]
            else:
                if abs(join.lane.x - at) > 0.5:
                    bend = self._track_y(last, (id(join.lane), id(join)))
                    points += [(join.lane.x, bend), (at, bend)]
                points.append((at, end))
        return Wire(points, *join.numbers, isinstance(target, Box), join.guessed)

    def _put_dots(self, wires):
        """A dot where lines of one source part: where one bends and another goes on."""
        groups = {}
        for join, wire in zip(self.joins, wires, strict=True):
            groups.setdefault((id(join.source), join.out), []).append(wire)
        for group in groups.values():
            for wire, other in itertools.permutations(group, 2):
                for k in range(1, min(len(wire.points), len(other.points))):
                    if wire.points[k] != other.points[k]:
                        # they part at the last corner in common, or where the shorter one ends
                        self._dot_between(wire, wire.points[k - 1], other.points, k)
                        break

    @staticmethod
    def _dot_between(wire, corner, others, k):
        mine = wire.points[k]
        his = others[k]
        same_line = (mine[0] == corner[0] == his[0]) or (mine[1] == corner[1] == his[1])
        if not same_line:
            wire.dots.append(corner)
            return
        nearer = min(mine, his, key=lambda p: abs(p[0] - corner[0]) + abs(p[1] - corner[1]))
        one_way = (mine[0] - corner[0]) * (his[0] - corner[0]) > 0 or (mine[1] - corner[1]) * (
            his[1] - corner[1]
        ) > 0
        wire.dots.append(nearer if one_way else corner)

    def _shifted(self, wires) -> Plan:
        boxes = [*self.boxes, *self.ins, *self.outs]
        left = min([b.x for b in boxes] + [x for w in wires for x, _ in w.points])
        right = max([b.x + b.width for b in boxes] + [x for w in wires for x, _ in w.points])
        for box in boxes:
            box.x -= left
        for wire in wires:
            wire.points = [(x - left, y) for x, y in wire.points]
            wire.dots = [(x - left, y) for x, y in dict.fromkeys(wire.dots)]
        return Plan(
            self.boxes,
            wires,
            right - left,
            self.height,
            [e.x for e in self.ins],
            [e.x for e in self.outs],
        )
