"""Lanczos: the extreme eigenvalues of a symmetric matrix, from its products with vectors alone."""

import dataclasses

import numpy as np

LEAST_STEPS = 24  # before it may stop early


@dataclasses.dataclass(frozen=True)
class Tridiagonal:
    """H in an orthonormal basis in which it is tridiagonal: T = Q H Qᵀ.

    Attributes:
        diagonal: (k,), of T.
        off_diagonal: (k,): off_diagonal[i] connects rows i and i + 1 of T; the last one is the norm
            of the residual, 0 if the basis spans an invariant subspace.
        basis: (k, n), Q.
        noise: the largest difference found between uᵀHv and vᵀHu, due to rounding alone.
    """

    diagonal: np.ndarray
    off_diagonal: np.ndarray
    basis: np.ndarray
    noise: float

    def eigen(self):
        """(eigenvalues, eigenvectors as columns) of T, in ascending order."""
        inner = self.off_diagonal[:-1]
        return np.linalg.eigh(np.diag(self.diagonal) + np.diag(inner, 1) + np.diag(inner, -1))


def tridiagonalize(product, start, steps: int, *, seed: int = 0, tolerance: float = 0.0):
    """The Lanczos algorithm with full reorthogonalization.

    Where the basis already spans an invariant subspace, it continues from a random vector, so n
    steps find all n eigenvalues, repeated ones too.

    Args:
        product: v -> H v, for NumPy arrays of shape (n,).
        start: (n,), not 0.
        steps: number of products, at most.
        seed: of the random vectors.
        tolerance: stop early once the error bounds of both extreme eigenvalues are below this
            fraction of the larger one; 0: never.

    References:
        Lanczos 1950, "An iteration method for the solution of the eigenvalue problem"; Golub &
        Van Loan, "Matrix computations", 4th ed., chapter 10.
    """
    n = start.size
    steps = min(steps, n)
    # not the stream of the seed alone: `start` may be its first draw, and nothing would be left
    rng = np.random.default_rng((seed, 1))
    basis = np.zeros((steps, n), start.dtype)
    basis[0] = start / np.linalg.norm(start)
    diagonal, off_diagonal = np.zeros(steps), np.zeros(steps)
    eps, noise, scale = np.finfo(start.dtype).eps, 0.0, 0.0
    for k in range(steps):
        w = product(basis[k])
        scale = max(scale, float(np.linalg.norm(w)))
        within = basis[: k + 1] @ w
        diagonal[k] = within[k]
        if k:  # H is symmetric: the components along earlier vectors are known
            within_known = np.append(np.zeros(k - 1), off_diagonal[k - 1])
            noise = max(noise, float(np.abs(within[:k] - within_known).max()))
        w = w - within @ basis[: k + 1]
        w = w - (basis[: k + 1] @ w) @ basis[: k + 1]  # again, against rounding
        off_diagonal[k] = np.linalg.norm(w)
        done = Tridiagonal(diagonal[: k + 1], off_diagonal[: k + 1], basis[: k + 1], noise)
        if k + 1 == n:
            off_diagonal[k] = 0.0
        if k + 1 == steps or _is_converged(done, tolerance):
            break
        if off_diagonal[k] <= 10 * n**0.5 * eps * scale:
            off_diagonal[k] = 0.0
            w = rng.standard_normal(n).astype(start.dtype)
            for _ in range(2):
                w -= (basis[: k + 1] @ w) @ basis[: k + 1]
        basis[k + 1] = w / np.linalg.norm(w)
    return done


def _is_converged(found: Tridiagonal, tolerance: float) -> bool:
    k = len(found.diagonal)
    if tolerance == 0 or k < LEAST_STEPS or k % 8:
        return False
    values, vectors = found.eigen()
    ends = found.off_diagonal[-1] * np.abs(vectors[-1, [0, -1]])
    return bool(ends.max() <= tolerance * np.abs(values).max())
