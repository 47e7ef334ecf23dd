"""Gradient clipping: large gradients are reduced before the step."""

import jax.numpy as jnp

from cutaway.optim.hyperparameters import Adjustable, Hyperparameter
from cutaway.optim.terms import larger, named, smaller


class ClipNorm(Adjustable):
    """Scales all gradients by one factor that limits their global norm to `max_norm`.

    g ← g · min(1, max_norm / (‖g‖ + 1e-6)), ‖g‖ over all parameters; the direction is preserved.

    References:
        Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural
        networks", arXiv:1211.5063, Algorithm 1. The 1e-6 is PyTorch's.
    """

    max_norm = Hyperparameter(above=0)

    def __init__(self, max_norm: float):
        self.max_norm = max_norm

    def __call__(self, grads):
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in grads))
        scale = jnp.minimum(1, self.max_norm / (norm + 1e-6))
        return [g * scale for g in grads]

    def terms(self, g, grads):
        norm = float(jnp.sqrt(sum(jnp.sum(jnp.square(x)) for x in grads)))
        norm = yield "‖g‖", named("√(Σ g²)", norm), "global norm of all gradients"
        c = yield (
            "c",
            smaller(1, named("τ", self.max_norm) / (norm + 1e-6)),
            "common factor of all gradients",
        )
        return (yield "g", c * g, "clipped gradient")


class ClipValue(Adjustable):
    """Clips every element of every gradient to ±limit; the direction may change.

    References:
        Mikolov 2012, "Statistical language models based on neural networks", thesis.
    """

    limit = Hyperparameter(above=0)

    def __init__(self, limit: float):
        self.limit = limit

    def __call__(self, grads):
        return [jnp.clip(g, -self.limit, self.limit) for g in grads]

    def terms(self, g, grads):
        limit = named("τ", self.limit)
        return (yield "g", larger(-limit, smaller(limit, g)), "clipped gradient")
