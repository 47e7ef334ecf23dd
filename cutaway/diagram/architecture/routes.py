"""Edge routing between boxes whose horizontal positions are known.

An edge between adjacent layers bends in the gap between them, on a track of its source. An edge
that skips layers runs down a vertical lane, one for each source: straight below the source if
nothing is in the way, otherwise to the right of all boxes that it passes. So no line crosses a box.
"""

import dataclasses
import itertools
import typing

LANE, TRACK = 15, 9  # distance between lanes, between tracks
BEFORE_TRACKS, AFTER_TRACKS = 10, 14  # space above and below the tracks of a gap


@dataclasses.dataclass
class Wire:
    """The drawn line of an edge.

    Attributes:
        points: its corners.
        source, target: indices of the parts in the scope; INPUT for an input of the scope, the
            number of parts for an output.
        tip: whether it ends in an arrowhead.
        guessed: see Part.
        dots: where it branches off from another line.
    """

    points: list
    source: int
    target: int
    tip: bool
    guessed: bool
    dots: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Edge:
    """A connection from an output port of one box to an input port of another.

    Attributes:
        source, target: the boxes.
        source_port, target_port: indices in source.outs and target.ins.
        span: layers of the source and the target.
        indices: of the source and the target, as in Wire.
        tip, guessed: see Wire.
        lane: the _Lane of an edge that skips layers; None for others.
    """

    source: typing.Any
    source_port: int
    target: typing.Any
    target_port: int
    span: tuple
    indices: tuple
    tip: bool
    guessed: bool
    lane: typing.Any = None

    @property
    def is_long(self) -> bool:
        """Whether it skips layers."""
        return self.span[1] - self.span[0] > 1

    @property
    def start(self) -> float:
        """x at the source."""
        return self.source.x + self.source.outs[self.source_port]

    @property
    def end(self) -> float:
        """x at the target."""
        return self.target.x + self.target.ins[self.target_port]


@dataclasses.dataclass(eq=False)
class _Lane:
    """A vertical line shared by the long edges of one source, past layers `first` to `last`."""

    edges: list
    first: int
    last: int
    x: float = 0


