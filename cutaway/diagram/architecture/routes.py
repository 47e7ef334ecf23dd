"""Lines between boxes that have their places from left to right.

Joins of neighboring layers bend in the gap between them, each source on a track of its own; a
join that passes a layer by runs down in a lane, one for each source: straight, if nothing is in
the way, or else at the right of all that it passes. So no line runs through a box.
"""

import dataclasses
import itertools
import typing

LANE, TRACK = 15, 9  # between lanes, between bends
BEFORE_TRACKS, AFTER_TRACKS = 10, 14  # above and below the bends of a gap


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
class Join:
    """From a joint of one box to one of another.

    Attributes:
        source, out, target, into: the boxes, and which of their joints.
        span: layers of the source and the target.
        numbers: their indices, see Wire.
        tip: whether it ends in an arrow.
        guessed: see Part.
        lane: of a way past a layer.
    """

    source: typing.Any
    out: int
    target: typing.Any
    into: int
    span: tuple
    numbers: tuple
    tip: bool
    guessed: bool
    lane: typing.Any = None

    @property
    def is_long(self) -> bool:
        return self.span[1] - self.span[0] > 1

    @property
    def start(self) -> float:
        """x of where it leaves."""
        return self.source.x + self.source.outs[self.out]

    @property
    def end(self) -> float:
        """x of where it arrives."""
        return self.target.x + self.target.ins[self.into]


@dataclasses.dataclass(eq=False)
class _Lane:
    """Where a source's line runs down at the right."""

    joins: list
    first: int
    last: int
    x: float = 0


class Routes:
    """Ways of all joins of a scope.

    Args:
        layers: lists of boxes, each from left to right.
        joins: list of Join.
    """

    def __init__(self, layers, joins):
        self.layers = layers
        self.joins = joins
        self.tracks = [[] for _ in layers]  # in the gap above each layer
        self._set_lanes()
        self._set_tracks()

    def height(self, gap: int) -> float:
        """What the bends above a layer need, 0 if there are none."""
        count = len(self.tracks[gap])
        return BEFORE_TRACKS + TRACK * (count - 1) + AFTER_TRACKS if count else 0

    def wires(self, gap_top) -> list:
        """A Wire for each join, when all boxes have their places.

        Args:
            gap_top: y of the gap above each layer.
        """
        self.gap_top = gap_top
        wires = [self._wire(join) for join in self.joins]
        self._put_dots(wires)
        return wires

    def _set_lanes(self):
        lanes = {}
        for join in self.joins:
            if join.is_long:
                key = (id(join.source), join.out)
                lanes.setdefault(key, []).append(join)
        self.lanes = []
        for joins in lanes.values():
            first = joins[0].span[0]
            lane = _Lane(joins, first, max(j.span[1] for j in joins))
            for join in joins:
                join.lane = lane
            self.lanes.append(lane)
        placed = []
        for lane in sorted(self.lanes, key=lambda n: (n.last - n.first, n.first)):
            inside = [b for layer in self.layers[lane.first + 1 : lane.last] for b in layer]
            beside = [n.x for n in placed if n.first < lane.last and lane.first < n.last]
            below = lane.joins[0].start
            if all(below < b.x - 8 or below > b.x + b.width + 8 for b in inside) and all(
                abs(below - x) > 8 for x in beside
            ):
                lane.x = below  # straight down, nothing is in the way
            else:
                ends = [self.layers[j.span[1]] for j in lane.joins if j.target.is_pill]
                boxes = inside + [b for layer in ends for b in layer]
                right = max((b.x + b.width for b in boxes), default=0)
                lane.x = max([right + LANE, *(x + LANE for x in beside)])
            placed.append(lane)

    def _enters_at_side(self, join) -> bool:
        layer = self.layers[join.span[1]]
        target = join.target
        is_last = layer[-1] is target
        return target.is_pill and is_last and join.lane.x > target.x + target.width

    def _set_tracks(self):
        """Bends in the gaps: those of a source in the gap below it, those out of a lane above
        their target."""
        for owner, joins in self._by_source().items():
            xs = [joins[0].start, *(j.lane.x if j.lane else j.end for j in joins)]
            if max(xs) - min(xs) > 0.5:
                targets = {id(j.target) for j in joins}
                self._take(joins[0].span[0] + 1, min(xs), max(xs), owner, targets)
        for lane in self.lanes:
            for join in lane.joins:
                x = join.end
                if not self._enters_at_side(join) and abs(x - lane.x) > 0.5:
                    gap = join.span[1]
                    self._take(gap, min(x, lane.x), max(x, lane.x), (id(lane), id(join)), {None})

    def _by_source(self):
        found = {}
        for join in self.joins:
            found.setdefault((id(join.source), join.out), []).append(join)
        return found

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

    def _wire(self, join) -> Wire:
        source, target = join.source, join.target
        x, y = join.start, source.y + source.height
        at, end = join.end, target.y
        first, last = join.span
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
        source, target = join.numbers
        return Wire(points, source, target, join.tip, join.guessed)

    def _put_dots(self, wires):
        """A dot where lines of one source part: where one bends and another goes on."""
        made = {id(join): wire for join, wire in zip(self.joins, wires, strict=True)}
        for joins in self._by_source().values():
            group = [made[id(join)] for join in joins]
            for wire, other in itertools.permutations(group, 2):
                for k in range(1, min(len(wire.points), len(other.points))):
                    if not _same(wire.points[k], other.points[k]):
                        # they part at the last corner in common, or where the shorter one ends
                        self._dot_between(wire, wire.points[k - 1], other.points[k], k)
                        break

    @staticmethod
    def _dot_between(wire, corner, his, k):
        mine = wire.points[k]
        along = [axis for axis in (0, 1) if abs(mine[1 - axis] - his[1 - axis]) < 0.5
                 and abs(mine[1 - axis] - corner[1 - axis]) < 0.5]  # fmt: skip
        if along and (mine[along[0]] - corner[along[0]]) * (his[along[0]] - corner[along[0]]) > 0:
            # the same way, one of them further
            corner = min(mine, his, key=lambda p: abs(p[along[0]] - corner[along[0]]))
        wire.dots.append(corner)


def _same(a, b) -> bool:
    return abs(a[0] - b[0]) < 0.5 and abs(a[1] - b[1]) < 0.5
