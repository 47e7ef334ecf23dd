"""from_jax: an operation whose derivative JAX computes, the only use of jax.vjp for users."""

import jax
import jax.numpy as jnp

from cutaway.engine.operation import Operation, operation


def from_jax(f) -> Operation:
    """An operation from a function written in jax.numpy, with its derivative from `jax.vjp`.

    Args:
        f: positional parameters are inputs (arrays), keyword-only ones are options.

    Example:
        >>> import jax.numpy as jnp
        >>> from cutaway.ops import from_jax
        >>> sinc = from_jax(jnp.sinc)
        >>> sinc.name
        'sinc'
    """
    derived = operation(f)

    @derived.backward
    def derived_backward(grad, out, *inputs, **options):
        floating = [jnp.issubdtype(jnp.result_type(x), jnp.floating) for x in inputs]

        def of_floating(*values):
            rest = iter(values)
            full = [next(rest) if is_f else x for x, is_f in zip(inputs, floating, strict=True)]
            return f(*full, **options)

        values = [jnp.asarray(x) for x, is_f in zip(inputs, floating, strict=True) if is_f]
        _, pullback = jax.vjp(of_floating, *values)
        grads = iter(pullback(grad))
        return tuple(next(grads) if is_f else None for is_f in floating)

    return derived
