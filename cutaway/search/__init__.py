"""Hyperparameter search, and comparison with other models."""

from cutaway.search.hyperparameters import tune
from cutaway.search.learning_curve import Comparison, compare
from cutaway.search.table_comparison import TableComparison

__all__ = ["Comparison", "TableComparison", "compare", "tune"]
