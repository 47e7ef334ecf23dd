"""attribute: how much each input contributes to a prediction.

F is one output of the network, x an input, b a baseline: an input without information. Four methods
attribute the output to the elements i of x:

    integrated_gradients   (x_i - b_i) ∫₀¹ ∂F/∂x_i (b + α (x - b)) dα       adds up to F(x) - F(b)
    gradient_x_input       x_i ∂F/∂x_i
    occlusion              F(x) - F(x with i, or a window around it, from the baseline)
    saliency               |∂F/∂x_i|

References:
    Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks", arXiv:1703.01365.
    Shrikumar et al. 2016, "Not just a black box", arXiv:1605.01713 (gradient x input).
    Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", arXiv:1311.2901.
    Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks", arXiv:1312.6034.
"""

import dataclasses
import itertools

import numpy as np

from cutaway.errors import OptionError, ShapeError, expect_choice, expect_range
from cutaway.explain.attribution_story import Attribution, misses
from cutaway.explain.examples import by_leaf
from cutaway.explain.inputs import Inputs
from cutaway.explain.joint_attribution import JointAttribution
from cutaway.explain.layerwise import expect_output_names, frozen
from cutaway.nn import Module
from cutaway.nn.trees import is_array, named_leaves, subscripts

METHODS = ("integrated_gradients", "gradient_x_input", "occlusion", "saliency")
MORE = 4  # factor by which the steps grow while the sum deviates from F(x) - F(b)
MOST = 16  # largest factor


def attribute(
    net: Module,
    x,
    *,
    target=None,
    output=None,
    method: str = "integrated_gradients",
    baseline=None,
    steps: int = 50,
    window=None,
    stride=None,
    names=None,
    output_names=None,
) -> "Attribution | JointAttribution":
    """The contribution of each element of x to an output of `net`.

    Computed in evaluation mode and in float64; the network is not modified. Integers that an
    Embedding reads (tokens, category codes) get the sum over the features of their vectors.
    Several inputs are moved from their baselines together, so that the attributions of all of them
    add up to F(x) - F(b); a window of occlusion hides a part of one of them. Booleans among several
    inputs are masks, which get none.

    Args:
        x: one input, or a batch; a vector is one input. Of several inputs a tuple for the
            positional arguments of the network, or a dict for its keyword arguments; what depends
            on the input (`baseline`, `window`, `stride`, `names`) is then a tuple or dict like x.
        output: key of the output, for a network that returns several.
        target: index in the output; None: the largest, or the only one. A tuple if an input has
            outputs with several axes, a list with one for each row of a batch.
        method: "integrated_gradients", "gradient_x_input", "occlusion" or "saliency".
        baseline: the reference input: a number, or an array of the shape of x or of one row.
            None: 0, and for tokens a vector of zeros.
        steps: points between the baseline and x at which the gradient is evaluated
            (Gauss-Legendre); up to 16 times as many if the sum deviates from F(x) - F(baseline) by
            more than 1%. Only for integrated_gradients.
        window: elements that occlusion replaces at once: a number or a tuple, along all axes of a
            row but the last, or along all. None: one column or token, 1/16 of a series, a square
            of 1/8 of an image.
        stride: step of the window; None: half the window. An element that several windows cover
            gets their mean.
        names: of the columns (those with the same name are combined), or the tokens; for a batch
            of texts a list of tokens for each.
        output_names: of the outputs, for example the classes.

    Returns:
        an Attribution; for several inputs a JointAttribution, whose items are those of each input.

    References: see the module.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.nn import Linear, Sequential
        >>> net = Sequential(Linear(2, 1))
        >>> net[0].weight.data = np.array([[3.0], [-1.0]], np.float32)
        >>> ct.attribute(net, [2.0, 5.0]).values.round(6).tolist()
        [6.0, -5.0]
    """
    expect_choice(method, METHODS, what="method")
    expect_range(steps, what="steps", least=1)
    if method != "occlusion" and (window is not None or stride is not None):
        raise OptionError(
            f"window={window}, stride={stride} with method={method!r}",
            expected='window and stride only with method="occlusion"',
            fix='omit them, or use method="occlusion"',
        )
    with frozen(net):
        inputs = Inputs(net, x, output)
        targets = inputs.targets(target)
        rows = np.arange(inputs.rows)
        outputs = inputs.outputs[rows, targets]
        base = inputs.baseline(baseline)
        base_outputs, used, gap = None, None, None
        if method == "integrated_gradients":
            base_outputs = inputs.values(rows, targets, lambda at: [part[at] for part in base])
            values, used, gap = _integrated(inputs, base, targets, steps, outputs - base_outputs)
        elif method == "occlusion":
            values = _occluded(inputs, base, targets, outputs, window, stride)
        else:
            values = _sloped(inputs, targets, method)
    whole = Attribution(
        method=method,
        values=values,
        x=values,
        target=targets,
        output_shape=tuple(inputs.axes),
        output=outputs,
        baseline_output=base_outputs,
        gap=gap,
        steps=used,
        baseline=baseline,
        names=None,
        output_names=expect_output_names(output_names, inputs.axes),
        kind="table",
        padding=inputs.padding,
        one=False,
        symbol=f"ŷ{subscripts(inputs.output_keys)}",
    )
    names = by_leaf(names, inputs.x, what="names")
    parts = {
        keys: _part(whole, inputs, keys, x, names[keys])
        for keys, x in named_leaves(inputs.x).items()
        if x.dtype != bool
    }
    found = parts[()] if is_array(inputs.x) else JointAttribution(whole, parts)
    return found.row(0) if inputs.one else found


