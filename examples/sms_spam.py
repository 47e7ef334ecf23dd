"""Spam detection: a bag of embeddings, an LSTM, a small transformer, and logistic regression.

python examples/sms_spam.py sms_spam/SMSSpamCollection

The file has one message per line, after `ham` or `spam` and a tab. F1 is that of spam on the
validation messages; the logistic regression uses TF-IDF features of the same messages.
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


def main(path, epochs: int | None = None, models=MODELS) -> dict:
    """{model: scores on the validation messages}."""
    prepared = [
        prepare_text(path, options=TextOptions(model=model, epochs=epochs)) for model in models
    ]
    found = {"logistic regression": by_words(path, prepared[0])}
    for model, one in zip(models, prepared, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            run = one.train(Path(folder) / model)
        found[model] = run.metrics["validation"]
    for name, scores in found.items():
        print(f"{name:20} F1 {scores['f1']:.3f}  accuracy {scores['accuracy']:.1%}")
    return found


def by_words(path, prepared) -> dict:
    """Scores of scikit-learn's logistic regression on the same training and validation rows."""
    read = read_text_source(path)
    assert read.names is not None  # labeled lines
    texts = read.frame[read.names[1]].to_numpy()[prepared.row_numbers - 1]
    training, validation, y = prepared.training, prepared.validation, prepared.y
    words = TfidfVectorizer()
    model = LogisticRegression(max_iter=1000).fit(words.fit_transform(texts[training]), y[training])
    probabilities = model.predict_proba(words.transform(texts[validation]))
    return classification_scores(y[validation], probabilities)


if __name__ == "__main__":
    main(sys.argv[1])
