"""Gradient descent: plain, and with momentum."""

from cutaway.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent: w ← w - η g.

    The batch decides which of the textbooks' three it is: the whole set (gradient descent), one
    row (stochastic), or some rows (mini-batch).

    References:
        Robbins & Monro 1951, "A stochastic approximation method", Ann. Math. Statist. 22(3).
    """

    def update(self, p, g):
        return (p - self.lr * g,)
