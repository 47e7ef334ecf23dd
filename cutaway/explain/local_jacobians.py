"""Local Jacobians: the edges between the elements of a node and of its sources, with factors.

An edge goes from an element of a source to an element of the node; its factor is the local
derivative ∂(element of the node)/∂(element of the source), taken from the operation's own rule.
Operations differ only in which edges exist: one per element for elementwise functions, a row and a
column for matrix products, a window for convolutions. That is a trait of the operation
(engine/traits.py). For operations with edges="any", all derivatives are computed, by pulling back a
gradient of 1 from each element.

Each class has two methods:
    propagate(values, semiring)  values at the sources' elements -> values at the node's elements
    row(element)                 the edges into it: [(index of the source, elements, factors)]
Elements are indices of the flattened array.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine import float64
from cutaway.errors import GradientError
from cutaway.explain.graph import Node
from cutaway.ops.windows import padding_pairs, per_axis

LARGEST = 40_000_000  # factors of one operation, 8 bytes each


def local_jacobian_of(node: Node):
    """The local Jacobian of a node, chosen by the traits of its operation."""
    assert node.record is not None
    edges, options = node.record.operation.traits.edges, node.record.options
    if len(node.record.outs) > 1 and edges not in ("elementwise", "movement", "rowwise"):
        edges = "any"
    with float64():
        if edges == "elementwise":
            return Elementwise(node)
        if edges == "movement":
            return Movement(node)
        if edges == "product":
            return Product(node)
        if edges == "convolution":
            return Convolution(node)
        if edges == "reduction":
            return Gathering(node, [_reduction_owner(node)])
        if edges == "pool":
            return Gathering(node, _pool_owners(node))
        if edges == "rowwise" and options.get("axis", -1) in (-1, len(node.shape) - 1):
            return Rowwise(node)
        return Dense(node)


def _pull(node, grad):
    """Gradients of a node's inputs for a gradient of the node; None where there is no source."""
    found = node.pullback(grad)
    return [g if s is not None else None for g, s in zip(found, node.sources, strict=True)]


class Elementwise:
    """One edge from each element of a source to each element that it is broadcast to."""

    def __init__(self, node):
        record, shape = node.record, node.shape
        arrays = tuple(
            jnp.broadcast_to(a, shape) if hasattr(a, "shape") else a for a in record.arrays
        )
        saved = (record.saved,) if record.operation.saves else ()
        grad = node.alone(jnp.ones(shape))
        grads = record.operation.rule(grad, record.out, *saved, *arrays, **record.options)
        grads = grads if isinstance(grads, tuple) else (grads,)
        self.shape = shape
        self.factors = [
            None if s is None or g is None else np.broadcast_to(np.asarray(g), shape)
            for g, s in zip(grads, node.sources, strict=True)
        ]
        self.inputs = [None if s is None else s.shape for s in node.sources]

    def propagate(self, values, semiring):
        total = np.zeros(self.shape)
        for factor, value in zip(self.factors, values, strict=True):
            if factor is not None and value is not None:
                total = semiring.add(total, semiring.weight(factor, 1.0) * value)
        return total

    def row(self, element):
        place = np.unravel_index(element, self.shape)
        edges = []
        for k, (factor, shape) in enumerate(zip(self.factors, self.inputs, strict=True)):
            if factor is None or shape is None:
                continue
            own = place[len(place) - len(shape) :]
            own = tuple(0 if n == 1 else i for i, n in zip(own, shape, strict=True))
            index = np.ravel_multi_index(own, shape) if shape else 0
            edges.append((k, np.array([index]), np.array([factor[place]])))
        return edges


class Movement:
    """Elements that are moved unchanged; running the operation on indices shows their origins."""

    def __init__(self, node):
        record = node.record
        self.sizes = [0 if s is None else s.value.size for s in node.sources]
        arrays, start = [], 1  # 0: an element that came from no source
        self.starts = []
        for array, source in zip(record.arrays, node.sources, strict=True):
            self.starts.append(start)
            if source is not None:
                array = jnp.arange(start, start + array.size).reshape(array.shape)
                start += array.size
            elif not record.operation.input_names:  # a constant among variadic inputs
                array = jnp.zeros(array.shape, int)
            arrays.append(array)
        options = dict(record.options)
        if "value" in options:
            options["value"] = 0
        moved = record.operation.forward(*arrays, **options)
        moved = moved[node.output] if isinstance(moved, tuple) else moved
        self.origin = np.asarray(moved).astype(np.int64)

    def propagate(self, values, semiring):
        flat = [
            np.zeros(size) if value is None else value.ravel()
            for value, size in zip(values, self.sizes, strict=True)
        ]
        return np.concatenate([np.zeros(1), *flat])[self.origin]

    def row(self, element):
        origin = self.origin.ravel()[element]
        for k, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            if start <= origin < start + size:
                return [(k, np.array([origin - start]), np.ones(1))]
        return []


