"""The inputs of a network: numbers, and integers that Embeddings turn into vectors.

An output can be differentiated with respect to the vector of an integer, not the integer itself.
So the differentiable parts of an input are the numbers of x that no Embedding reads, and the
vectors that Embeddings return. To find the elements of x that an Embedding reads, the network runs
once on the positions of the elements instead of their values.
"""

import jax
import numpy as np

from cutaway.engine import Tensor, gradients
from cutaway.errors import GradientError, OptionError, ShapeError
from cutaway.explain.layerwise import (
    as_numbers,
    expect_finite,
    expect_outputs,
    plain_forward,
    replaced,
    run_as_batch,
    target_indices,
)
from cutaway.nn import Embedding, jit
from cutaway.nn.state import wrap

ROWS, NUMBERS = 4096, 2**18  # rows, and numbers of the input, that are run at once


class Inputs:
    """A batch of inputs, with the vectors of its embeddings. For use inside `frozen(net)`.

    Attributes:
        x: (batch, ...) float64; int64 if all elements are read by Embeddings.
        one: whether x was given without its batch axis.
        parts: arrays (batch, ...) with respect to which outputs are differentiated: x itself
            unless all elements are embedded, then the vectors of each call of an Embedding.
        sources: for each part the indices of the elements of a row that it reads.
        embedded: (elements of a row,) whether an Embedding reads the element.
        padding: (batch, elements of a row) whether the element is padding.
        outputs: (batch, outputs of a row).
        axes: shape of the outputs of a row.
    """

    def __init__(self, net, x):
        self.net = net
        x = as_numbers(x)
        if 0 in x.shape:
            raise ShapeError(
                f"the input has shape {x.shape}: it is empty", expected="at least one input"
            )
        self._layers = [m for m in net.modules().values() if isinstance(m, Embedding)]
        calls = []

        def run_and_keep(x):
            calls.clear()
            with replaced(dict.fromkeys(self._layers, _kept_by(calls))):
                return net(Tensor(x))

        if self._layers:
            out, self.x, self.one = run_as_batch(net, x, run_and_keep)
        else:
            out, self.x, self.one = _run_on_numbers(net, x)
        out = expect_outputs(out)
        if len(out) != len(self.x):
            raise ShapeError(
                f"the input has shape {x.shape}, the output {out.shape}",
                expected=f"an output for each of the {len(self.x)} rows",
                fix="for one input of several axes add the batch axis: x[None]",
            )
        expect_finite(net, self.x, out)
        self.axes = out.shape[1:]
        self.outputs = out.numpy().reshape(len(out), -1)
        self._run = _compiled(self._output, net)
        self._run_back = _compiled(self._gradients, net)
        self._find_sources(calls)

    def _find_sources(self, calls):
        rows = self.x.reshape(len(self.x), -1)
        count = rows.shape[1]
        self.embedded = np.zeros(count, bool)
        self.padding = np.zeros(rows.shape, bool)
        self.parts = [self.x.astype(np.float64)]
        self.sources = [np.arange(count).reshape(self.x.shape[1:])]
        self._calls = []  # index of the part of each call of an Embedding; None: reads no x
        self._readers = []
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
            self._calls.append(len(self.parts))
            self._readers.append(layer)
            self.parts.append(vectors)
            self.sources.append(source)
            self.embedded[source.ravel()] = True
            if layer.padding_index is not None:
                self.padding[:, source.ravel()] |= (
                    read.reshape(len(rows), -1) == layer.padding_index
                )
        self._tokens_only = bool(self.embedded.all())
        if self._tokens_only:
            del self.parts[0], self.sources[0]
            self._calls = [None if k is None else k - 1 for k in self._calls]
        else:
            self.x = self.x.astype(np.float64)

    def _sources_of_calls(self, calls):
        layers = [layer for layer, _, _ in calls]
        reads = [read for _, read, _ in calls]
        vectors = [vectors for _, _, vectors in calls]
        if not calls:
            return layers, reads, vectors, []
        shape = self.x.shape[1:]
        # numbers that do not occur in x, to distinguish elements of x from constants
        first = int(np.abs(self.x).max()) + 1
        positions = first + np.arange(int(np.prod(shape))).reshape(shape)
        positions = np.broadcast_to(positions, self.x.shape).astype(self.x.dtype)
        arrived = []

        def record(layer, x):
            arrived.append(x.numpy())
            return Tensor(np.zeros((*x.shape, layer.weight.shape[1])))

        with replaced(dict.fromkeys(self._layers, record)):
            self.net(Tensor(positions))
        sources = []
        for seen in arrived:
            sources.append((seen[0] - first).astype(int) if (seen >= first).any() else None)
        return layers, reads, vectors, sources

    def baseline(self, baseline) -> list:
        """The values of each part in the baseline.

        Args:
            baseline: a number, or an array of the shape of x or of one row; None: zeros, and for
                tokens vectors of zeros.
        """
        if baseline is None:
            return [np.zeros_like(part) for part in self.parts]
        baseline = as_numbers(baseline, what="the baseline")
        try:
            x = np.broadcast_to(baseline, self.x.shape)
        except ValueError:
            raise ShapeError(
                f"the baseline has shape {baseline.shape}",
                expected=f"a number, or shape {self.x.shape[1:]} or {self.x.shape}, as x",
            ) from None
        rows = x.reshape(len(x), -1)
        parts = [] if self._tokens_only else [x.astype(np.float64)]
        for layer, source in zip(self._readers, self.sources[len(parts) :], strict=True):
            read = rows[:, source.ravel()].reshape(len(rows), *source.shape)
            parts.append(plain_forward(layer, Tensor(read)).numpy())
        return parts

    def targets(self, target) -> np.ndarray:
        """(batch,) index of the target output of each row, see `target_indices`."""
        return target_indices((len(self.x), *self.axes), target, self.outputs)

    def values(self, rows, targets, parts_at) -> np.ndarray:
        """(n,) target outputs of n inputs, where input k is a variant of row rows[k] of x.

        Args:
            parts_at: function (indices of inputs) -> the parts of these inputs.
        """
        pieces = []
        for at, new in self.chunks(len(rows)):
            out = self._run(self.x[rows[at]], parts_at(at))
            flat = out.numpy().reshape(len(at), -1)
            pieces.append(np.take_along_axis(flat, targets[at][:, None], axis=1)[:new, 0])
        return np.concatenate(pieces)

    def slopes(self, rows, parts, targets) -> list:
        """Derivatives (n, ...) of the target outputs with respect to each part; see `values`."""
        seed = np.zeros((len(rows), self.outputs.shape[1]))
        seed[np.arange(len(rows)), targets] = 1
        grads = self._run_back(self.x[rows], parts, seed.reshape(-1, *self.axes))
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
        """The output for x with its numbers and vectors replaced by `parts`."""
        calls = iter(self._calls)

        def stand_in(layer, x):
            part = next(calls)
            return plain_forward(layer, x) if part is None else parts[part]

        if not self._tokens_only:
            codes = self.embedded.reshape(self.x.shape[1:])
            numbers = parts[0]
            if codes.any():  # codes are constant: their vectors vary
                numbers = numbers * Tensor(np.where(codes, 0.0, 1.0)) + x * Tensor(codes * 1.0)
            x = numbers
        with replaced(dict.fromkeys(self._layers, stand_in)):
            return self.net(x)

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
        """The contributions to each element of x, (batch, ...), summed over its parts."""
        total = np.zeros((len(self.x), self.embedded.size))
        for part, source in zip(contributions, self.sources, strict=True):
            part = part.reshape(len(part), source.size, -1).sum(axis=-1)
            np.add.at(total.T, source.ravel(), part.T)
        return total.reshape(self.x.shape)


def _run_on_numbers(net, x):
    """run_as_batch for a network without Embeddings: integers are converted to float64."""
    try:
        return run_as_batch(net, x.astype(np.float64), _compiled(lambda x: net(x), net))
    except (TypeError, ValueError, IndexError):
        if x.dtype != np.int64:
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
