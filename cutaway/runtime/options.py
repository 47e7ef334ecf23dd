"""XLA's compiler options: their names change between versions, so each is tested before use."""

import functools

import jax


def are_known(options: dict) -> bool:
    """Whether this version of XLA accepts the options, on the current device."""
    return _are_known(tuple(options.items()))


@functools.cache
def _are_known(options) -> bool:
    try:
        jax.jit(lambda x: x + 1, compiler_options=dict(options)).lower(1.0).compile()
    except Exception:  # XLA raises many classes of errors; in any case, do without
        return False
    return True
