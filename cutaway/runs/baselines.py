"""Baselines: scikit-learn's linear models and trees.

Each has scikit-learn's defaults, so no side is tuned more than the other, and sees the same encoded
rows as the network.
"""

import numpy as np

from cutaway.errors import CutawayError

TREES = 200  # of a random forest


def import_sklearn():
    """Raises CutawayError unless scikit-learn is installed."""
    try:
        import sklearn
    except ImportError as error:
        raise CutawayError(
            "the comparison needs scikit-learn, which is not installed",
            expected='the extra "search"',
            fix='pip install "cutaway[search]"',
        ) from error
    return sklearn


def table_baselines(codes: int) -> dict:
    """For tables. The linear model gets embedded categories one-hot encoded.

    Args:
        codes: number of embedded categories; they are the last columns.
    """
    return {
        "linear": lambda task, seed: _one_hot(_linear(task), codes),
        "boosted trees": _boosted,
        "random forest": _forest,
    }


def flat_baselines() -> dict:
    """For images, spectrograms and time series: each number is a column."""
    return {"linear": _scaled_linear, "random forest": _forest}


def text_baselines() -> dict:
    """For texts: TF-IDF of the tokens."""
    return {"bag of words": _bag}


def _linear(task):
    from sklearn.linear_model import LogisticRegression, Ridge

    return Ridge() if task == "regression" else LogisticRegression(max_iter=1000)


def _one_hot(model, codes: int):
    """The model with one-hot encoding of the last `codes` columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    if not codes:
        return model
    encoding = ColumnTransformer(
        [("levels", OneHotEncoder(handle_unknown="ignore"), slice(-codes, None))],
        remainder="passthrough",
    )
    return make_pipeline(encoding, model)


def _scaled_linear(task, seed):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), _linear(task))


def _boosted(task, seed):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    regression = task == "regression"
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(random_state=seed)


def _forest(task, seed):
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if task == "regression" else RandomForestClassifier
    return kind(n_estimators=TREES, random_state=seed)


def _bag(task, seed):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    # scikit-learn documents that analyzer may be a function
    vectorizer = TfidfVectorizer(analyzer=_words)  # pyright: ignore[reportArgumentType]
    return make_pipeline(vectorizer, _linear(task))


def _words(row):
    return [str(k) for k in np.asarray(row) if k]
