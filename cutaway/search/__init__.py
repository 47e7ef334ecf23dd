"""Hyperparameter search, and learning curves beside other models."""

from cutaway.search.hyperparameters import tune
from cutaway.search.learning_curve import Comparison, compare

__all__ = ["Comparison", "compare", "tune"]