class _Products:
    """Sums of products: out[g, n, p] = Σ_m a[g, n, m] b[g, m, p], with indices of a and b.

    a_index and b_index return the index of each factor in its source; -1: none (padding).
    """

    def __init__(self, a, b, a_index, b_index):
        self.a, self.b, self.a_index, self.b_index = a, b, a_index, b_index

    def propagate(self, values, semiring):
        total = None
        for k, value in enumerate(values):
            if value is None:
                continue
            index = (self.a_index, self.b_index)[k]()
            value = np.where(index >= 0, value.ravel()[np.maximum(index, 0)], 0.0)
            if k == 0:
                part = semiring.weighted_product(value, self.b)
            else:
                exists = (self.a_index() >= 0).astype(float)
                part = semiring.product(semiring.weight(self.a, exists), value)
            total = part if total is None else semiring.add(total, part)
        assert total is not None  # a node has at least one source
        return total

    def row(self, g, n, p):
        a_index, b_index = self.a_index()[g, n], self.b_index()[g, :, p]
        inside = a_index >= 0
        return [
            (0, a_index[inside], self.b[g, :, p][inside]),
            (1, b_index[inside], self.a[g, n][inside]),
        ]

    def terms(self, g, n, p):
        """The products that are added up: for each source (elements, values), side by side."""
        a_index, b_index = self.a_index()[g, n], self.b_index()[g, :, p]
        inside = a_index >= 0
        return [
            (a_index[inside], self.a[g, n][inside]),
            (b_index[inside], self.b[g, :, p][inside]),
        ]

    def partner(self, g, n, p, k, element):
        """(source, element) of what an element of source k is multiplied by."""
        a_index, b_index = self.a_index()[g, n], self.b_index()[g, :, p]
        m = int(np.flatnonzero((a_index, b_index)[k] == element)[0])
        return 1 - k, int((b_index, a_index)[k][m])


class Product:
    """Matrix product: an element has the edges of a row and of a column."""

    def __init__(self, node):
        a, b = (np.asarray(array) for array in node.record.arrays)
        rows = a if a.ndim > 1 else a[None]  # (..., n, m)
        columns = b if b.ndim > 1 else b[:, None]  # (..., m, p)
        lead = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
        self.grid = (math.prod(lead), rows.shape[-2], columns.shape[-1])

        def expanded(array):
            whole = np.broadcast_to(array, (*lead, *array.shape[-2:]))
            return whole.reshape(-1, *array.shape[-2:])

        def index_of(array):
            return lambda: expanded(np.arange(array.size).reshape(array.shape))

        self.inner = _Products(expanded(rows), expanded(columns), index_of(rows), index_of(columns))
        self.shape = node.shape
        self.has_source = [s is not None for s in node.sources]

    def propagate(self, values, semiring):
        return self.inner.propagate(values, semiring).reshape(self.shape)

    def row(self, element):
        g, n, p = np.unravel_index(element, self.grid)
        return [edge for edge in self.inner.row(g, n, p) if self.has_source[edge[0]]]

    def partner(self, element, k, source_element):
        """(source, element) of what an element of source k is multiplied by on its way here."""
        g, n, p = np.unravel_index(element, self.grid)
        return self.inner.partner(g, n, p, k, source_element)

    def terms(self, element):
        """The products that are added up: for each source (elements, values), side by side."""
        g, n, p = np.unravel_index(element, self.grid)
        return self.inner.terms(g, n, p)


