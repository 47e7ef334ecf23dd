"""Adam and its relatives."""

import jax.numpy as jnp

from cutaway.errors import expect_range
from cutaway.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam: m and v are running means of g and g², corrected for their start at zero.

    m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²
    m̂ = m / (1 - β₁ᵗ);  v̂ = v / (1 - β₂ᵗ);  w ← w - η m̂ / (√v̂ + ε)

    Args:
        parameters, lr, schedule, clip: see Optimizer.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε > 0.

    References:
        Kingma & Ba 2015, "Adam: a method for stochastic optimization", arXiv:1412.6980,
        Algorithm 1; symbols as in the paper.
    """

    slots = ("m", "v")

    def __init__(
        self, parameters, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, schedule=None, clip=None
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip)
        for i, beta in enumerate(betas):
            expect_range(beta, what=f"betas[{i}]", least=0, below=1)
        expect_range(eps, what="eps", above=0)
        self.betas = tuple(betas)
        self.eps = eps

    def update(self, p, g, m, v):
        beta1, beta2 = self.betas
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**self.t)  # m and v start at zero: undo that bias
        v_hat = v / (1 - beta2**self.t)
        return p - self.lr * m_hat / (jnp.sqrt(v_hat) + self.eps), m, v