def _part(whole: Attribution, inputs, keys, x, names) -> Attribution:
    """The attribution to one input."""
    place = inputs.slices[keys]
    padding = inputs.padding[:, place].reshape(x.shape)
    # the kind of a row decides how it is shown
    kind = {2: "table", 3: "series", 4: "image"}.get(x.ndim, "other")
    if inputs.embedded[place].all() and x.ndim == 2:
        kind = "tokens"
    own = dataclasses.replace(
        whole,
        values=whole.values[:, place].reshape(x.shape),
        x=x,
        names=None if names is None else _expect_names(names, kind, x, padding, inputs.one),
        kind=kind,
        padding=padding,
    )
    if not keys:
        return own
    # what one input adds is not the whole difference
    return dataclasses.replace(own, baseline_output=None, gap=None, input=f"x{subscripts(keys)}")


def _expect_names(names, kind, x, padding, one) -> list:
    shape = x.shape[1:]
    if kind in ("image", "other"):
        raise OptionError(
            f"names were given for inputs of shape {shape}",
            expected="names for the columns of a table or a series, or for tokens",
        )
    if kind == "tokens":
        several = len(names) > 0 and isinstance(names[0], list | tuple)
        texts = list(names) if several else [names] * len(x)
        if len(texts) != len(x):
            raise ShapeError(
                f"names for {len(texts)} texts were given for {len(x)} texts",
                expected="a list of tokens for each text",
            )
        for text, is_padding in zip(texts, padding, strict=True):
            needed = int(np.max(np.flatnonzero(~is_padding), initial=-1)) + 1
            if not needed <= len(text) <= shape[0]:
                raise ShapeError(
                    f"{len(text)} names for a text of {needed} tokens",
                    expected="a name for each token; padding needs none",
                )
        texts = [[str(n) for n in text] + [""] * (shape[0] - len(text)) for text in texts]
        return texts if several and not one else texts[0]
    if len(names) != shape[-1]:
        raise ShapeError(
            f"{len(names)} names for {shape[-1]} columns", expected="a name for each column"
        )
    return [str(name) for name in names]


def _integrated(inputs, base, targets, steps, differences):
    """(attributions (batch, ...), steps used for each row, deviation of each sum)."""
    count = inputs.rows
    values = np.zeros(inputs.padding.shape)
    used = np.full(count, steps)
    rows = np.arange(count)
    now = steps
    size = len(inputs.chunks(count * steps)[0][0])
    while True:
        values[rows] = _integral(inputs, base, targets, rows, now, size)
        used[rows] = now
        gap = values.sum(axis=1) - differences
        rows = np.flatnonzero(misses(gap, differences))
        now *= MORE
        if not len(rows) or now > steps * MOST:
            return values, used, gap


