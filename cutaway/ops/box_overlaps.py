"""Overlaps of boxes as functions to differentiate: IoU, generalized IoU, complete IoU.

With the areas A, B of the boxes, I of their intersection, U = A + B - I of their union, and C of
the smallest box around both:

    IoU = I / U                  ∂IoU/∂I = 1/U + I/U², ∂IoU/∂A = ∂IoU/∂B = -I/U²
    GIoU = IoU - (C - U) / C     moves boxes together that do not overlap
    CIoU = IoU - d²/c² - α v     d: distance of the centers, c: diagonal of the box around both

Boxes x1 y1 x2 y2 pair by pair, of equal shapes. Where a side is 0 or negative the overlap is 0;
values and gradients are finite everywhere. All with all, without a gradient: `boxes.pairwise_iou`.
"""

import math

import jax.numpy as jnp
from jax import lax

from cutaway.boxes.overlap import (
    areas,
    common_sides,
    divided,
    enclosing_sides,
    sides_of,
)
from cutaway.engine.operation import operation
from cutaway.errors import ShapeError


def _expect_pairs(name, a, b):
    if a.shape != b.shape or a.shape[-1:] != (4,):
        raise ShapeError(
            f"{name}: boxes of shapes {a.shape} and {b.shape}",
            expected="equal shapes (..., 4), x1 y1 x2 y2",
            fix="for all pairs use cutaway.boxes.pairwise_iou",
        )


def _areas(a, b):
    """(I, U) of each pair."""
    both = jnp.prod(common_sides(a, b), axis=-1)
    return both, areas(a) + areas(b) - both


def _larger(a, b):
    """∂max(a, b)/∂a: 1 where a is larger, 1/2 where both are equal."""
    return (a > b) + 0.5 * (a == b)


def _to_area(box, grad):
    """The gradient of a box (..., 4) by that of its area (...)."""
    sides = sides_of(box)
    to_sides = grad[..., None] * sides[..., ::-1] * (sides > 0)
    return jnp.concatenate([-to_sides, to_sides], axis=-1)


def _to_common(a, b, grad):
    """The gradients of two boxes by that of the area of their intersection (...)."""
    sides = common_sides(a, b)
    to_sides = grad[..., None] * sides[..., ::-1] * (sides > 0)
    low, high = _larger(a[..., :2], b[..., :2]), _larger(b[..., 2:], a[..., 2:])
    to_a = jnp.concatenate([-to_sides * low, to_sides * high], axis=-1)
    to_b = jnp.concatenate([-to_sides * (1 - low), to_sides * (1 - high)], axis=-1)
    return to_a, to_b


def _to_enclosing(a, b, to_sides):
    """The gradients of two boxes by that of the sides (..., 2) of the box around both."""
    low, high = _larger(b[..., :2], a[..., :2]), _larger(a[..., 2:], b[..., 2:])
    to_a = jnp.concatenate([-to_sides * low, to_sides * high], axis=-1)
    to_b = jnp.concatenate([-to_sides * (1 - low), to_sides * (1 - high)], axis=-1)
    return to_a, to_b


def _to_boxes(a, b, to_common, to_union):
    """The gradients of two boxes by those of I and U, which is A + B - I."""
    to_a, to_b = _to_common(a, b, to_common - to_union)
    return to_a + _to_area(a, to_union), to_b + _to_area(b, to_union)


@operation
def box_iou(a, b):
    """Intersection over union of pairs of boxes, in [0, 1].

    Shapes:
        a, b: (..., 4) x1 y1 x2 y2
        out: (...)
    """
    _expect_pairs("box_iou", a, b)
    return divided(*_areas(a, b))


@box_iou.backward
def box_iou_backward(grad, out, a, b):
    # ∂(I/U)/∂I = 1/U, ∂(I/U)/∂U = -I/U²
    _, union = _areas(a, b)
    return _to_boxes(a, b, divided(grad, union), divided(-grad * out, union))


