"""Search: the options that suit the data best, and what a deep network is worth on them."""

from cutaway.search.hyperparameters import tune
from cutaway.search.learning_curve import Comparison, compare

__all__ = ["Comparison", "compare", "tune"]
