"""Activation functions of the pre-activation z. Each derivative is below its function."""

import math

import jax
import jax.numpy as jnp

from cutaway.engine import Activation
from cutaway.engine.operation import operation
from cutaway.ops.arithmetic import unbroadcast


@operation(activation=Activation("Threshold", range=(0, 1), largest_slope=0.0, turns_off=True))
def threshold(z, *, at=0.0):
    """Step: 1 where z >= at, otherwise 0. McCulloch & Pitts 1943.

    Its derivative is 0 wherever it exists, so gradient descent cannot train through it.
    """
    return (z >= at).astype(z.dtype)


@threshold.backward
def threshold_backward(grad, out, z, *, at=0.0):
    return jnp.zeros_like(grad)


threshold.formula("1 if z >= at else 0")


@threshold.onnx
def threshold_onnx(g, z, *, at=0.0):
    return g.result(g.cast(g.node("GreaterOrEqual", z, at), g.dtype))


@operation(activation=Activation("Identity", symbol="id", changes_nothing=True))
def linear(z):
    """Identity: z, derivative 1."""
    return z


@linear.backward
def linear_backward(grad, out, z):
    return grad


linear.onnx("Identity")


@operation(activation=Activation("Sigmoid", symbol="σ", range=(0, 1), largest_slope=0.25))
def sigmoid(z):
    """Logistic function σ(z) = 1 / (1 + e⁻ᶻ), in (0, 1)."""
    return jax.nn.sigmoid(z)


@sigmoid.backward
def sigmoid_backward(grad, out, z):
    # dσ/dz = σ (1 - σ), at most 1/4: a chain of sigmoids shrinks the gradient at every link
    return grad * out * (1 - out)


sigmoid.formula("1 / (1 + exp(-z))", slope="out * (1 - out)")
sigmoid.onnx("Sigmoid")


@operation(activation=Activation("Tanh", range=(-1, 1)))
def tanh(z):
    """Hyperbolic tangent, in (-1, 1)."""
    return jnp.tanh(z)


@tanh.backward
def tanh_backward(grad, out, z):
    # d tanh/dz = 1 - tanh², at most 1
    return grad * (1 - out * out)


tanh.formula("(exp(z) - exp(-z)) / (exp(z) + exp(-z))", slope="1 - out**2")
tanh.onnx("Tanh")


@operation(activation=Activation("ReLU", range=(0, math.inf), turns_off=True, rectifies=True))
def relu(z):
    """Rectified linear unit: max(z, 0). Nair & Hinton 2010; derivative 0 at z = 0."""
    return jnp.maximum(z, 0)


@relu.backward
def relu_backward(grad, out, z):
    # 1 for z > 0, otherwise 0: a unit that is never positive stops learning
    return jnp.where(out > 0, grad, 0)


relu.formula("max(0, z)")
relu.onnx("Relu")


@operation(activation=Activation("ReLU6", range=(0, 6), turns_off=True, rectifies=True))
def relu6(z):
    """min(max(z, 0), 6): a bounded ReLU, suited to quantization. Krizhevsky 2010, "Convolutional
    deep belief networks on CIFAR-10"; derivative 0 at both ends."""
    return jnp.clip(z, 0, 6)


@relu6.backward
def relu6_backward(grad, out, z):
    # 1 strictly between the ends, 0 elsewhere: a unit at 6 learns no more than one at 0
    return jnp.where((out > 0) & (out < 6), grad, 0)


relu6.formula("min(max(0, z), 6)")


@relu6.onnx
def relu6_onnx(g, z):
    return g.elementwise("Clip", z, 0, 6)


@operation(activation=Activation("LeakyReLU", rectifies=True))
def leaky_relu(z, *, slope=0.01):
    """z for z > 0, otherwise slope · z. Maas, Hannun & Ng 2013."""
    return jnp.where(z > 0, z, slope * z)


@leaky_relu.backward
def leaky_relu_backward(grad, out, z, *, slope=0.01):
    return jnp.where(z > 0, grad, slope * grad)


leaky_relu.formula("z if z > 0 else slope * z")


@leaky_relu.onnx
def leaky_relu_onnx(g, z, *, slope=0.01):
    return g.elementwise("LeakyRelu", z, alpha=float(slope))


@operation(activation=Activation("PReLU", rectifies=True))
def parametric_relu(z, slope):
    """z for z > 0, otherwise slope · z with a learned slope. He et al. 2015, arXiv:1502.01852.

    Shapes:
        z: (..., features)
        slope: () or (1,) for one slope, (features,) for one per feature
    """
    return jnp.where(z > 0, z, slope * z)


@parametric_relu.backward
def parametric_relu_backward(grad, out, z, slope):
    # ∂/∂slope = z where z <= 0, summed over all elements that share the slope
    to_slope = jnp.where(z > 0, 0, grad * z)
    return jnp.where(z > 0, grad, slope * grad), unbroadcast(to_slope, slope)


parametric_relu.formula("z if z > 0 else slope * z")


