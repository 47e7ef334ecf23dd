"""Options for XLA: their names come and go with versions, so each is tried before use."""

import functools

import jax


def are_known(options: dict) -> bool:
    """Whether this XLA takes the options, on the device that is used."""
    return _are_known(tuple(options.items()))


@functools.cache
def _are_known(options) -> bool:
    try:
        jax.jit(lambda x: x + 1, compiler_options=dict(options)).lower(1.0).compile()
    except Exception:  # XLA's errors are of many classes; whatever it is, do without
        return False
    return True
