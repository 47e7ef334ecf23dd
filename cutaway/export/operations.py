"""How each operation is written in ONNX: one function each, `(graph, *inputs, **options)`.

Inputs are Values (or None, or plain numbers) in the order of the operation's own; the result is a
Value. Someone's own operation is added in the same way:

    @exports(cube)
    def _cube(g, x):
        return g.out("Pow", x, 3)
"""

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError
from cutaway.export.graph import Value, is_first
from cutaway.ops.pooling import _shares
from cutaway.ops.windows import padding_pairs, per_axis

EXPORTS = {}  # Operation -> function


def exports(*operations):
    """Decorator: the function writes these operations."""

    def register(function):
        for operation in operations:
            EXPORTS[operation] = function
        return function

    return register


def _simple(kind, **attributes):
    def write(g, *inputs, **_):
        return g.elementwise(kind, *inputs, **attributes)

    return write


for _operation, _kind in (
    (ops.add, "Add"), (ops.subtract, "Sub"), (ops.multiply, "Mul"), (ops.divide, "Div"),
    (ops.power, "Pow"), (ops.maximum, "Max"), (ops.minimum, "Min"), (ops.negative, "Neg"),
    (ops.exp, "Exp"), (ops.log, "Log"), (ops.sqrt, "Sqrt"), (ops.absolute, "Abs"),
    (ops.sin, "Sin"), (ops.cos, "Cos"), (ops.sign, "Sign"), (ops.relu, "Relu"),
    (ops.sigmoid, "Sigmoid"), (ops.tanh, "Tanh"), (ops.gelu, "Gelu"), (ops.softplus, "Softplus"),
    (ops.linear, "Identity"), (ops.where, "Where"), (ops.equal, "Equal"), (ops.less, "Less"),
    (ops.less_equal, "LessOrEqual"), (ops.greater, "Greater"),
    (ops.greater_equal, "GreaterOrEqual"),
):  # fmt: skip
    EXPORTS[_operation] = _simple(_kind)
EXPORTS[ops.gelu_tanh] = _simple("Gelu", approximate="tanh")
EXPORTS[ops.selu] = _simple("Selu")


# ---- elementwise with options ------------------------------------------------------------------


@exports(ops.square)
def _square(g, x):
    return g.elementwise("Mul", x, x)


@exports(ops.expm1)
def _expm1(g, x):
    return g.result(g.node("Sub", g.node("Exp", x), g.constant(np.asarray(1, x.dtype))))


@exports(ops.log1p)
def _log1p(g, x):
    return g.result(g.node("Log", g.node("Add", x, g.constant(np.asarray(1, x.dtype)))))


@exports(ops.not_equal)
def _not_equal(g, a, b):
    return g.out("Not", g.node("Equal", a, b))


@exports(ops.silu)
def _silu(g, x):
    return g.elementwise("Mul", x, g.elementwise("Sigmoid", x))


@exports(ops.leaky_relu)
def _leaky_relu(g, x, *, slope=0.01):
    return g.elementwise("LeakyRelu", x, alpha=float(slope))


@exports(ops.parametric_relu)
def _parametric_relu(g, x, slope):
    return g.out("PRelu", x, slope)


@exports(ops.elu)
def _elu(g, x, *, alpha=1.0):
    return g.elementwise("Elu", x, alpha=float(alpha))


@exports(ops.threshold)
def _threshold(g, x, *, at=0.0):
    return g.result(g.cast(g.node("GreaterOrEqual", x, at), g.dtype))


@exports(ops.clip)
def _clip(g, x, *, low=None, high=None):
    return g.elementwise("Clip", x, low, high)


@exports(ops.relu6)
def _relu6(g, x):
    return g.elementwise("Clip", x, 0, 6)


@exports(ops.softmax)
def _softmax(g, x, *, axis=-1):
    return g.out("Softmax", x, axis=axis)


@exports(ops.log_softmax)
def _log_softmax(g, x, *, axis=-1):
    return g.out("LogSoftmax", x, axis=axis)


# ---- products ----------------------------------------------------------------------------------


@exports(ops.matmul)
def _matmul(g, a, b):
    return g.out("MatMul", a, b)


