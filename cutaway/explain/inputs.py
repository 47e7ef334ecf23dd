"""The inputs of a network: numbers, and integers that Embeddings turn into vectors.

An output can be differentiated with respect to the vector of an integer, not the integer itself.
So the differentiable parts of an input are the numbers that no Embedding reads, and the vectors
that Embeddings return. To find the elements that an Embedding reads, the network runs once on the
positions of the elements instead of their values. Several inputs are treated as one row: their
elements are numbered one input after the other.
"""

import itertools

import jax
import numpy as np

from cutaway.engine import Tensor, gradients
from cutaway.errors import GradientError, OptionError, ShapeError
from cutaway.explain.batching import as_numbers, expect_output, expect_outputs, run_as_batch
from cutaway.explain.examples import as_tree, by_leaf
from cutaway.explain.layerwise import expect_finite, plain_forward, replaced, target_indices
from cutaway.nn import Embedding, jit
from cutaway.nn.state import wrap
from cutaway.nn.trees import call, is_array, leaves, map_leaves, named_leaves

ROWS, NUMBERS = 4096, 2**18  # rows, and numbers of the input, that are run at once


class Inputs:
    """A batch of inputs, with the vectors of its embeddings. For use inside `frozen(net)`.

    Attributes:
        x: (batch, ...) float64; int64 if all elements are read by Embeddings; of several inputs a
            tree of such arrays. Masks among them, arrays of booleans, stay as they are.
        one: whether x was given without its batch axis.
        slices: {keys of an input: the places of its elements in the row of all elements}.
        parts: arrays (batch, ...) with respect to which outputs are differentiated: the numbers of
            each input unless all its elements are embedded, then the vectors of each call of an
            Embedding.
        sources: for each part the places of the elements that it reads.
        embedded: (elements of a row,) whether an Embedding reads the element.
        padding: (batch, elements of a row) whether the element is padding.
        outputs: (batch, outputs of a row) of the chosen output.
        axes: shape of the outputs of a row.
        output_keys: of the chosen output, () if the network has one.
    """

    def __init__(self, net, x, output=None):
        self.net = net
        x = as_tree(x)
        x = map_leaves(lambda leaf: as_numbers(leaf, mask=not is_array(x)), x)
        for leaf in leaves(x):
            if 0 in leaf.shape:
                raise ShapeError(
                    f"the input has shape {leaf.shape}: it is empty", expected="at least one input"
                )
        self._layers = [m for m in net.modules().values() if isinstance(m, Embedding)]
        calls = []

        def run_and_keep(x):
            calls.clear()
            with replaced(dict.fromkeys(self._layers, _kept_by(calls))):
                return call(net, map_leaves(Tensor, x))

        if self._layers:
            out, self.x, self.one = run_as_batch(net, x, run_and_keep)
        else:
            out, self.x, self.one = _run_on_numbers(net, x)
        self.rows = len(leaves(self.x)[0])
        self.output_keys = expect_output(out, output, self.rows)
        out = expect_outputs(named_leaves(out).get(self.output_keys, out))
        if len(out) != self.rows:
            shapes = " and ".join(str(leaf.shape) for leaf in leaves(x))
            raise ShapeError(
                f"the input has shape {shapes}, the output {out.shape}",
                expected=f"an output for each of the {self.rows} rows",
                fix="for one input of several axes add the batch axis: x[None]",
            )
        expect_finite(net, self.x, out)
        self.axes = out.shape[1:]
        self.outputs = out.numpy().reshape(len(out), -1)
        self._run = _compiled(self._output, net)
        self._run_back = _compiled(self._gradients, net)
        self._find_sources(calls)

    def _find_sources(self, calls):
        found = named_leaves(self.x)
        sizes = [int(np.prod(leaf.shape[1:])) for leaf in found.values()]
        ends = itertools.accumulate(sizes)
        self.slices = {
            keys: slice(end - size, end) for keys, size, end in zip(found, sizes, ends, strict=True)
        }
        rows = self._row(self.x)
        count = rows.shape[1]
        self.embedded = np.zeros(count, bool)
        self.padding = np.zeros(rows.shape, bool)
        vectors_of_calls, sources_of_calls = [], []
        self._calls = []  # index of the part of each call of an Embedding; None: reads no x
        self._readers = []  # (layer, type of what it reads)
        for layer, read, vectors, source in zip(*self._sources_of_calls(calls), strict=True):
            if source is None:
                self._calls.append(None)
                continue
            inside = source.min() >= 0 and source.max() < count and len(read) == len(rows)
            if not inside or not np.array_equal(rows[:, source.ravel()].reshape(read.shape), read):
                raise OptionError(
                    f"{type(layer).__name__} of shape {layer.weight.shape} reads values that "
                    "are not elements of the input",
                    expected="integers that the network passes on unchanged",
                    fix="explain the part of the network after this layer",
                )
            self._calls.append(len(vectors_of_calls))
            self._readers.append((layer, read.dtype))
            vectors_of_calls.append(vectors)
            sources_of_calls.append(source)
            self.embedded[source.ravel()] = True
            if layer.padding_index is not None:
                self.padding[:, source.ravel()] |= (
                    read.reshape(len(rows), -1) == layer.padding_index
                )
        self._set_parts(found, vectors_of_calls, sources_of_calls)

    def _set_parts(self, found, vectors, sources):
        self._numbered = [
            keys
            for keys, leaf in found.items()
            if leaf.dtype != bool and not self.embedded[self.slices[keys]].all()
        ]
        numbers = {keys: found[keys].astype(np.float64) for keys in self._numbered}
        self.x = _with_leaves(self.x, numbers)
        self.parts = [*numbers.values(), *vectors]
        places = np.arange(len(self.embedded))
        self.sources = [
            *(places[self.slices[keys]].reshape(found[keys].shape[1:]) for keys in numbers),
            *sources,
        ]
        first = len(numbers)
        self._calls = [None if k is None else first + k for k in self._calls]

    def _row(self, x) -> np.ndarray:
        """(batch, elements of a row) of all inputs, one after the other."""
        return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves(x)], axis=1)

    def _sources_of_calls(self, calls):
        layers = [layer for layer, _, _ in calls]
        reads = [read for _, read, _ in calls]
        vectors = [vectors for _, _, vectors in calls]
        if not calls:
            return layers, reads, vectors, []
        # numbers that do not occur in x, to distinguish elements of x from constants
        first = int(max(np.abs(leaf).max() for leaf in leaves(self.x))) + 1
        starts = iter([part.start for part in self.slices.values()])

        def positions(leaf):
            start = first + next(starts)
            if leaf.dtype == bool:
                return Tensor(leaf)
            shape = leaf.shape[1:]
            own = start + np.arange(int(np.prod(shape))).reshape(shape)
            return Tensor(np.broadcast_to(own, leaf.shape).astype(leaf.dtype))

        arrived = []

        def record(layer, x):
            arrived.append(x.numpy())
            return Tensor(np.zeros((*x.shape, layer.weight.shape[1])))

        with replaced(dict.fromkeys(self._layers, record)):
            call(self.net, map_leaves(positions, self.x))
        sources = []
        for seen in arrived:
            sources.append((seen[0] - first).astype(int) if (seen >= first).any() else None)
        return layers, reads, vectors, sources

    def baseline(self, baseline) -> list:
        """The values of each part in the baseline.

        Args:
            baseline: a number, or an array of the shape of x or of one row; for several inputs a
                number, or a tuple or dict of these like x; None: zeros, and for tokens vectors of
                zeros.
        """
        if baseline is None:
            return [np.zeros_like(part) for part in self.parts]
        if np.ndim(baseline) == 0 and not isinstance(baseline, dict):
            given = dict.fromkeys(self.slices, baseline)
        else:
            given = by_leaf(baseline, self.x, what="baseline")
        whole = {
            keys: leaf if leaf.dtype == bool else _baseline_of(given[keys], leaf)
            for keys, leaf in named_leaves(self.x).items()
        }
        rows = self._row(_with_leaves(self.x, whole))
        parts = [whole[keys].astype(np.float64) for keys in self._numbered]
        for (layer, dtype), source, keys in zip(
            self._readers, self.sources[len(parts) :], self._keys_of_readers(), strict=True
        ):
            read = rows[:, source.ravel()].reshape(len(rows), *source.shape).astype(dtype)
            vectors = plain_forward(layer, Tensor(read)).numpy()
            parts.append(np.zeros_like(vectors) if given[keys] is None else vectors)
        return parts

    def _keys_of_readers(self) -> list:
        """The input that each embedded part belongs to."""
        starts = [(part.start, keys) for keys, part in self.slices.items()]
        return [
            max((start, keys) for start, keys in starts if start <= source.min())[1]
            for source in self.sources[len(self._numbered) :]
        ]

    def targets(self, target) -> np.ndarray:
        """(batch,) index of the target output of each row, see `target_indices`."""
        return target_indices((self.rows, *self.axes), target, self.outputs)

    def values(self, rows, targets, parts_at) -> np.ndarray:
        """(n,) target outputs of n inputs, where input k is a variant of row rows[k] of x.

        Args:
            parts_at: function (indices of inputs) -> the parts of these inputs.
        """
        pieces = []
        for at, new in self.chunks(len(rows)):
            out = self._run(self._at(rows[at]), parts_at(at))
            flat = out.numpy().reshape(len(at), -1)
            pieces.append(np.take_along_axis(flat, targets[at][:, None], axis=1)[:new, 0])
        return np.concatenate(pieces)

    def _at(self, rows):
        return map_leaves(lambda leaf: leaf[rows], self.x)

    def slopes(self, rows, parts, targets) -> list:
        """Derivatives (n, ...) of the target outputs with respect to each part; see `values`."""
        seed = np.zeros((len(rows), self.outputs.shape[1]))
        seed[np.arange(len(rows)), targets] = 1
        grads = self._run_back(self._at(rows), parts, seed.reshape(-1, *self.axes))
        if all(g is None for g in grads):
            raise GradientError(
                "no gradient reaches the input",
                expected="a network that computes its output from its input by differentiable "
                "operations, and reads integers by an Embedding",
                fix='use method="occlusion", which needs no gradient, or leave no_grad()',
            )
        return [
            np.zeros(part.shape) if g is None else g.numpy()
            for part, g in zip(parts, grads, strict=True)
        ]

    def chunks(self, count: int, size: int | None = None) -> list:
        """The indices 0..count-1 in arrays of equal length that fit in memory.

        The last array is padded by repeating its last index, since another length would have to be
        compiled.

        Args:
            size: the length; None: the largest that fits.

        Returns:
            [(array, number of indices without the padding)].
        """
        if size is None:
            width = sum(int(np.prod(part.shape[1:])) for part in self.parts)
            limit = max(1, min(ROWS, NUMBERS // max(1, width)))
            size = -(-count // -(-count // limit))
        return [
            (np.minimum(np.arange(start, start + size), count - 1), min(size, count - start))
            for start in range(0, count, size)
        ]

    def _gradients(self, x, parts, seed):
        """Gradients of the outputs, weighted by `seed`, for each part; None where there is none."""
        leaves = [Tensor(part.data, requires_grad=True) for part in parts]
        out = self._output(x, leaves)
        if not out.requires_grad:
            return [None] * len(leaves)
        found = {id(leaf): g for leaf, g in gradients(out, seed.data)}
        return [Tensor(found[id(leaf)]) if id(leaf) in found else None for leaf in leaves]

    def _output(self, x, parts):
        """The chosen output for x with its numbers and vectors replaced by `parts`."""
        calls = iter(self._calls)

        def stand_in(layer, x):
            part = next(calls)
            return plain_forward(layer, x) if part is None else parts[part]

        numbers = {}
        for keys, part in zip(self._numbered, parts, strict=False):
            codes = self.embedded[self.slices[keys]].reshape(part.shape[1:])
            if codes.any():  # codes are constant: their vectors vary
                own = named_leaves(x)[keys]
                part = part * Tensor(np.where(codes, 0.0, 1.0)) + own * Tensor(codes * 1.0)
            numbers[keys] = part
        with replaced(dict.fromkeys(self._layers, stand_in)):
            return named_leaves(call(self.net, _with_leaves(x, numbers)))[self.output_keys]

    def moved(self, rows, elements, baseline) -> list:
        """Parts of x[rows], with the given elements replaced by those of the baseline.

        Args:
            elements: (n, elements of a row) booleans.
        """
        parts = []
        for part, base, source in zip(self.parts, baseline, self.sources, strict=True):
            features = (1,) * (part.ndim - 1 - source.ndim)
            chosen = elements[:, source.ravel()].reshape(len(rows), *source.shape, *features)
            parts.append(np.where(chosen, base[rows], part[rows]))
        return parts

    def by_element(self, contributions) -> np.ndarray:
        """The contributions to each element, (batch, elements of a row), summed over its parts."""
        total = np.zeros((self.rows, self.embedded.size))
        for part, source in zip(contributions, self.sources, strict=True):
            part = part.reshape(len(part), source.size, -1).sum(axis=-1)
            np.add.at(total.T, source.ravel(), part.T)
        return total


def _with_leaves(tree, new: dict):
    """The tree with some of its leaves, given by their keys, replaced."""
    found = iter([new.get(keys, leaf) for keys, leaf in named_leaves(tree).items()])
    return map_leaves(lambda leaf: next(found), tree)


def _baseline_of(given, leaf) -> np.ndarray:
    """The baseline of one input in the shape of its batch; zeros if none is given."""
    if given is None:
        return np.zeros_like(leaf)
    given = as_numbers(given, what="the baseline")
    try:
        return np.broadcast_to(given, leaf.shape)
    except ValueError:
        raise ShapeError(
            f"the baseline has shape {given.shape}",
            expected=f"a number, or shape {leaf.shape[1:]} or {leaf.shape}, as x",
        ) from None


def _run_on_numbers(net, x):
    """run_as_batch for a network without Embeddings: integers are converted to float64."""

    def number(leaf):
        return leaf if leaf.dtype == bool else leaf.astype(np.float64)

    try:
        run = _compiled(lambda x: call(net, x), net)
        return run_as_batch(net, map_leaves(number, x), run)
    except (TypeError, ValueError, IndexError):
        if all(leaf.dtype != np.int64 for leaf in leaves(x)):
            raise
        try:
            run_as_batch(net, x)
        except (TypeError, ValueError, IndexError):
            pass
        else:
            raise OptionError(
                "the network reads integers, and not by an Embedding",
                expected="numbers, or integers that an Embedding turns into vectors",
                fix="write ct.Embedding where the network looks its vectors up",
            ) from None
        raise


def _kept_by(calls):
    def keep(layer, x):
        out = plain_forward(layer, x)
        calls.append((layer, x.numpy(), out.numpy()))
        return out

    return keep


def _compiled(step, net):
    """`step`, compiled; uncompiled if the control flow of the network depends on values."""
    # the default options of jit make convolutions in float64 twenty times slower
    program = jit(step, net, donate=False, compiler_options={})

    def run(*args):
        try:
            return program(*args)
        except jax.errors.JAXTypeError:
            return step(*wrap(args))

    return run
