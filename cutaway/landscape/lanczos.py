"""Lanczos: the outermost eigenvalues of a symmetric matrix that is only known by its products."""

import dataclasses

import numpy as np

LEAST_STEPS = 24  # before it may end early


@dataclasses.dataclass(frozen=True)
class Tridiagonal:
    """H seen from an orthonormal basis in which it has three diagonals: T = Q H Qᵀ.

    Attributes:
        diagonal: (k,).
        beside: (k,): beside[i] joins rows i and i + 1; the last one is how far H leads out of
            the basis, 0 if it is complete.
        basis: (k, n), Q.
        noise: largest difference seen between uᵀHv and vᵀHu, which rounding alone makes.
    """

    diagonal: np.ndarray
    beside: np.ndarray
    basis: np.ndarray
    noise: float

    def eigen(self):
        """(values, vectors as columns) of T, in ascending order."""
        inner = self.beside[:-1]
        return np.linalg.eigh(np.diag(self.diagonal) + np.diag(inner, 1) + np.diag(inner, -1))


def tridiagonalize(product, start, steps: int, *, seed: int = 0, tolerance: float = 0.0):
    """Lanczos' process with full reorthogonalisation.

    Where the products do not lead out of the basis any more, it goes on from a random vector, so
    that n steps find all n eigenvalues, repeated ones too.

    Args:
        product: v -> H v, of NumPy arrays of shape (n,).
        start: (n,), not 0.
        steps: most products.
        tolerance: it ends early once both outermost values are known to within this fraction of
            the larger; 0: never.

    References:
        Lanczos 1950, "An iteration method for the solution of the eigenvalue problem"; Golub &
        Van Loan, "Matrix computations", 4th ed., chapter 10.
    """
    n = start.size
    steps = min(steps, n)
    rng = np.random.default_rng(seed)
    basis = np.zeros((steps, n), start.dtype)
    basis[0] = start / np.linalg.norm(start)
    diagonal, beside = np.zeros(steps), np.zeros(steps)
    eps, noise, scale = np.finfo(start.dtype).eps, 0.0, 0.0
    for k in range(steps):
        w = product(basis[k])
        scale = max(scale, float(np.linalg.norm(w)))
        within = basis[: k + 1] @ w
        diagonal[k] = within[k]
        if k:  # H is symmetric, so what w has along the earlier ones is known
            within_known = np.append(np.zeros(k - 1), beside[k - 1])
            noise = max(noise, float(np.abs(within[:k] - within_known).max()))
        w = w - within @ basis[: k + 1]
        w = w - (basis[: k + 1] @ w) @ basis[: k + 1]  # once more: the first left rounding
        beside[k] = np.linalg.norm(w)
        done = Tridiagonal(diagonal[: k + 1], beside[: k + 1], basis[: k + 1], noise)
        if k + 1 == n:
            beside[k] = 0.0
        if k + 1 == steps or _is_known(done, tolerance):
            break
        if beside[k] <= 10 * n**0.5 * eps * scale:
            beside[k] = 0.0
            w = rng.standard_normal(n).astype(start.dtype)
            for _ in range(2):
                w -= (basis[: k + 1] @ w) @ basis[: k + 1]
        basis[k + 1] = w / np.linalg.norm(w)
    return done


def _is_known(found: Tridiagonal, tolerance: float) -> bool:
    k = len(found.diagonal)
    if tolerance == 0 or k < LEAST_STEPS or k % 8:
        return False
    values, vectors = found.eigen()
    ends = found.beside[-1] * np.abs(vectors[-1, [0, -1]])
    return bool(ends.max() <= tolerance * np.abs(values).max())