class Routes:
    """The routes of all edges of a scope.

    Args:
        layers: lists of boxes, each from left to right.
        edges: list of Edge.
    """

    def __init__(self, layers, edges):
        self.layers = layers
        self.edges = edges
        self.tracks = [[] for _ in layers]  # in the gap above each layer
        self._set_lanes()
        self._set_tracks()

    def height(self, gap: int) -> float:
        """Height of the gap above a layer that its bends need; 0 if there are none."""
        count = len(self.tracks[gap])
        return BEFORE_TRACKS + TRACK * (count - 1) + AFTER_TRACKS if count else 0

    def wires(self, gap_top) -> list:
        """A Wire for each edge, once all boxes are placed.

        Args:
            gap_top: y at which the gap above each layer begins.
        """
        self.gap_top = gap_top
        wires = [self._wire(edge) for edge in self.edges]
        self._put_dots(wires)
        return wires

    def _set_lanes(self):
        lanes = {}
        for edge in self.edges:
            if edge.is_long:
                key = (id(edge.source), edge.source_port)
                lanes.setdefault(key, []).append(edge)
        self.lanes = []
        for edges in lanes.values():
            first = edges[0].span[0]
            lane = _Lane(edges, first, max(e.span[1] for e in edges))
            for edge in edges:
                edge.lane = lane
            self.lanes.append(lane)
        placed = []
        for lane in sorted(self.lanes, key=lambda n: (n.last - n.first, n.first)):
            inside = [b for layer in self.layers[lane.first + 1 : lane.last] for b in layer]
            beside = [n.x for n in placed if n.first < lane.last and lane.first < n.last]
            below = lane.edges[0].start
            if all(below < b.x - 8 or below > b.x + b.width + 8 for b in inside) and all(
                abs(below - x) > 8 for x in beside
            ):
                lane.x = below  # straight down, nothing is in the way
            else:
                ends = [self.layers[e.span[1]] for e in lane.edges if e.target.is_pill]
                boxes = inside + [b for layer in ends for b in layer]
                right = max((b.x + b.width for b in boxes), default=0)
                lane.x = max([right + LANE, *(x + LANE for x in beside)])
            placed.append(lane)

    def _enters_at_side(self, edge) -> bool:
        layer = self.layers[edge.span[1]]
        target = edge.target
        is_last = layer[-1] is target
        return target.is_pill and is_last and edge.lane.x > target.x + target.width

    def _set_tracks(self):
        """Assign bends to tracks: below its source, or above the target of a lane."""
        for owner, edges in self._by_source().items():
            xs = [edges[0].start, *(e.lane.x if e.lane else e.end for e in edges)]
            if max(xs) - min(xs) > 0.5:
                targets = {id(e.target) for e in edges}
                self._reserve(edges[0].span[0] + 1, min(xs), max(xs), owner, targets)
        for lane in self.lanes:
            for edge in lane.edges:
                x = edge.end
                if not self._enters_at_side(edge) and abs(x - lane.x) > 0.5:
                    gap = edge.span[1]
                    self._reserve(gap, min(x, lane.x), max(x, lane.x), (id(lane), id(edge)), {None})

    def _by_source(self):
        found = {}
        for edge in self.edges:
            found.setdefault((id(edge.source), edge.source_port), []).append(edge)
        return found

    def _reserve(self, gap, left, right, owner, targets):
        tracks = self.tracks[gap]
        for track in tracks:
            # bends on one track do not overlap; they may touch if they reach the same target
            if all(
                right + 5 < a or b + 5 < left
                or (targets == others and len(targets) == 1 and None not in targets
                    and (right <= a + 0.5 or b <= left + 0.5))
                for a, b, _, others in track
            ):  # fmt: skip
                track.append((left, right, owner, targets))
                return
        tracks.append([(left, right, owner, targets)])

    def _track_y(self, gap, owner) -> float:
        for k, track in enumerate(self.tracks[gap]):
            if any(other == owner for _, _, other, _ in track):
                return self.gap_top[gap] + BEFORE_TRACKS + TRACK * k
        raise KeyError(owner)

    def _wire(self, edge) -> Wire:
        source, target = edge.source, edge.target
        x, y = edge.start, source.y + source.height
        at, end = edge.end, target.y
        first, last = edge.span
        points = [(x, y)]
        if edge.lane is None:
            if abs(at - x) > 0.5:
                bend = self._track_y(last, (id(source), edge.source_port))
                points += [(x, bend), (at, bend)]
            points.append((at, end))
        else:
            if abs(edge.lane.x - x) > 0.5:
                bend = self._track_y(first + 1, (id(source), edge.source_port))
                points += [(x, bend), (edge.lane.x, bend)]
            if self._enters_at_side(edge):
                middle = target.y + target.height / 2
                points += [(edge.lane.x, middle), (target.x + target.width, middle)]
            else:
                if abs(edge.lane.x - at) > 0.5:
                    bend = self._track_y(last, (id(edge.lane), id(edge)))
                    points += [(edge.lane.x, bend), (at, bend)]
                points.append((at, end))
        source, target = edge.indices
        return Wire(points, source, target, edge.tip, edge.guessed)

    def _put_dots(self, wires):
        """Put a dot where lines of one source branch: one bends, another continues."""
        made = {id(edge): wire for edge, wire in zip(self.edges, wires, strict=True)}
        for edges in self._by_source().values():
            group = [made[id(edge)] for edge in edges]
            for wire, other in itertools.permutations(group, 2):
                for k in range(1, min(len(wire.points), len(other.points))):
                    if not _same(wire.points[k], other.points[k]):
                        # they branch at the last common corner, or where the shorter one ends
                        self._dot_between(wire, wire.points[k - 1], other.points[k], k)
                        break

    @staticmethod
    def _dot_between(wire, corner, other, k):
        own = wire.points[k]
        along = [axis for axis in (0, 1) if abs(own[1 - axis] - other[1 - axis]) < 0.5
                 and abs(own[1 - axis] - corner[1 - axis]) < 0.5]  # fmt: skip
        if along and (own[along[0]] - corner[along[0]]) * (other[along[0]] - corner[along[0]]) > 0:
            # both run in the same direction, one of them further
            corner = min(own, other, key=lambda p: abs(p[along[0]] - corner[along[0]]))
        wire.dots.append(corner)


def _same(a, b) -> bool:
    return abs(a[0] - b[0]) < 0.5 and abs(a[1] - b[1]) < 0.5
