"""Baselines: scikit-learn's linear models and trees.

Each has scikit-learn's defaults, so no side is tuned more than the other, and sees the same encoded
rows as the network.
"""

import numpy as np

from cutaway.errors import CutawayError, install_extra

TREES = 200  # of a random forest
MOST_WORDS = 20_000  # columns of TF-IDF


def import_sklearn():
    """Raises CutawayError unless scikit-learn is installed."""
    try:
        import sklearn
    except ImportError as error:
        raise CutawayError(
            "the comparison needs scikit-learn, which is not installed",
            expected='the extra "search"',
            fix=install_extra("search"),
        ) from error
    return sklearn


def table_baselines(codes: int, words: int = 0) -> dict:
    """For tables. The linear model gets embedded categories one-hot encoded, all of them TF-IDF.

    Args:
        codes: number of embedded categories; they come before the words.
        words: number of columns with ids of words; they are the last ones.
    """
    return {
        "linear": lambda task, seed: encoded(linear_model(task), codes, words),
        "boosted trees": lambda task, seed: encoded(_boosted(task, seed), 0, words),
        "random forest": lambda task, seed: encoded(_forest(task, seed), 0, words),
    }


def flat_baselines() -> dict:
    """For images, spectrograms and time series: each number is a column."""
    return {"linear": _scaled_linear, "random forest": _forest}


def text_baselines() -> dict:
    """For texts: TF-IDF of the tokens."""
    return {"bag of words": _bag}


def linear_model(task):
    """Ridge or LogisticRegression."""
    from sklearn.linear_model import LogisticRegression, Ridge

    return Ridge() if task == "regression" else LogisticRegression(max_iter=1000)


def encoded(model, codes: int, words: int):
    """A model with one-hot encoding of codes, and TF-IDF of the words in the last columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    steps = []
    if codes:
        levels = slice(-codes - words, -words or None)
        steps.append(("levels", OneHotEncoder(handle_unknown="ignore"), levels))
    if words:
        steps.append(("words", _tf_idf(), slice(-words, None)))
    if not steps:
        return model
    # trees take no sparse columns
    encoding = ColumnTransformer(steps, remainder="passthrough", sparse_threshold=0.3 * (not words))
    return make_pipeline(encoding, model)


def _scaled_linear(task, seed):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), linear_model(task))


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
    from sklearn.pipeline import make_pipeline

    return make_pipeline(_tf_idf(), linear_model(task))


def _tf_idf():
    from sklearn.feature_extraction.text import TfidfVectorizer

    # scikit-learn documents that analyzer may be a function
    return TfidfVectorizer(analyzer=_words, max_features=MOST_WORDS)  # pyright: ignore[reportArgumentType]


def _words(row):
    return [str(int(k)) for k in np.asarray(row) if k]
