"""Sentiment of short reviews: a bag of embeddings, an LSTM, and a small transformer.

python examples/sentiment.py sentiment_sentences/imdb_labelled.txt [...]

Each file has one sentence per line, then a tab and 1 (positive) or 0. With a thousand sentences,
word order adds little to the words themselves.
"""

import sys
import tempfile
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from cutaway.data.text_source import read_text_source
from cutaway.metrics import classification_scores
from cutaway.runs.text import TextOptions, prepare_text

MODELS = ("bag", "lstm", "transformer")


def main(paths, epochs: int | None = None, models=MODELS) -> dict:
    """{file: {model: validation accuracy}}."""
    found = {}
    for path in map(Path, paths):
        found[path.name] = one_file(path, epochs, models)
        shown = ", ".join(f"{name} {accuracy:.1%}" for name, accuracy in found[path.name].items())
        print(f"{path.name}: {shown}")
    return found


def one_file(path, epochs, models) -> dict:
    """{model: validation accuracy} of one file."""
    accuracy = {}
    for model in models:
        prepared = prepare_text(path, options=TextOptions(model=model, epochs=epochs))
        with tempfile.TemporaryDirectory() as folder:
            run = prepared.train(Path(folder) / model)
        accuracy[model] = run.metrics["validation"]["accuracy"]
    prepared = prepare_text(path)  # the same split
    read = read_text_source(path)
    assert read.names is not None  # labeled lines
    texts = read.frame[read.names[1]].to_numpy()[prepared.row_numbers - 1]
    training, validation, y = prepared.training, prepared.validation, prepared.y
    words = TfidfVectorizer()
    x = words.fit_transform(texts[training])
    model = LogisticRegression(max_iter=1000).fit(x, y[training])
    probabilities = model.predict_proba(words.transform(texts[validation]))
    scores = classification_scores(y[validation], probabilities)
    return {"logistic regression": scores["accuracy"], **accuracy}


if __name__ == "__main__":
    main(sys.argv[1:])