@parametric_relu.onnx
def parametric_relu_onnx(g, z, slope):
    return g.out("PRelu", z, slope)


@operation(activation=Activation("ELU", range=(-1, math.inf), rectifies=True))
def elu(z, *, alpha=1.0):
    """z for z > 0, otherwise α (eᶻ - 1). Clevert et al. 2016, arXiv:1511.07289."""
    return jnp.where(z > 0, z, alpha * jnp.expm1(jnp.minimum(z, 0)))


@elu.backward
def elu_backward(grad, out, z, *, alpha=1.0):
    # d/dz α (eᶻ - 1) = α eᶻ = out + α
    return jnp.where(z > 0, grad, grad * (out + alpha))


elu.formula("z if z > 0 else alpha * (exp(z) - 1)", slope="1 if z > 0 else alpha * exp(z)")


@elu.onnx
def elu_onnx(g, z, *, alpha=1.0):
    return g.elementwise("Elu", z, alpha=float(alpha))


# the fixed point with mean 0 and variance 1, Klambauer et al. 2017, arXiv:1706.02515, eq. 14
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@operation(
    activation=Activation(
        "SELU",
        range=(-SELU_SCALE * SELU_ALPHA, math.inf),
        # just below 0, where it is steeper than above
        largest_slope=SELU_SCALE * SELU_ALPHA,
        rectifies=True,
        initializer="lecun_normal",
    ),
)
def selu(z):
    """λ z for z > 0, otherwise λ α (eᶻ - 1). Klambauer et al. 2017, arXiv:1706.02515."""
    return SELU_SCALE * jnp.where(z > 0, z, SELU_ALPHA * jnp.expm1(jnp.minimum(z, 0)))


@selu.backward
def selu_backward(grad, out, z):
    return grad * jnp.where(z > 0, SELU_SCALE, out + SELU_SCALE * SELU_ALPHA)


selu.formula(
    f"{SELU_SCALE} * z if z > 0 else {SELU_SCALE * SELU_ALPHA} * (exp(z) - 1)",
)
selu.onnx("Selu")


@operation(activation=Activation("Softplus", range=(0, math.inf), rectifies=True))
def softplus(z):
    """ln(1 + eᶻ): a smooth ReLU. Dugas et al. 2001."""
    return jax.nn.softplus(z)


@softplus.backward
def softplus_backward(grad, out, z):
    # d/dz ln(1 + eᶻ) = σ(z)
    return grad * jax.nn.sigmoid(z)


softplus.formula("ln(1 + exp(z))", slope="1 / (1 + exp(-z))")
softplus.onnx("Softplus")


@operation(
    activation=Activation("SiLU", range=(-0.27846, math.inf), largest_slope=1.09984, rectifies=True)
)
def silu(z):
    """Swish: z σ(z). Elfwing et al. 2018; Ramachandran et al. 2017, arXiv:1710.05941."""
    return jax.nn.silu(z)


@silu.backward
def silu_backward(grad, out, z):
    # d/dz z σ = σ + z σ (1 - σ) = σ + out (1 - σ)
    s = jax.nn.sigmoid(z)
    return grad * (s + out * (1 - s))


silu.formula("z / (1 + exp(-z))")


@silu.onnx
def silu_onnx(g, z):
    return g.elementwise("Mul", z, g.elementwise("Sigmoid", z))


swish = silu


@operation(
    activation=Activation("Mish", range=(-0.30884, math.inf), largest_slope=1.0885, rectifies=True)
)
def mish(z):
    """z tanh(ln(1 + eᶻ)). Misra 2019, arXiv:1908.08681."""
    return z * _tanh_softplus(_exp_of_mish(z))


@mish.backward
def mish_backward(grad, out, z):
    # with t = tanh(ln(1 + eᶻ)): d/dz z t = t + z (1 - t²) σ(z), for (ln(1 + eᶻ))' = σ(z)
    e = _exp_of_mish(z)
    t = _tanh_softplus(e)
    return grad * (t + jnp.minimum(z, 20) * (1 - t * t) * e / (1 + e))


mish.formula("z * tanh(ln(1 + exp(z)))")


@mish.onnx
def mish_onnx(g, z):
    return g.elementwise("Mul", z, g.elementwise("Tanh", g.elementwise("Softplus", z)))


def _exp_of_mish(z):
    return jnp.exp(jnp.minimum(z, 20))  # beyond, t is 1 also in float64


def _tanh_softplus(e):
    """t of e = eᶻ, with one exponential: ((1 + e)² - 1) / ((1 + e)² + 1) = n / (n + 2)."""
    n = e * (e + 2)
    return n / (n + 2)


@operation(activation=Activation("HardSigmoid", range=(0, 1), largest_slope=1 / 6, turns_off=True))
def hard_sigmoid(z):
    """(z + 3) / 6, at least 0 and at most 1: σ without exponentials. Courbariaux et al. 2015,
    arXiv:1511.00363; with this slope Howard et al. 2019, arXiv:1905.02244, sec. 5.2."""
    return jnp.clip(z + 3, 0, 6) / 6


