"""ONNX forms of the JAX primitives used between operations: masks, counts, and dtypes."""

import numpy as np

from cutaway.export.graph import Value

PRIMITIVES = {}  # name of a JAX primitive -> function (graph, inputs, parameters) -> Value


def _primitive(*names):
    def register(function):
        for name in names:
            PRIMITIVES[name] = function
        return function

    return register


def _simple(kind):
    return lambda g, inputs, params: g.elementwise(kind, *inputs)


for _name, _kind in (
    ("add", "Add"), ("add_any", "Add"), ("sub", "Sub"), ("mul", "Mul"), ("div", "Div"),
    ("max", "Max"), ("min", "Min"), ("neg", "Neg"), ("exp", "Exp"), ("log", "Log"),
    ("sqrt", "Sqrt"), ("abs", "Abs"), ("sign", "Sign"), ("floor", "Floor"), ("ceil", "Ceil"),
    ("tanh", "Tanh"), ("logistic", "Sigmoid"), ("pow", "Pow"), ("eq", "Equal"), ("lt", "Less"),
    ("le", "LessOrEqual"), ("gt", "Greater"), ("ge", "GreaterOrEqual"), ("and", "And"),
    ("or", "Or"), ("not", "Not"), ("xor", "Xor"), ("erf", "Erf"), ("sin", "Sin"), ("cos", "Cos"),
    ("stop_gradient", "Identity"), ("copy", "Identity"), ("copy_p", "Identity"),
):  # fmt: skip
    PRIMITIVES[_name] = _simple(_kind)


@_primitive("ne")
def _ne(g, inputs, params):
    return g.out("Not", g.node("Equal", *inputs))


@_primitive("square")
def _square(g, inputs, params):
    return g.elementwise("Mul", inputs[0], inputs[0])


@_primitive("integer_pow")
def _integer_pow(g, inputs, params):
    return g.elementwise("Pow", inputs[0], params["y"])


@_primitive("rsqrt")
def _rsqrt(g, inputs, params):
    return g.out("Reciprocal", g.node("Sqrt", inputs[0]))


@_primitive("convert_element_type")
def _convert(g, inputs, params):
    return g.result(g.cast(inputs[0], g.dtype))


@_primitive("select_n")
def _select(g, inputs, params):
    condition, if_false, if_true = inputs
    return g.out("Where", condition, if_true, if_false)


@_primitive("clamp")
def _clamp(g, inputs, params):
    low, x, high = inputs
    return g.out("Min", g.node("Max", x, low), high)


def _reduction(kind):
    return lambda g, inputs, params: g.reduced(kind, inputs[0], params["axes"])


for _name, _kind in (
    ("reduce_sum", "ReduceSum"), ("reduce_max", "ReduceMax"), ("reduce_min", "ReduceMin"),
    ("reduce_prod", "ReduceProd"),
):  # fmt: skip
    PRIMITIVES[_name] = _reduction(_kind)


def _logical(kind):
    def write(g, inputs, params):
        # ONNX reduces numbers only
        numbers = Value(inputs[0].shape, np.int32, last=g.cast(inputs[0], np.int32))
        return g.result(g.cast(g.name(g.reduced(kind, numbers, params["axes"])), bool))

    return write


PRIMITIVES["reduce_or"] = _logical("ReduceMax")
PRIMITIVES["reduce_and"] = _logical("ReduceMin")


@_primitive("argmax", "argmin")
def _arg(g, inputs, params):
    kind = {"argmax": "ArgMax", "argmin": "ArgMin"}[params.get("kind", "argmax")]
    return g.result(g.cast(g.node(kind, inputs[0], axis=params["axes"][0], keepdims=0), g.dtype))


@_primitive("broadcast_in_dim")
def _broadcast(g, inputs, params):
    x = inputs[0]
    placed = [1] * len(g.shape)
    for size, axis in zip(x.shape, params["broadcast_dimensions"], strict=True):
        placed[axis] = size
    name = g.name(x) if tuple(placed) == x.shape else g.reshaped(x, tuple(placed))
    if tuple(placed) == g.shape:
        return g.result(name)
    return g.result(g.node("Expand", name, g.sizes(g.shape)))


@_primitive("reshape", "squeeze", "expand_dims")
def _reshape(g, inputs, params):
    return g.result(g.reshaped(inputs[0], g.shape))


@_primitive("transpose")
def _transpose(g, inputs, params):
    return g.out("Transpose", inputs[0], perm=list(params["permutation"]))


@_primitive("concatenate")
def _concatenate(g, inputs, params):
    return g.out("Concat", *inputs, axis=params["dimension"])


@_primitive("slice")
def _slice(g, inputs, params):
    starts, ends, axes, steps = [], [], [], []
    strides = params["strides"] or (1,) * inputs[0].ndim
    everything = np.iinfo(np.int64).max
    for axis, (start, end, step) in enumerate(
        zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    ):
        starts.append(start)
        # slice to the end, since the size may depend on the batch
        ends.append(everything if end == inputs[0].shape[axis] else end)
        axes.append(axis)
        steps.append(step)
    return g.out("Slice", inputs[0], *(g.constant(np.array(n, np.int64))
                                       for n in (starts, ends, axes, steps)))  # fmt: skip


@_primitive("iota")
def _iota(g, inputs, params):
    axis = params["dimension"]
    size = g.shape[axis]
    around = [1] * len(g.shape)
    around[axis] = size
    line = Value((size,), g.dtype, array=np.arange(size, dtype=g.dtype))
    name = g.name(line) if len(g.shape) == 1 else g.reshaped(line, tuple(around))
    if tuple(around) == g.shape:
        return g.result(name)
    return g.result(g.node("Expand", name, g.sizes(g.shape)))


@_primitive("cumsum")
def _cumsum(g, inputs, params):
    axis = g.constant(np.asarray(params["axis"], np.int64))
    return g.out("CumSum", inputs[0], axis, reverse=int(params["reverse"]))
