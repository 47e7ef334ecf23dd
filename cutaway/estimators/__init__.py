"""Networks for tables, texts and images as scikit-learn's estimators."""

from cutaway.estimators.sklearn_needed import expect_sklearn

expect_sklearn()  # before a module that is derived from its classes

from cutaway.estimators.classifier import Classifier  # noqa: E402
from cutaway.estimators.images import ImageClassifier  # noqa: E402
from cutaway.estimators.regressor import Regressor  # noqa: E402
from cutaway.estimators.text import TextClassifier, TextRegressor  # noqa: E402

__all__ = ["Classifier", "ImageClassifier", "Regressor", "TextClassifier", "TextRegressor"]