@hard_sigmoid.backward
def hard_sigmoid_backward(grad, out, z):
    return jnp.where((z > -3) & (z < 3), grad / 6, 0)


hard_sigmoid.formula("max(0, min(1, (z + 3) / 6))")
hard_sigmoid.onnx("HardSigmoid", alpha=1 / 6, beta=0.5)


@operation(
    activation=Activation(
        "HardSwish", range=(-0.375, math.inf), largest_slope=1.5, turns_off=True, rectifies=True
    )
)
def hard_swish(z):
    """Swish with the hard sigmoid: z min(max(z + 3, 0), 6) / 6. Howard et al. 2019,
    arXiv:1905.02244, sec. 5.2."""
    return z * (jnp.clip(z + 3, 0, 6) / 6)


@hard_swish.backward
def hard_swish_backward(grad, out, z):
    # d/dz z (z + 3) / 6 = z / 3 + 1/2 between the ends, 0 below them, 1 above
    return grad * jnp.where(z <= -3, 0, jnp.where(z < 3, z / 3 + 0.5, 1))


hard_swish.formula("z * max(0, min(6, z + 3)) / 6")
hard_swish.onnx("HardSwish")

_SQRT_2 = 2**0.5
_SQRT_2_OVER_PI = (2 / jnp.pi) ** 0.5


@operation(
    activation=Activation("GELU", range=(-0.16997, math.inf), largest_slope=1.12891, rectifies=True)
)
def gelu(z):
    """z Φ(z) with the normal distribution function Φ. Hendrycks & Gimpel 2016, arXiv:1606.08415."""
    return z * _normal_cdf(z)


@gelu.backward
def gelu_backward(grad, out, z):
    # d/dz z Φ = Φ + z φ with the normal density φ
    density = jnp.exp(-z * z / 2) * (_SQRT_2_OVER_PI / 2)
    return grad * (_normal_cdf(z) + z * density)


gelu.formula("z * Phi(z)")
gelu.onnx("Gelu")


def _normal_cdf(z):
    return 0.5 * (1 + jax.lax.erf(z / _SQRT_2))


@operation(
    activation=Activation("GELU", range=(-0.17004, math.inf), largest_slope=1.12895, rectifies=True)
)
def gelu_tanh(z):
    """GELU with Φ(z) ≈ (1 + tanh(√(2/π) (z + 0.044715 z³))) / 2; faster. Same paper."""
    return 0.5 * z * (1 + jnp.tanh(_gelu_inner(z)))


@gelu_tanh.backward
def gelu_tanh_backward(grad, out, z):
    t = jnp.tanh(_gelu_inner(z))
    # far from 0 tanh is ±1 and z² may overflow: only 1 - t² = 0 counts there
    inner_slope = _SQRT_2_OVER_PI * (1 + 3 * 0.044715 * jnp.square(jnp.clip(z, -1e3, 1e3)))
    return grad * 0.5 * (1 + t + z * (1 - t * t) * inner_slope)


gelu_tanh.onnx("Gelu", approximate="tanh")


def _gelu_inner(z):
    return _SQRT_2_OVER_PI * (z + 0.044715 * z * z * z)


@operation(
    edges="rowwise",
    activation=Activation(
        "Softmax", range=(0, 1), largest_slope=0.25, own_slope=lambda out: out * (1 - out)
    ),
)
def softmax(z, *, axis=-1):
    """eᶻ / Σ eᶻ along the axis: positive, sums to 1."""
    return jax.nn.softmax(z, axis=axis)


@softmax.backward
def softmax_backward(grad, out, z, *, axis=-1):
    # ∂p_i/∂z_j = p_i (δ_ij - p_j)
    return out * (grad - jnp.sum(grad * out, axis=axis, keepdims=True))


# ∂out_i/∂z_j
softmax.formula("exp(z_i) / sum(exp(z))", slope="out_i * (1 - out_i) if i == j else -out_i * out_j")


@softmax.onnx
def softmax_onnx(g, z, *, axis=-1):
    return g.out("Softmax", z, axis=axis)


@operation(
    edges="rowwise",
    activation=Activation(
        "LogSoftmax", range=(-math.inf, 0), own_slope=lambda out: 1 - jnp.exp(out)
    ),
)
def log_softmax(z, *, axis=-1):
    """z - ln Σ eᶻ along the axis, without overflow."""
    return jax.nn.log_softmax(z, axis=axis)


@log_softmax.backward
def log_softmax_backward(grad, out, z, *, axis=-1):
    # ∂ ln p_i/∂z_j = δ_ij - p_j
    return grad - jnp.exp(out) * jnp.sum(grad, axis=axis, keepdims=True)


log_softmax.formula("z_i - ln(sum(exp(z)))", slope="1 - exp(out_i) if i == j else -exp(out_j)")


@log_softmax.onnx
def log_softmax_onnx(g, z, *, axis=-1):
    return g.out("LogSoftmax", z, axis=axis)
