"""Elementwise operations, in ONNX."""

import numpy as np

from cutaway import ops
from cutaway.export.operations.registry import EXPORTS, exports


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
