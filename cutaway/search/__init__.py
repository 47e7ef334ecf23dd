"""Search: the options that suit the data best, and what a deep network is worth on them."""

from cutaway.search.compare import Comparison, compare
from cutaway.search.tune import tune

__all__ = ["Comparison", "compare", "tune"]
