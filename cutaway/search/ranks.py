"""Mean ranks of models over data sets, with the difference that matters."""

import dataclasses
import math

import numpy as np

from cutaway.errors import DataError


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Mean ranks; 1 is the best.

    Attributes:
        means: {model: mean rank}, the best first.
        sets: number of data sets.
        critical_difference: two models differ at the 5% level if their mean ranks differ by more.
        p_value: of Friedman's test that all models are alike; NaN for fewer than three models.
    """

    means: dict[str, float]
    sets: int
    critical_difference: float
    p_value: float

    @property
    def tied(self) -> list[str]:
        """The models whose mean rank is within the critical difference of the best."""
        best = min(self.means.values())
        return [n for n, rank in self.means.items() if rank - best <= self.critical_difference]


def mean_ranks(scores: dict[str, list], *, higher_is_better: bool) -> Ranks:
    """Ranks of models by their scores on data sets; equal scores share their ranks.

    The critical difference is Nemenyi's,

        q sqrt(k (k + 1) / (6 N)),

    for k models and N data sets, with q the 95% quantile of the Studentized range for k groups
    divided by sqrt(2).

    Args:
        scores: {model: score on each data set, in the same order}.

    Raises:
        DataError: fewer than two models, no data set, or a score that is missing.

    References:
        Demšar 2006, "Statistical comparisons of classifiers over multiple data sets".

    Example:
        >>> from cutaway.search.ranks import mean_ranks
        >>> mean_ranks({"a": [0.1, 0.2], "b": [0.3, 0.2]}, higher_is_better=False).means
        {'a': 1.25, 'b': 1.75}
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    table = np.array(list(scores.values()), np.float64)  # (models, data sets)
    if table.ndim != 2 or len(table) < 2 or table.shape[1] < 1 or not np.isfinite(table).all():
        raise DataError(
            f"scores of shape {table.shape}, {int((~np.isfinite(table)).sum())} of them missing",
            expected="two models or more, each with a score on every data set",
            fix="leave out the data sets on which a model has no score",
        )
    models, sets = table.shape
    ranks = rankdata(-table if higher_is_better else table, axis=0)
    q = float(studentized_range.ppf(0.95, models, np.inf)) / math.sqrt(2)
    p_value = math.nan
    if models > 2 and sets > 1:
        with np.errstate(invalid="ignore", divide="ignore"):
            p_value = float(friedmanchisquare(*ranks).pvalue)
    means = dict(zip(scores, ranks.mean(axis=1).tolist(), strict=True))
    return Ranks(
        dict(sorted(means.items(), key=_second)),
        sets,
        q * math.sqrt(models * (models + 1) / (6 * sets)),
        p_value,
    )


def _second(pair: tuple[str, float]) -> float:
    return pair[1]
