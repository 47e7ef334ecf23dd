"""Classifier: a multilayer perceptron on arrays and frames, by scikit-learn's conventions."""

from cutaway.estimators.classes import ClassEstimator
from cutaway.estimators.table import TableEstimator


class Classifier(ClassEstimator, TableEstimator):
    """A network that predicts classes, as a scikit-learn estimator.

    The columns of an array are standardized. A pandas or polars frame goes through the
    preprocessing of `cutaway train` on a table, and may have texts, categories, dates and missing
    values. With the same random seed the network is the one that
    `cutaway train --recipe plain` trains.

    Args:
        hidden_layer_sizes: units of each hidden layer, or one integer.
        activation: name of the activation after each.
        dropout: fraction of hidden units dropped in training.
        optimizer: name of the optimizer.
        lr: learning rate; None: the usual one of the optimizer.
        schedule: "cosine" (down to 0 over all epochs) or "constant".
        weight_decay: λ of AdamW.
        batch_size: rows per step; None: by the number of rows.
        max_iter: number of epochs; None: by the number of rows.
        validation_fraction: fraction of the rows that decide which epoch's weights are kept; 0:
            all rows train, and the last weights are kept. 32 rows or fewer all train.
        n_iter_no_change: epochs without a better validation loss after which training stops; None:
            all epochs are run.
        class_weight: {label: weight}, "balanced" so that all classes weigh the same, or None.
        random_state: random seed of weights, split and order of the rows.
        warm_start: whether another `fit` goes on from the weights and the encoding of the last one.
        verbose: whether to show progress.

    Attributes:
        classes_: the sorted labels.
        n_features_in_, feature_names_in_: of the rows; the names only of frames.
        network_: the trained Module.
        history_: the History of the last training; n_iter_ its epochs, loss_curve_ its losses.
        validation_scores_: validation accuracy of each epoch; None if no rows validated.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(100, 2))
        >>> y = np.where(x[:, 0] > x[:, 1], "left", "right")
        >>> model = ct.Classifier(max_iter=20, random_state=0).fit(x, y)
        >>> model.predict([[2.0, -2.0], [-2.0, 2.0]]).tolist()
        ['left', 'right']
        >>> model.explain([2.0, -2.0], "left").gradient("0.weight", (0, 0)).count > 0
        True
    """

    def __init__(
        self,
        hidden_layer_sizes=(128, 128),
        *,
        activation="relu",
        dropout=0.2,
        optimizer="adamw",
        lr=None,
        schedule="cosine",
        weight_decay=1.0,
        batch_size=None,
        max_iter=None,
        validation_fraction=0.2,
        n_iter_no_change=None,
        class_weight=None,
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation=activation,
            dropout=dropout,
            optimizer=optimizer,
            lr=lr,
            schedule=schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_iter=max_iter,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.class_weight = class_weight
