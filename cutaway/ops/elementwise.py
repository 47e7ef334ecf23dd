"""Elementwise functions of one array, and selection between arrays."""

import jax.numpy as jnp

from cutaway.engine.operation import operation
from cutaway.ops.arithmetic import unbroadcast


@operation(edges="elementwise", role="arithmetic")
def negative(x):
    """-x."""
    return jnp.negative(x)


@negative.backward
def negative_backward(grad, out, x):
    return -grad


negative.onnx("Neg")


@operation(edges="elementwise")
def exp(x):
    """eˣ."""
    return jnp.exp(x)


@exp.backward
def exp_backward(grad, out, x):
    # d eˣ/dx = eˣ
    return grad * out


exp.onnx("Exp")


@operation(edges="elementwise")
def expm1(x):
    """eˣ - 1, exact for small x."""
    return jnp.expm1(x)


@expm1.backward
def expm1_backward(grad, out, x):
    return grad * (out + 1)


@expm1.onnx
def expm1_onnx(g, x):
    return g.out("Sub", g.node("Exp", x), 1)


@operation(edges="elementwise")
def log(x):
    """Natural logarithm."""
    return jnp.log(x)


@log.backward
def log_backward(grad, out, x):
    # d ln x/dx = 1/x
    return grad / x


log.onnx("Log")


@operation(edges="elementwise")
def log1p(x):
    """ln(1 + x), exact for small x."""
    return jnp.log1p(x)


@log1p.backward
def log1p_backward(grad, out, x):
    return grad / (1 + x)


@log1p.onnx
def log1p_onnx(g, x):
    return g.out("Log", g.node("Add", x, 1))


@operation(edges="elementwise")
def sqrt(x):
    """√x."""
    return jnp.sqrt(x)


@sqrt.backward
def sqrt_backward(grad, out, x):
    # d √x/dx = 1 / (2 √x), infinite at 0
    return grad / (2 * out)


sqrt.onnx("Sqrt")


@operation(edges="elementwise")
def square(x):
    """x²."""
    return jnp.square(x)


@square.backward
def square_backward(grad, out, x):
    return grad * 2 * x


@square.onnx
def square_onnx(g, x):
    return g.elementwise("Mul", x, x)


@operation(edges="elementwise")
def absolute(x):
    """|x|; the subgradient at 0 is 0."""
    return jnp.abs(x)


@absolute.backward
def absolute_backward(grad, out, x):
    # d|x|/dx = sign(x)
    return grad * jnp.sign(x)


absolute.onnx("Abs")


@operation(edges="elementwise")
def sin(x):
    """Sine of x in radians."""
    return jnp.sin(x)


@sin.backward
def sin_backward(grad, out, x):
    return grad * jnp.cos(x)


sin.onnx("Sin")


@operation(edges="elementwise")
def cos(x):
    """Cosine of x in radians."""
    return jnp.cos(x)


@cos.backward
def cos_backward(grad, out, x):
    return -grad * jnp.sin(x)


cos.onnx("Cos")


@operation(edges="elementwise")
def sign(x):
    """-1, 0 or 1; its derivative is 0."""
    return jnp.sign(x)


@sign.backward
def sign_backward(grad, out, x):
    return jnp.zeros_like(grad)


sign.onnx("Sign")


@operation(edges="elementwise")
def clip(x, *, low=None, high=None):
    """x clipped to [low, high]; None: no limit.

    The gradient passes where low <= x <= high.
    """
    return jnp.clip(x, low, high)


@clip.backward
def clip_backward(grad, out, x, *, low=None, high=None):
    return grad * (out == x)


@clip.onnx
def clip_onnx(g, x, *, low=None, high=None):
    return g.elementwise("Clip", x, low, high)


@operation(edges="elementwise")
def smooth_clip(x, *, limit=3.0):
    """x / √(1 + (x / limit)²): x near 0, and never beyond ±limit. Holzmüller et al. 2024,
    arXiv:2407.04491, sec. 3."""
    # the root is a hypotenuse, so that a square too large for the type does not turn ±limit into 0
    return x / jnp.hypot(jnp.ones_like(x), x / limit)


@smooth_clip.backward
def smooth_clip_backward(grad, out, x, *, limit=3.0):
    # with r = √(1 + (x/c)²), r' = x / (c² r): d(x/r)/dx = (r - x r') / r² = 1 / r³
    root = jnp.hypot(jnp.ones_like(x), x / limit)
    return grad / root / root / root


smooth_clip.formula("x / sqrt(1 + (x / limit)**2)", slope="1 / sqrt(1 + (x / limit)**2)**3")


@smooth_clip.onnx
def smooth_clip_onnx(g, x, *, limit=3.0):
    # in float32 nothing beyond 1e9 differs from the limit, and its square has room
    part = g.elementwise("Clip", g.elementwise("Div", x, limit), -1e9, 1e9)
    root = g.elementwise("Sqrt", g.elementwise("Add", g.elementwise("Mul", part, part), 1))
    return g.elementwise("Mul", g.elementwise("Div", part, root), limit)


@operation(edges="elementwise", role="choice")
def where(condition, a, b):
    """a where the condition holds, b elsewhere; all three broadcast."""
    return jnp.where(condition, a, b)


@where.backward
def where_backward(grad, out, condition, a, b):
    zero = jnp.zeros_like(grad)
    to_a = jnp.where(condition, grad, zero)
    to_b = jnp.where(condition, zero, grad)
    return None, unbroadcast(to_a, a), unbroadcast(to_b, b)


where.onnx("Where")
