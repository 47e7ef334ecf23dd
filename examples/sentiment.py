"""Praise or not: an LSTM and a small transformer beside a bag of words, on short reviews.

python examples/sentiment.py sentiment_sentences/imdb_labelled.txt [...]

Each file has a sentence a line, then a tab and 1 (praise) or 0. With a thousand sentences, the
order of the words teaches little that the words alone do not.
"""

import sys
import tempfile
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from cutaway.metrics import classification_scores
from cutaway.runs.text import TextOptions, prepare_text, read_rows

MODELS = ("bag", "lstm", "transformer")


def main(paths, epochs: int | None = None, models=MODELS) -> dict:
    """{file: {model: accuracy on held-out sentences}}."""
    found = {}
    for path in map(Path, paths):
        found[path.name] = one_file(path, epochs, models)
        shown = ", ".join(f"{name} {share:.1%}" for name, share in found[path.name].items())
        print(f"{path.name}: {shown}")
    return found


def one_file(path, epochs, models) -> dict:
    """{model: accuracy on held-out sentences} of one file."""
    accuracy = {}
    for model in models:
        prepared = prepare_text(path, options=TextOptions(model=model, epochs=epochs))
        with tempfile.TemporaryDirectory() as folder:
            run = prepared.train(Path(folder) / model)
        accuracy[model] = run.metrics["validation"]["accuracy"]
    frame, (_, column) = read_rows(path)
    texts = frame[column].to_numpy()[prepared.row_numbers - 1]
    training, validation, y = prepared.training, prepared.validation, prepared.y
    words = TfidfVectorizer()
    known = words.fit_transform(texts[training])
    model = LogisticRegression(max_iter=1000).fit(known, y[training])
    probabilities = model.predict_proba(words.transform(texts[validation]))
    scores = classification_scores(y[validation], probabilities)
    return {"logistic regression": scores["accuracy"], **accuracy}


if __name__ == "__main__":
    main(sys.argv[1:])