class Convolution:
    """A matrix product of windows and kernels, group by group."""

    def __init__(self, node):
        x, w = (np.asarray(array) for array in node.record.arrays)
        axes, options = w.ndim - 2, node.record.options
        self.kernel = w.shape[:-2]
        self.stride = per_axis(options.get("stride", 1), axes, what="stride")
        self.dilation = per_axis(options.get("dilation", 1), axes, what="dilation")
        self.pairs = padding_pairs(
            options.get("padding", ((0, 0),)), x.shape[1:-1], self.kernel, self.stride,
            self.dilation,
        )  # fmt: skip
        self.groups = options.get("groups", 1)
        self.shape = node.shape
        self.has_source = [s is not None for s in node.sources]
        *_, fan, out = w.shape
        taps = math.prod(self.kernel)
        self.each = out // self.groups
        numbers = np.arange(w.size).reshape(taps * fan, self.groups, self.each)
        b = w.reshape(taps * fan, self.groups, self.each).transpose(1, 0, 2)
        self.grid = (self.groups, math.prod(node.shape[:-1]), self.each)
        self.inner = _Products(
            self._windows(x, 0.0),
            b,
            lambda: self._windows(np.arange(x.size).reshape(x.shape), -1),
            lambda: numbers.transpose(1, 0, 2),
        )

    def _windows(self, x, fill):
        """(groups, batch · positions, taps · channels of a group), `fill` in the padding."""
        before = [max(lo, 0) for lo, _ in self.pairs]
        after = [max(hi, 0) for _, hi in self.pairs]
        widths = ((0, 0), *zip(before, after, strict=True), (0, 0))
        x = np.pad(x, widths, constant_values=fill)
        out = self.shape[1:-1]
        parts = []
        for tap in np.ndindex(*self.kernel):
            cut = tuple(
                slice(t * d, t * d + (o - 1) * s + 1, s)
                for t, d, s, o in zip(tap, self.dilation, self.stride, out, strict=True)
            )
            part = x[(slice(None), *cut)]
            parts.append(part.reshape(-1, self.groups, x.shape[-1] // self.groups))
        stacked = np.stack(parts, axis=1)  # (n, taps, groups, fan)
        n, taps, groups, fan = stacked.shape
        return stacked.transpose(2, 0, 1, 3).reshape(groups, n, taps * fan)

    def propagate(self, values, semiring):
        out = self.inner.propagate(values, semiring)  # (groups, n, out of a group)
        return out.transpose(1, 0, 2).reshape(self.shape)

    def row(self, element):
        return [e for e in self.inner.row(*self._at(element)) if self.has_source[e[0]]]

    def partner(self, element, k, source_element):
        """(source, element) of what an element of source k is multiplied by on its way here."""
        return self.inner.partner(*self._at(element), k, source_element)

    def terms(self, element):
        """The products that are added up: for each source (elements, values), side by side."""
        return self.inner.terms(*self._at(element))

    def _at(self, element):
        n, channel = divmod(element, self.shape[-1])
        return channel // self.each, n, channel % self.each


class Gathering:
    """Sums, means and pools: an element of the source has at most one edge.

    Overlapping windows are split into several rounds, in each of which windows do not overlap.

    Args:
        owners: for each round, the element of the node that each element of the source has its
            edge to; -1 for none.
    """

    def __init__(self, node, owners):
        self.shape = node.shape
        size = node.value.size
        self.rounds = []
        for owner in owners:
            flowing = np.zeros(size)
            flowing[owner[owner >= 0]] = 1
            factor = np.asarray(_pull(node, jnp.asarray(flowing.reshape(node.shape)))[0]).ravel()
            inputs = np.flatnonzero((owner >= 0) & (factor != 0))
            self.rounds.append((inputs, owner[inputs], factor[inputs]))

    def propagate(self, values, semiring):
        size = math.prod(self.shape)
        total = np.zeros(size)
        for inputs, owner, factor in self.rounds:
            flowing = semiring.weight(factor, np.ones_like(factor)) * values[0].ravel()[inputs]
            total = semiring.add(total, semiring.collect(flowing, owner, size))
        return total.reshape(self.shape)

    def row(self, element):
        found = [
            (inputs[owner == element], factor[owner == element])
            for inputs, owner, factor in self.rounds
        ]
        return [(0, np.concatenate([i for i, _ in found]), np.concatenate([f for _, f in found]))]


def _reduction_owner(node):
    x, axis = node.sources[0], node.record.options.get("axis")
    axes = range(x.value.ndim) if axis is None else np.atleast_1d(axis)
    axes = {int(k) % x.value.ndim for k in axes}
    kept = [1 if k in axes else n for k, n in enumerate(x.shape)]
    owner = np.arange(node.value.size).reshape(kept)
    return np.broadcast_to(owner, x.shape).ravel()


def _pool_owners(node):
    x, options = node.sources[0], node.record.options
    axes = x.value.ndim - 2
    kernel = per_axis(options["kernel_size"], axes, what="kernel_size")
    stride = options.get("stride")
    stride = kernel if stride is None else per_axis(stride, axes, what="stride")
    padding = per_axis(options.get("padding", 0), axes, what="padding", least=0)
    rounds = [-(-k // s) for k, s in zip(kernel, stride, strict=True)]
    batch, channels = x.shape[0], x.shape[-1]
    numbers = np.arange(node.value.size).reshape(node.shape)
    for turn in np.ndindex(*rounds):
        along = []
        for size, out, k, s, p, r, t in zip(
            x.shape[1:-1], node.shape[1:-1], kernel, stride, padding, rounds, turn, strict=True
        ):
            owner = np.full(size, -1)
            for o in range(t, out, r):
                owner[max(0, o * s - p) : max(0, o * s - p + k)] = o
            along.append(owner)
        grids = np.meshgrid(np.arange(batch), *along, np.arange(channels), indexing="ij")
        inside = np.all([g >= 0 for g in grids], axis=0)
        yield np.where(inside, numbers[tuple(np.maximum(g, 0) for g in grids)], -1).ravel()


class Rowwise:
    """Functions of the last axis: softmax, layer norm without its parameters."""

    def __init__(self, node):
        shape, d = node.shape, node.shape[-1]
        if node.value.size * d > LARGEST:
            raise _too_large(node, node.value.size * d)

        def column(k):
            (grad, *_) = _pull(node, jnp.zeros(shape).at[..., k].set(1.0))
            assert grad is not None
            return grad.reshape(-1, d)

        factors = jax.lax.map(column, jnp.arange(d))  # (of out, rows, of x)
        self.factors = np.asarray(factors).transpose(1, 2, 0)  # (rows, of x, of out)
        self.shape = shape

    def propagate(self, values, semiring):
        rows = values[0].reshape(-1, 1, self.shape[-1])
        structure = (self.factors != 0).astype(float)
        return semiring.weighted_product(rows, self.factors, structure).reshape(self.shape)

    def row(self, element):
        r, c = divmod(element, self.shape[-1])
        factors = self.factors[r, :, c]
        read = np.flatnonzero(factors)
        return [(0, r * self.shape[-1] + read, factors[read])]


class Dense:
    """Any operation: pulls back a gradient of 1 from each element of its result."""

    def __init__(self, node):
        size = node.value.size
        present = [k for k, s in enumerate(node.sources) if s is not None]
        needed = size * sum(node.sources[k].value.size for k in present)
        if needed > LARGEST:
            raise _too_large(node, needed)

        def row_of(element):
            grad = jnp.zeros(size).at[element].set(1.0).reshape(node.shape)
            found = _pull(node, grad)
            return [None if (g := found[k]) is None else g.ravel() for k in present]

        found = jax.lax.map(row_of, jnp.arange(size))
        self.factors = {  # (of out, of the source)
            k: np.asarray(f) for k, f in zip(present, found, strict=True) if f is not None
        }
        self.shape = node.shape

    def propagate(self, values, semiring):
        total = np.zeros(math.prod(self.shape))
        for k, factor in self.factors.items():
            if values[k] is not None:
                structure = (factor != 0).astype(float)
                row = values[k].reshape(1, -1)
                flowing = semiring.weighted_product(row, factor.T, structure.T)
                total = semiring.add(total, flowing.ravel())
        return total.reshape(self.shape)

    def row(self, element):
        return [
            (k, np.flatnonzero(f[element]), f[element][f[element] != 0])
            for k, f in self.factors.items()
        ]


def _too_large(node, needed):
    where = f" in {node.module!r}" if node.module else ""
    return GradientError(
        f"the operation {node.name!r}{where} has {needed:,} local derivatives here",
        expected=f"at most {LARGEST:,}, since its edges have no structure that Cutaway could use",
        fix="explain a smaller input, or fewer rows",
    )
