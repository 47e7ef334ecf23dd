"""Networks beside scikit-learn's models: cross-validation, a grid, and why one row is predicted.

    python examples/estimators.py

The bundled students table as a frame; the network encodes its columns itself. Threads share what
was compiled, and give the scores of one fit after the other. Then texts: bad and good reviews of
few words, beside counted words in a logistic regression.
"""

import joblib
import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import cutaway as ct
from cutaway.data import students_path

RIVALS = {
    "logistic regression": LogisticRegression(),
    "boosted trees": HistGradientBoostingClassifier(random_state=0),
}


def main(epochs: int | None = None) -> dict[str, float]:
    """Returns {model: mean accuracy over the folds}."""
    frame = pl.read_csv(students_path())
    x, y = frame.drop("passed"), frame["passed"].to_numpy()
    network = ct.Classifier(max_iter=epochs, random_state=0)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        models = {"network": network, **RIVALS}
        scores = {name: cross_val_score(m, x, y, cv=4).mean() for name, m in models.items()}
        grid = {"hidden_layer_sizes": [(8,), (32, 32)], "lr": [0.001, 0.01]}
        search = GridSearchCV(network, grid, cv=2).fit(x, y)
    for name, score in scores.items():
        print(f"{name:<20}accuracy {score:.3f}")
    print(f"best of the grid    {search.best_params_}")
    why = search.best_estimator_.explain(x[0], y[0])
    print(why.gradient("0.weight", (0, 0)))
    scores |= on_texts(None if epochs is None else 2 * epochs)
    return scores


def on_texts(epochs: int | None) -> dict[str, float]:
    """Returns {model: mean accuracy over the folds} on texts."""
    texts, y = reviews()
    models = {
        "text network": ct.TextClassifier(max_iter=epochs, random_state=0),
        "counted words": make_pipeline(CountVectorizer(), LogisticRegression()),
    }
    scores = {name: cross_val_score(m, texts, y, cv=3).mean() for name, m in models.items()}
    for name, score in scores.items():
        print(f"{name:<20}accuracy {score:.3f}")
    return scores


def reviews(rows: int = 120) -> tuple[list[str], list[str]]:
    """Texts and what they say; one in ten is said of something else in the same text."""
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "great", "lovely"], "poor": ["bad", "dull", "weak"]}
    y = rng.choice(["good", "poor"], rows).tolist()
    said = [label if rng.random() < 0.9 else "poor" for label in y]
    things = rng.choice(["film", "book", "play", "song"], (rows, 2))
    texts = [
        f"what a {rng.choice(words[label])} {one}, after that {two}"
        for label, (one, two) in zip(said, things, strict=True)
    ]
    return texts, y


if __name__ == "__main__":
    main()