@operation
def generalized_box_iou(a, b):
    """IoU - (C - U) / C of pairs of boxes, in (-1, 1]. C: the smallest box around both.

    Shapes:
        a, b: (..., 4) x1 y1 x2 y2
        out: (...)

    References:
        Rezatofighi et al. 2019, "Generalized intersection over union", arXiv:1902.09630.
    """
    _expect_pairs("generalized_box_iou", a, b)
    both, union = _areas(a, b)
    around = jnp.prod(enclosing_sides(a, b), axis=-1)
    return divided(both, union) - divided(around - union, around)


@generalized_box_iou.backward
def generalized_box_iou_backward(grad, out, a, b):
    # I/U - 1 + U/C: ∂/∂U = -I/U² + 1/C, ∂/∂C = -U/C²
    both, union = _areas(a, b)
    sides = enclosing_sides(a, b)
    around = jnp.prod(sides, axis=-1)
    to_union = divided(grad, around) - divided(grad * divided(both, union), union)
    to_a, to_b = _to_boxes(a, b, divided(grad, union), to_union)
    to_around = -divided(grad * divided(union, around), around)
    more_a, more_b = _to_enclosing(a, b, to_around[..., None] * sides[..., ::-1])
    return to_a + more_a, to_b + more_b


def _angles(a, b):
    """atan(w/h) of b less that of a."""
    one, two = sides_of(a), sides_of(b)
    return jnp.arctan2(two[..., 0], two[..., 1]) - jnp.arctan2(one[..., 0], one[..., 1])


def _trade_off(v, iou):
    """α = v / (1 - IoU + v), which the paper keeps constant in the gradient."""
    return lax.stop_gradient(divided(v, 1 - iou + v))


def _distances(a, b):
    """(difference of the centers (..., 2), sides of the box around both, c²)."""
    sides = enclosing_sides(a, b)
    between = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return between, sides, jnp.sum(sides**2, axis=-1)


@operation
def complete_box_iou(a, b):
    """IoU - d²/c² - α v of pairs of boxes: also their distance and their aspect ratios count.

    d: distance of the centers; c: diagonal of the box around both; v = 4/π² (atan(w_b/h_b) -
    atan(w_a/h_a))²; α = v / (1 - IoU + v), a constant for the gradient.

    Shapes:
        a, b: (..., 4) x1 y1 x2 y2
        out: (...)

    References:
        Zheng et al. 2020, "Distance-IoU loss", arXiv:1911.08287, section 4.2.
    """
    _expect_pairs("complete_box_iou", a, b)
    iou = divided(*_areas(a, b))
    between, _, diagonal = _distances(a, b)
    v = 4 / math.pi**2 * _angles(a, b) ** 2
    return iou - divided(jnp.sum(between**2, axis=-1), diagonal) - _trade_off(v, iou) * v


@complete_box_iou.backward
def complete_box_iou_backward(grad, out, a, b):
    both, union = _areas(a, b)
    iou = divided(both, union)
    to_a, to_b = _to_boxes(a, b, divided(grad, union), divided(-grad * iou, union))
    # -d²/c²: ∂/∂(difference of the centers) = -2 d/c², ∂/∂(sides around) = 2 (d²/c⁴) sides
    between, sides, diagonal = _distances(a, b)
    to_between = -divided(grad[..., None] * between, diagonal[..., None])
    to_a += jnp.concatenate([to_between, to_between], axis=-1)
    to_b -= jnp.concatenate([to_between, to_between], axis=-1)
    ratio = divided(divided(jnp.sum(between**2, axis=-1), diagonal), diagonal)
    more_a, more_b = _to_enclosing(a, b, (2 * grad * ratio)[..., None] * sides)
    # -α v: ∂v/∂angle = 8/π² angle; ∂atan(w/h)/∂(w, h) = (h, -w) / (w² + h²)
    angle = _angles(a, b)
    v = 4 / math.pi**2 * angle**2
    to_angle = -grad * _trade_off(v, iou) * 8 / math.pi**2 * angle
    return to_a + more_a + _to_angle(a, -to_angle), to_b + more_b + _to_angle(b, to_angle)