@exports(ops.convolution)
def _convolution(g, x, weight, *, stride=1, padding=((0, 0),), dilation=1, groups=1):
    axes = x.ndim - 2
    stride, dilation = (per_axis(n, axes, what="window") for n in (stride, dilation))
    sizes, kernel = x.shape[1:-1], weight.shape[:-2]
    pairs = padding_pairs(padding, sizes, kernel, stride, dilation)
    first = g.node(
        "Conv",
        g.channels_first(x),
        _kernel(g, weight, (axes + 1, axes, *range(axes))),
        kernel_shape=list(kernel),
        strides=list(stride),
        dilations=list(dilation),
        pads=_pads(pairs),
        group=groups,
    )
    return g.result(first=first)


@exports(ops.transposed_convolution)
def _transposed_convolution(
    g, x, weight, *, stride=1, padding=((0, 0),), output_padding=0, dilation=1, groups=1
):
    axes = x.ndim - 2
    kernel = weight.shape[:-2]
    pairs = tuple(padding) * axes if len(padding) == 1 else padding
    if weight.array is None:
        raise OptionError(
            "a transposed convolution whose kernel is computed",
            expected="a kernel that is fixed, for ONNX",
        )
    # (*kernel, in / groups, out) -> (in, out / groups, *kernel)
    inner, out = weight.shape[-2:]
    split = weight.array.reshape(*kernel, inner, groups, out // groups)
    order = (axes + 1, axes, axes + 2, *range(axes))
    turned = split.transpose(order).reshape(groups * inner, out // groups, *kernel)
    first = g.node(
        "ConvTranspose",
        g.channels_first(x),
        g.constant(turned, weight.hint or "constant"),
        kernel_shape=list(kernel),
        strides=list(per_axis(stride, axes, what="stride")),
        dilations=list(per_axis(dilation, axes, what="dilation")),
        output_padding=list(per_axis(output_padding, axes, what="output_padding", least=0)),
        pads=_pads(pairs),
        group=groups,
    )
    return g.result(first=first)


def _kernel(g, weight: Value, order) -> str:
    if weight.array is not None:
        return g.constant(weight.array.transpose(order), weight.hint or "constant")
    return g.node("Transpose", weight, perm=list(order))


def _pads(pairs) -> list:
    return [before for before, _ in pairs] + [after for _, after in pairs]


# ---- pooling and resampling ------------------------------------------------------------------


@exports(ops.max_pool)
def _max_pool(g, x, *, kernel_size, stride=None, padding=0, ceil_mode=False):
    return g.result(first=g.node("MaxPool", g.channels_first(x), **_windows(
        x, g.shape, kernel_size, stride, padding)))  # fmt: skip


@exports(ops.average_pool)
def _average_pool(
    g, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_padding=True
):
    windows = _windows(x, g.shape, kernel_size, stride, padding)
    lows = per_axis(padding, x.ndim - 2, what="padding", least=0)
    first = g.channels_first(x)
    if count_padding and any(lows):
        # what ceil_mode adds does not count, what was asked for does: so it is put there before
        first = g.node("Pad", first, g.constant(np.array([0, 0, *lows, 0, 0, *lows], np.int64)))
        extra = [after - low for after, low in zip(windows["pads"][len(lows) :], lows, strict=True)]
        windows["pads"] = [0] * len(lows) + extra
    return g.result(first=g.node("AveragePool", first, count_include_pad=0, **windows))


def _windows(x, out_shape, kernel_size, stride, padding) -> dict:
    """Attributes of a pooling; what ceil_mode adds is written as padding at the end."""
    axes = x.ndim - 2
    kernel = per_axis(kernel_size, axes, what="kernel_size")
    stride = kernel if stride is None else per_axis(stride, axes, what="stride")
    lows = per_axis(padding, axes, what="padding", least=0)
    pairs = []
    for n, k, s, p, o in zip(x.shape[1:-1], kernel, stride, lows, out_shape[1:-1], strict=True):
        pairs.append((p, max((o - 1) * s + k - n - p, p)))
    return {"kernel_shape": list(kernel), "strides": list(stride), "pads": _pads(pairs)}


@exports(ops.adaptive_average_pool)
def _adaptive_average_pool(g, x, *, output_size):
    axes = x.ndim - 2
    sizes = per_axis(output_size, axes, what="output_size")
    if set(sizes) == {1}:
        return g.result(first=g.node("GlobalAveragePool", g.channels_first(x)))
    first = g.channels_first(x)
    if any(n % o for n, o in zip(x.shape[1:-1], sizes, strict=True)):
        # windows of unequal sizes: one product with a matrix of shares for each axis
        letters = "nchwd"[: x.ndim]
        for axis, o in enumerate(sizes, start=2):
            shares = g.constant(_shares(x.shape[axis - 1], o, x.dtype))
            out = letters.replace(letters[axis], "o")
            first = g.node("Einsum", shares, first, equation=f"o{letters[axis]},{letters}->{out}")
        return g.result(first=first)
    kernel = [n // o for n, o in zip(x.shape[1:-1], sizes, strict=True)]
    return g.result(first=g.node("AveragePool", first, kernel_shape=kernel, strides=kernel))


@exports(ops.upsample_nearest)
def _upsample_nearest(g, x, *, factor):
    return _resized(g, x, factor, mode="nearest", nearest_mode="floor",
                    coordinate_transformation_mode="asymmetric")  # fmt: skip


@exports(ops.upsample_linear)
def _upsample_linear(g, x, *, factor):
    return _resized(g, x, factor, mode="linear", coordinate_transformation_mode="half_pixel")


def _resized(g, x, factor, **attributes):
    scales = np.array([1, 1, *per_axis(factor, x.ndim - 2, what="factor")], np.float32)
    first = g.node("Resize", g.channels_first(x), None, g.constant(scales), **attributes)
    return g.result(first=first)


# ---- normalisation ------------------------------------------------------------------------------


@exports(ops.normalise)
def _normalise(g, x, mean, variance, weight, bias, *, eps=1e-5):
    channels = x.shape[-1]
    weight = np.ones(channels, x.dtype) if weight is None else weight
    bias = np.zeros(channels, x.dtype) if bias is None else bias
    rest = (weight, bias, mean, variance)
    if x.ndim == 2:
        return g.out("BatchNormalization", x, *rest, epsilon=float(eps))
    names = [g.name(value) for value in rest]
    first = g.node("BatchNormalization", g.channels_first(x), *names, epsilon=float(eps))
    return g.result(first=first)


@exports(ops.layer_norm)
def _layer_norm(g, x, weight, bias, *, eps=1e-5):
    weight = np.ones(x.shape[-1], x.dtype) if weight is None else weight
    return g.out("LayerNormalization", x, weight, bias, axis=-1, epsilon=float(eps))


@exports(ops.rms_norm)
def _rms_norm(g, x, weight, *, eps=1e-6):
    squares = g.node("Mul", x, x)
    mean = g.node("ReduceMean", squares, g.constant(np.array([-1])), keepdims=1)
    root = g.node("Sqrt", g.node("Add", mean, g.constant(np.asarray(eps, x.dtype))))
    out = g.node("Div", x, root)
    return g.result(out if weight is None else g.node("Mul", out, weight))


@exports(ops.instance_norm)
def _instance_norm(g, x, weight, bias, *, eps=1e-5):
    return _by_groups(g, x, weight, bias, x.shape[-1], eps)


@exports(ops.group_norm)
def _group_norm(g, x, weight, bias, *, num_groups, eps=1e-5):
    return _by_groups(g, x, weight, bias, num_groups, eps)


def _by_groups(g, x, weight, bias, num_groups, eps):
    weight = np.ones(x.shape[-1], x.dtype) if weight is None else weight
    bias = np.zeros(x.shape[-1], x.dtype) if bias is None else bias
    names = [g.channels_first(x), g.name(weight), g.name(bias)]
    first = g.node("GroupNormalization", *names, num_groups=num_groups, epsilon=float(eps))
    return g.result(first=first) if x.ndim > 2 else g.result(first)


@exports(ops.local_response_norm)
def _local_response_norm(g, x, *, size, alpha=1e-4, beta=0.75, k=1.0):
    if size % 2 == 0:
        raise OptionError(
            f"local response norm over {size} channels cannot be written in ONNX",
            expected="an odd number of channels",
        )
    first = g.node("LRN", g.channels_first(x), size=size, alpha=float(alpha), beta=float(beta),
                   bias=float(k))  # fmt: skip
    return g.result(first=first)


# ---- reductions --------------------------------------------------------------------------------


def _reduction(kind):
    def write(g, x, *, axis=None, keepdims=False):
        return reduced(g, kind, x, axis, keepdims)

    return write


def reduced(g, kind, x, axis, keepdims=False) -> Value:
    """A reduction over axes; over all positions of a map in the order in which it is there."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = sorted(a % x.ndim for a in axes)
    if not axes:
        return g.out("Identity", x)
    positions = list(range(1, x.ndim - 1))
    if is_first(x) and axes == positions:
        moved = g.constant(np.array([a + 1 for a in positions], np.int64))
        name = g.node(kind, x.first, moved, keepdims=int(keepdims))
        return g.result(first=name) if keepdims else g.result(name)
    return g.out(kind, x, g.constant(np.array(axes, np.int64)), keepdims=int(keepdims))


for _operation, _kind in (
    (ops.sum, "ReduceSum"), (ops.mean, "ReduceMean"), (ops.max, "ReduceMax"),
    (ops.min, "ReduceMin"), (ops.logsumexp, "ReduceLogSumExp"),
):  # fmt: skip
    EXPORTS[_operation] = _reduction(_kind)


@exports(ops.var)
def _var(g, x, *, axis=None, keepdims=False):
    return g.result(_variance(g, x, axis, keepdims))


@exports(ops.std)
def _std(g, x, *, axis=None, keepdims=False):
    return g.result(g.node("Sqrt", _variance(g, x, axis, keepdims)))


def _variance(g, x, axis, keepdims):
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    over = g.constant(np.array([a % x.ndim for a in axes], np.int64))
    deviation = g.node("Sub", x, g.node("ReduceMean", x, over, keepdims=1))
    return g.node("ReduceMean", g.node("Mul", deviation, deviation), over, keepdims=int(keepdims))


@exports(ops.argmax)
def _argmax(g, x, *, axis=None):
    return _arg(g, "ArgMax", x, axis)


@exports(ops.argmin)
def _argmin(g, x, *, axis=None):
    return _arg(g, "ArgMin", x, axis)


def _arg(g, kind, x, axis):
    if axis is None:
        x, axis = g.node("Reshape", x, g.constant(np.array([-1]))), 0
    return g.result(g.cast(g.node(kind, x, axis=axis, keepdims=0), g.dtype))


# ---- shapes -----------------------------------------------------------------------------------


@exports(ops.reshape)
def _reshape(g, x, *, shape):
    return g.result(g.reshaped(x, g.shape))


@exports(ops.expand_dims)
def _expand_dims(g, x, *, axis):
    return g.result(g.reshaped(x, g.shape))


@exports(ops.squeeze)
def _squeeze(g, x, *, axis=None):
    return g.result(g.reshaped(x, g.shape))


@exports(ops.transpose)
def _transpose(g, x, *, axes=None):
    return g.out("Transpose", x, perm=list(axes or range(x.ndim)[::-1]))


@exports(ops.broadcast_to)
def _broadcast_to(g, x, *, shape):
    return g.out("Expand", x, g.sizes(g.shape))


@exports(ops.pad)
def _pad(g, x, *, widths, value=0.0):
    first = is_first(x)
    order = [0, x.ndim - 1, *range(1, x.ndim - 1)] if first else range(x.ndim)
    pads = [widths[i][0] for i in order] + [widths[i][1] for i in order]
    name = g.channels_first(x) if first else g.name(x)
    filled = g.constant(np.asarray(value, x.dtype))
    out = g.node("Pad", name, g.constant(np.array(pads, np.int64)), filled)
    return g.result(first=out) if first else g.result(out)


@exports(ops.pad_borders)
def _pad_borders(g, x, *, padding, mode):
    pads = [0, 0, *(lo for lo, _ in padding), 0, 0, *(hi for _, hi in padding)]
    mode = {"reflect": "reflect", "replicate": "edge"}[mode]
    amounts = g.constant(np.array(pads, np.int64))
    return g.result(first=g.node("Pad", g.channels_first(x), amounts, mode=mode))


@exports(ops.shapes._join)
def _join(g, *parts, axis):
    axes = len(g.shape)
    if axes > 2 and axis % axes == axes - 1 and all(is_first(part) for part in parts):
        return g.result(first=g.node("Concat", *(part.first for part in parts), axis=1))
    return g.out("Concat", *parts, axis=axis)


@exports(ops.flip)
def _flip(g, x, *, axis=None):
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return g.result(_sliced(g, x, {a % x.ndim: slice(None, None, -1) for a in axes}))


@exports(ops.getitem)
def _getitem(g, x, *, index):
    index = index if isinstance(index, tuple) else (index,)
    if any(i is Ellipsis for i in index):
        place = next(k for k, i in enumerate(index) if i is Ellipsis)
        given = sum(i is not None for i in index) - 1
        rest = (slice(None),) * (x.ndim - given)
        index = (*index[:place], *rest, *index[place + 1 :])
    fits = all(i is None or isinstance(i, int | slice) for i in index)
    if len(index) == 1 and isinstance(index[0], Value) and index[0].dtype.kind in "iu":
        return g.out("Gather", x, index[0], axis=0)
    if not fits:
        raise OptionError(
            f"x[{', '.join(type(i).__name__ for i in index)}] cannot be written in ONNX",
            expected="numbers, slices, None and ..., or one array of whole numbers",
            mend="use ops.take",
        )
    slices, axis = {}, 0
    for i in index:
        if i is None:
            continue
        if isinstance(i, slice):
            slices[axis] = i
        else:
            slices[axis] = slice(i, i + 1 if i != -1 else None)
        axis += 1
    return g.result(g.reshaped(_sliced(g, x, slices), g.shape))


def _sliced(g, x, slices: dict) -> str:
    """Name of x with a slice taken along some axes."""
    big = np.iinfo(np.int64).max
    starts, ends, axes, steps = [], [], [], []
    for axis, s in slices.items():
        if s == slice(None):
            continue
        step = 1 if s.step is None else s.step
        starts.append((0 if step > 0 else big) if s.start is None else s.start)
        ends.append((big if step > 0 else -big) if s.stop is None else s.stop)
        axes.append(axis)
        steps.append(step)
    if not axes:
        return g.name(x)
    return g.node("Slice", x, *(g.constant(np.array(n, np.int64))
                                for n in (starts, ends, axes, steps)))  # fmt: skip


@exports(ops.take)
def _take(g, x, indices, *, axis=0):
    return g.out("Gather", x, indices, axis=axis)


@exports(ops.one_hot)
def _one_hot(g, labels, *, num_classes):
    values = g.constant(np.array([0, 1], g.dtype))
    return g.out("OneHot", labels, g.constant(np.array([num_classes])), values, axis=-1)


# ---- attention ---------------------------------------------------------------------------------


@exports(ops.attention)
def _attention(g, q, k, v, *, num_heads=1, mask=None, causal=False, dropout=0.0, key=None):
    weights = _attention_weights(g, q, k, num_heads, mask, causal)
    product = g.node("MatMul", weights, _heads(g, v, num_heads))
    order = [*range(q.ndim - 2), q.ndim - 1, q.ndim - 2, q.ndim]
    return g.result(g.reshaped(g.node("Transpose", product, perm=order), g.shape))


@exports(ops.attention_weights)
def _attention_weights_alone(g, q, k, *, num_heads=1, mask=None, causal=False):
    return g.result(_attention_weights(g, q, k, num_heads, mask, causal))


def _attention_weights(g, q, k, num_heads, mask, causal):
    scale = (q.shape[-1] // num_heads) ** -0.5
    scaled = g.node("Mul", _heads(g, q, num_heads), g.constant(np.asarray(scale, q.dtype)))
    scores = g.node("MatMul", scaled, _heads(g, k, num_heads, turned=True))
    allowed = None
    if mask is not None:
        allowed = g.name(mask)
    if causal:
        below = g.constant(np.tril(np.ones((q.shape[-2], k.shape[-2]), bool)))
        allowed = below if allowed is None else g.node("And", allowed, below)
    if allowed is None:
        return g.node("Softmax", scores, axis=-1)
    least = g.constant(np.asarray(np.finfo(q.dtype).min, q.dtype))
    weights = g.node("Softmax", g.node("Where", allowed, scores, least), axis=-1)
    # a query that may see no key gets zeros
    return g.node("Where", allowed, weights, g.constant(np.asarray(0, q.dtype)))


def _heads(g, x, num_heads, turned=False) -> str:
    """(..., tokens, features) -> (..., heads, tokens, d), or (..., heads, d, tokens)."""
    split = g.reshaped(x, (*x.shape[:-1], num_heads, x.shape[-1] // num_heads))
    before, (tokens, heads, d) = range(x.ndim - 2), range(x.ndim - 2, x.ndim + 1)
    return g.node(
        "Transpose", split, perm=[*before, heads, *((d, tokens) if turned else (tokens, d))]
    )


@exports(ops.rotary)
def _rotary(g, x, *, num_heads=1, base=10000.0):
    tokens, features = x.shape[-2:]
    d = features // num_heads
    angles = np.arange(tokens)[:, None] * base ** (-2 * np.arange(d // 2) / d)
    cos, sin = (np.concatenate([f(angles)] * 2, -1).astype(x.dtype) for f in (np.cos, np.sin))
    heads = _heads(g, x, num_heads)
    last = x.ndim  # (..., heads, tokens, d)
    a, b = g.node("Split", heads, axis=last, num_outputs=2, outputs=2)
    turned = g.node("Concat", g.node("Neg", b), a, axis=last)
    out = g.node(
        "Add", g.node("Mul", heads, g.constant(cos)), g.node("Mul", turned, g.constant(sin))
    )
    order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2, x.ndim]
    return g.result(g.reshaped(g.node("Transpose", out, perm=order), g.shape))


# ---- recurrence ---------------------------------------------------------------------------------


@exports(ops.rnn)
def _rnn(
    g, x, weight, hidden_weight, bias, h0, *, activation=ops.tanh, lengths=None, reverse=False
):
    kinds = {ops.tanh: "Tanh", ops.relu: "Relu", ops.sigmoid: "Sigmoid"}
    if activation not in kinds:
        raise OptionError(
            f"an RNN with the activation {activation.name} cannot be written in ONNX",
            expected="tanh, relu or sigmoid",
        )
    parts = _recurrent(g, "RNN", x, (weight, hidden_weight, bias), None, (0,), [h0], lengths,
                       reverse, activations=[kinds[activation]])  # fmt: skip
    return g.out("Concat", *parts, axis=1)


@exports(ops.lstm)
def _lstm(g, x, weight, hidden_weight, bias, h0, c0, *, lengths=None, reverse=False):
    # ours: input, forget, candidate, output; ONNX: input, output, forget, candidate
    parts = _recurrent(g, "LSTM", x, (weight, hidden_weight, bias), None, (0, 3, 1, 2), [h0, c0],
                       lengths, reverse)  # fmt: skip
    return g.out("Concat", *parts, axis=1)


@exports(ops.gru)
def _gru(g, x, weight, hidden_weight, bias, hidden_bias, h0, *, lengths=None, reverse=False):
    # ours: reset, update, candidate; ONNX: update, reset, candidate
    parts = _recurrent(g, "GRU", x, (weight, hidden_weight, bias), hidden_bias, (1, 0, 2), [h0],
                       lengths, reverse, linear_before_reset=1)  # fmt: skip
    return g.out("Concat", *parts, axis=1)


def _recurrent(g, kind, x, weights, hidden_bias, order, states, lengths, reverse, **attributes):
    """Names of the outputs (batch, time, hidden), and of each final state (batch, 1, hidden)."""
    if any(w.array is None for w in weights):
        raise OptionError(f"a {kind} whose weights are computed", expected="fixed weights")
    weight, hidden_weight, bias = (w.array for w in weights)
    hidden = hidden_weight.shape[0]

    def gates(array):
        return np.concatenate([np.split(array, len(order), -1)[i] for i in order], -1)

    second = np.zeros_like(bias)
    if hidden_bias is not None:
        second[2 * hidden :] = hidden_bias.array
    both = np.concatenate([gates(bias), second])  # the candidate stands last in both orders
    w, r = (gates(a).T[None] for a in (weight, hidden_weight))
    time_first = g.node("Transpose", x, perm=[1, 0, 2])
    starts = [None if s is None else g.node("Unsqueeze", s, g.constant(np.array([0])))
              for s in states]  # fmt: skip
    ends = None if lengths is None else g.cast(lengths, np.int32)
    outs = g.node(
        kind, time_first, g.constant(w, weights[0].hint or "constant"),
        g.constant(r, weights[1].hint or "constant"), g.constant(both[None]), ends, *starts,
        outputs=1 + len(states), hidden_size=hidden,
        direction="reverse" if reverse else "forward", **attributes,
    )  # fmt: skip
    # (time, directions = 1, batch, hidden) -> (batch, time, hidden)
    rows = g.node("Squeeze", outs[0], g.constant(np.array([1])))
    rows = g.node("Transpose", rows, perm=[1, 0, 2])
    return [rows, *(g.node("Transpose", final, perm=[1, 0, 2]) for final in outs[1:])]