def _integral(inputs, base, targets, rows, steps, size):
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    alphas, weights = (1 + nodes) / 2, weights / 2  # from [-1, 1] to [0, 1]
    pairs_row, pairs_step = np.repeat(rows, steps), np.tile(np.arange(steps), len(rows))
    means = [np.zeros(part.shape) for part in inputs.parts]
    for at, new in inputs.chunks(len(pairs_row), size):
        row, step = pairs_row[at], pairs_step[at]
        between = [
            b[row] + _along(alphas[step], part) * (part[row] - b[row])
            for part, b in zip(inputs.parts, base, strict=True)
        ]
        for mean, slope in zip(means, inputs.slopes(row, between, targets[row]), strict=True):
            weighted = _along(weights[step], slope) * slope
            np.add.at(mean, row[:new], weighted[:new])
    return inputs.by_element(
        [(part - b) * mean for part, b, mean in zip(inputs.parts, base, means, strict=True)]
    )[rows]


def _along(numbers, part):
    """(n,) numbers in the shape that multiplies rows of `part`."""
    return numbers.reshape(-1, *(1,) * (part.ndim - 1))


def _sloped(inputs, targets, method):
    slopes = [np.zeros(part.shape) for part in inputs.parts]
    for at, new in inputs.chunks(inputs.rows):
        found = inputs.slopes(at, [part[at] for part in inputs.parts], targets[at])
        for whole, slope in zip(slopes, found, strict=True):
            whole[at[:new]] = slope[:new]
    if method == "gradient_x_input":
        return inputs.by_element(
            [part * slope for part, slope in zip(inputs.parts, slopes, strict=True)]
        )
    # the norm over the features of a vector; |slope| for a single number
    lengths = [
        np.sqrt((slope**2).reshape(*slope.shape[: source.ndim + 1], -1).sum(axis=-1))
        for slope, source in zip(slopes, inputs.sources, strict=True)
    ]
    return inputs.by_element(lengths)


def _occluded(inputs, base, targets, outputs, window, stride):
    elements = _windows_of(inputs, window, stride)  # (windows, elements of a row)
    count = inputs.rows
    row = np.repeat(np.arange(count), len(elements))
    which = np.tile(np.arange(len(elements)), count)
    without = inputs.values(
        row, targets[row], lambda at: inputs.moved(row[at], elements[which[at]], base)
    )
    falls = outputs[:, None] - without.reshape(count, len(elements))
    return falls @ elements / np.maximum(elements.sum(axis=0), 1)  # nothing covers a mask


def _windows_of(inputs, window, stride) -> np.ndarray:
    """(windows, elements of a row) booleans: those of one input after those of another."""
    window, stride = (
        by_leaf(given, inputs.x, what=what)
        for given, what in ((window, "window"), (stride, "stride"))
    )
    found = []
    for keys, x in named_leaves(inputs.x).items():
        if x.dtype != bool:
            own = _windows(x.shape[1:], window[keys], stride[keys])
            found.append(np.zeros((len(own), len(inputs.embedded)), bool))
            found[-1][:, inputs.slices[keys]] = own
    return np.concatenate(found)


def _windows(shape, window, stride) -> np.ndarray:
    """(windows, elements of a row) booleans: the elements that each window covers."""
    axes = len(shape) if len(shape) == 1 else len(shape) - 1
    if window is None:
        divisor = 16 if len(shape) == 2 else 8
        window = (1,) if len(shape) == 1 else tuple(max(1, n // divisor) for n in shape[:axes])
    window = _per_axis(window, axes, shape, what="window")
    if stride is None:
        stride = tuple(max(1, w // 2) for w in window)
    stride = _per_axis(stride, len(window), shape, what="stride")
    whole = shape[len(window) :]
    window, stride = (*window, *whole), (*stride, *whole)
    starts = []
    for n, w, s in zip(shape, window, stride, strict=True):
        expect_range(w, what="window", least=1, most=n)
        expect_range(s, what="stride", least=1, most=w)
        starts.append(range(0, -(-(n - w) // s) * s + 1, s))
    covered = np.zeros((int(np.prod([len(s) for s in starts])), *shape), bool)
    for k, corner in enumerate(itertools.product(*starts)):
        covered[k][tuple(slice(a, a + w) for a, w in zip(corner, window, strict=True))] = True
    return covered.reshape(len(covered), -1)


def _per_axis(value, axes, shape, *, what) -> tuple:
    value = (value,) * axes if isinstance(value, int | np.integer) else tuple(value)
    if len(value) not in (axes, len(shape)):
        raise ShapeError(
            f"{what} has {len(value)} numbers for rows of shape {tuple(shape)}",
            expected=f"one for all axes, {axes}, or {len(shape)} with the last axis",
        )
    return value