def _to_angle(box, grad):
    """The gradient of a box by that of atan(w/h)."""
    sides = sides_of(box)
    square = jnp.sum(sides**2, axis=-1, keepdims=True)
    turned = jnp.stack([sides[..., 1], -sides[..., 0]], axis=-1)
    to_sides = divided(grad[..., None] * turned, square) * (sides > 0)
    return jnp.concatenate([-to_sides, to_sides], axis=-1)


class _Written:
    """The nodes of a pair of boxes in ONNX: corners, and arithmetic on them."""

    def __init__(self, g, a, b):
        self.g = g
        self.a, self.b = self.corners(a), self.corners(b)
        sides = [self.sides(box) for box in (self.a, self.b)]
        self.a_sides, self.b_sides = sides
        common = [
            self.positive(self.difference("Min", "Max", axis)) for axis in (0, 1)
        ]  # fmt: skip
        self.common = g.node("Mul", *common)
        of_both = g.node("Add", g.node("Mul", *sides[0]), g.node("Mul", *sides[1]))
        self.union = g.node("Sub", of_both, self.common)
        self.around = [self.difference("Max", "Min", axis) for axis in (0, 1)]
        self.iou = self.ratio(self.common, self.union)

    def corners(self, box):
        last = self.g.integers([-1])
        names = self.g.node("Split", box, outputs=4, axis=-1, num_outputs=4)
        return [self.g.node("Squeeze", name, last) for name in names]

    def sides(self, box):
        return [self.positive(self.g.node("Sub", box[k + 2], box[k])) for k in (0, 1)]

    def positive(self, value):
        return self.g.node("Max", value, self.number(0))

    def number(self, value):
        return self.g.constant(jnp.asarray(value, self.g.dtype))

    def difference(self, high, low, axis):
        """high of the far corners less low of the near ones."""
        far = self.g.node(high, self.a[axis + 2], self.b[axis + 2])
        return self.g.node("Sub", far, self.g.node(low, self.a[axis], self.b[axis]))

    def ratio(self, a, b):
        is_zero = self.g.node("Equal", b, self.number(0))
        safe = self.g.node("Where", is_zero, self.number(1), b)
        return self.g.node("Where", is_zero, self.number(0), self.g.node("Div", a, safe))

    def square(self, value):
        return self.g.node("Mul", value, value)

    def angle(self, sides):
        """atan(w/h), as π/2 less atan(h/w) where h < w, so that nothing divides by 0."""
        w, h = sides
        steep = self.g.node("Less", h, w)
        small = self.ratio(self.g.node("Min", w, h), self.g.node("Max", w, h))
        angle = self.g.node("Atan", small)
        rest = self.g.node("Sub", self.number(math.pi / 2), angle)
        return self.g.node("Where", steep, rest, angle)


@box_iou.onnx
def box_iou_onnx(g, a, b):
    return g.result(_Written(g, a, b).iou)


@generalized_box_iou.onnx
def generalized_box_iou_onnx(g, a, b):
    w = _Written(g, a, b)
    around = g.node("Mul", *w.around)
    return g.out("Sub", w.iou, w.ratio(g.node("Sub", around, w.union), around))


@complete_box_iou.onnx
def complete_box_iou_onnx(g, a, b):
    w = _Written(g, a, b)
    distance = []
    for k in (0, 1):
        one, two = (g.node("Add", box[k], box[k + 2]) for box in (w.a, w.b))
        distance.append(w.square(g.node("Sub", one, two)))
    diagonal = g.node("Add", *map(w.square, w.around))
    far = w.ratio(g.node("Mul", g.node("Add", *distance), w.number(0.25)), diagonal)
    turned = w.square(g.node("Sub", w.angle(w.b_sides), w.angle(w.a_sides)))
    v = g.node("Mul", turned, w.number(4 / math.pi**2))
    alpha = w.ratio(v, g.node("Add", g.node("Sub", w.number(1), w.iou), v))
    rest = g.node("Add", far, g.node("Mul", alpha, v))
    return g.out("Sub", w.iou, rest)
