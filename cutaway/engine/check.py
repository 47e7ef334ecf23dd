"""check_gradient: is a rule right? Compared with central differences in float64."""

import jax
import jax.numpy as jnp
import numpy as np

from cutaway.engine.tape import no_grad
from cutaway.engine.tensor import Tensor, as_array, float64, gradients
from cutaway.errors import GradientError, expect_function


def check_gradient(f, *inputs, eps: float = 1e-6, rtol: float = 1e-6, atol: float = 1e-8) -> float:
    """Compare the gradients of f with central differences, element by element, in float64.

    The result of f is weighted by fixed random numbers and summed to one number L, so that every
    element of every output counts. Each element of each floating-point input is then moved by
    ±eps: ∂L/∂x ≈ (L(x + eps) - L(x - eps)) / (2 eps).

    Args:
        f: function of Tensors that returns a Tensor, or a tuple of them; must not draw random
            numbers.
        inputs: arrays; integer arrays are passed on as they are.
        eps: the step.
        rtol, atol: |rule - difference| <= atol + rtol * max(1, largest |difference|) must hold.

    Returns:
        The largest absolute deviation.

    Raises:
        GradientError: names the input and the element with the largest deviation.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> ct.check_gradient(lambda x: x * x, np.array([1.0, -2.0])) < 1e-8
        True
    """
    expect_function(f, what="f", expected="a function of Tensors that returns a Tensor")
    with float64():
        arrays = [_wide(x) for x in inputs]
        moved = [i for i, x in enumerate(arrays) if jnp.issubdtype(x.dtype, jnp.floating)]
        leaves = [Tensor(x, requires_grad=i in moved) for i, x in enumerate(arrays)]
        rng = np.random.default_rng(0)
        weighed = [
            (out, jnp.asarray(rng.uniform(0.5, 1.5, out.shape))) for out in _outputs(f(*leaves))
        ]
        by_rule = {}
        for out, weights in weighed:
            for leaf, g in gradients(out, weights) if out.requires_grad else ():
                by_rule[id(leaf)] = by_rule.get(id(leaf), 0) + g
        every_weight = [weights for _, weights in weighed]

        @no_grad()
        def total(values):
            outs = _outputs(f(*(Tensor(v) for v in values)))
            return sum(
                jnp.sum(out.data * weights) for out, weights in zip(outs, every_weight, strict=True)
            )

        worst = 0.0
        for i in moved:
            x = arrays[i]
            if x.size == 0:
                continue
            step = eps * jnp.eye(x.size).reshape(x.size, *x.shape)

            @jax.jit
            def differences(step, i=i, x=x):
                def one(h):
                    above = total([x + h if k == i else a for k, a in enumerate(arrays)])
                    below = total([x - h if k == i else a for k, a in enumerate(arrays)])
                    return (above - below) / (2 * eps)

                return jax.lax.map(one, step, batch_size=64)

            numeric = np.asarray(differences(step)).reshape(x.shape)
            rule = np.asarray(by_rule.get(id(leaves[i]), jnp.zeros_like(x)))
            if rule.shape != numeric.shape:
                raise GradientError(
                    f"check_gradient: the gradient of input {i} has shape {rule.shape}",
                    expected=f"the input's own shape, {numeric.shape}",
                    fix="sum the gradient over the axes that were broadcast",
                )
            deviation = np.abs(rule - numeric)
            allowed = atol + rtol * max(1.0, np.abs(numeric).max())
            at = np.unravel_index(int(np.nanargmax(deviation)), x.shape)
            if not np.all(deviation <= allowed):
                where = tuple(int(k) for k in at)
                raise GradientError(
                    f"check_gradient: input {i}, element {where}: the rule gives {rule[at]:.10g}",
                    expected=f"{numeric[at]:.10g} by central differences, up to {allowed:.1e}",
                    fix="derive the rule again for this element; mind kinks within eps of it",
                )
            worst = max(worst, float(deviation[at]))
        return worst


def _outputs(result) -> list:
    """The Tensors that f returned, but for integers, which nothing moves by a little."""
    outs = result if isinstance(result, tuple) else (result,)
    return [out for out in outs if jnp.issubdtype(out.dtype, jnp.floating)]


def _wide(x):
    x = as_array(x)
    return x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x
