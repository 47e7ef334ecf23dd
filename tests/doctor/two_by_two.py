"""A network of two inputs and two outputs: columns of a table and tokens of the same rows, from
which it learns a class and a number."""

import numpy as np

import cutaway as ct
from cutaway import losses, ops
from cutaway.doctor import TrainingPlan

ROWS, TOKENS, WORDS = 240, 12, 5


def examples(rows=ROWS, seed=0):
    """(x, y): the class depends on the columns and on a word, the number on columns and words."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 4)).astype(np.float32)
    tokens = rng.integers(0, TOKENS, (rows, WORDS)).astype(np.int32)
    worth = np.linspace(-1, 1, TOKENS)[tokens].mean(axis=1)
    kind = (table[:, 0] + 3 * worth > 0).astype(np.int32)
    price = (table[:, 1] - table[:, 2] + 2 * worth)[:, None].astype(np.float32)
    return {"table": table, "tokens": tokens}, {"kind": kind, "price": price}


class Both(ct.Module):
    """A branch for each input, joined, with a head for each output.

    Args:
        branch: layers from 4 columns to `width` features.
    """

    def __init__(self, branch=None, width=24):
        self.table = branch or ct.Sequential(ct.Linear(4, width), ct.ReLU())
        self.embedding = ct.Embedding(TOKENS, 8)
        self.joined = ct.Sequential(ct.Linear(width + 8, 24), ct.ReLU())
        self.kind, self.price = ct.Linear(24, 2), ct.Linear(24, 1)

    def forward(self, table, tokens):
        words = self.embedding(tokens).mean(axis=1)
        hidden = self.joined(ops.concatenate([self.table(table), words], axis=1))
        return {"kind": self.kind(hidden), "price": self.price(hidden)}


def both_losses(prediction, target):
    return {
        "kind": losses.sparse_categorical_cross_entropy_with_logits(
            prediction["kind"], target["kind"]
        ),
        "price": losses.mean_squared_error(prediction["price"], target["price"]),
    }


def as_objective(net, x, y):
    return both_losses(net(**x), y)


def trainer(net=None, lr=1e-2, *, loss=both_losses, **options):
    ct.seed(0)
    net = Both() if net is None else net
    given = {"objective": as_objective} if "objective" in options else {"loss": loss}
    options.pop("objective", None)
    return ct.Trainer(net, optimizer=ct.Adam(net, lr), **given, **options)


def plan(made=None, x=None, y=None, **options):
    own_x, own_y = examples()
    validation = options.pop("validation", examples(80, seed=1))
    x, y = own_x if x is None else x, own_y if y is None else y
    made = trainer() if made is None else made
    return TrainingPlan.of(made, x, y, validation=validation, **{"epochs": 40} | options)
