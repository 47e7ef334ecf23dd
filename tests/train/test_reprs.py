"""What a trainer and its parts say that they are: settings and counts, no addresses."""

import functools

import numpy as np
import pytest

import cutaway as ct
from cutaway.optim import OPTIMIZERS

X = np.ones((8, 3), np.float32)


def make(**options):
    ct.seed(0)
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
    return ct.Trainer(net, optimizer=ct.Adam(net, lr=0.01), **options)


def test_a_trainer_says_what_it_trains_and_how_long_it_has():
    trainer = make(
        loss=functools.partial(ct.losses.huber, delta=2.0),
        metrics=[ct.metrics.r2],
        penalty=lambda net: ct.losses.l2_penalty(net.parameters(), 0.1),
        precision="bfloat16",
    )
    assert repr(trainer) == (
        "Trainer(\n"
        "  Sequential of 11 parameters,\n"
        "  huber,\n"
        "  Adam(lr=0.01, betas=(0.9, 0.999), eps=1e-08, 11 parameters),\n"
        "  metrics r2,\n"
        "  with penalty,\n"
        "  bfloat16,\n"
        "  not trained,\n"
        ")"
    )
    trainer.fit(X, X.sum(axis=1), epochs=3, batch_size=4, progress=False)
    assert repr(trainer).endswith("  3 epochs of batch size 4,\n)")
    assert repr(trainer.program).startswith("Program(Sequential of 11 parameters, huber, Adam(lr")


def test_classes_and_the_reason_of_a_stop_are_said():
    trainer = make(loss=ct.losses.binary_cross_entropy_with_logits)
    stop = lambda trainer, row: trainer.stop("enough")  # noqa: E731
    trainer.fit(X, ["a", "b"] * 4, epochs=3, batch_size=8, callbacks=[stop], progress=False)
    assert "\n  1 epoch of batch size 8, 2 classes, stopped: enough,\n" in repr(trainer)


def test_optimizers_say_their_settings():
    net = ct.Linear(3, 2)
    optimizer = ct.AdamW(
        net, 0.1, schedule=ct.optim.Cosine(50), clip=ct.optim.ClipNorm(1.0), groups={"bias": 2.0}
    )
    assert repr(optimizer) == (
        "AdamW(lr=0.1, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, "
        "schedule=Cosine(total_steps=50, final=0), clip=ClipNorm(max_norm=1), "
        "8 parameters, some at a rate of their own)"
    )
    optimizer.lr = 0.025
    assert repr(optimizer).startswith("AdamW(lr=0.025, ")
    assert repr(ct.ExponentialAverage(net, 0.5)) == "ExponentialAverage(decay=0.5)"
    assert repr(ct.SGD(net, 0.1)) == "SGD(lr=0.1, 8 parameters)"


def test_explanations_say_what_was_opened():
    net = ct.Sequential(ct.Linear(3, 2))
    y = net(X).numpy() + 2.0  # a mean squared error of 4
    loss = ct.losses.mean_squared_error
    one = "Explanation(Sequential of 8 parameters, 1 example, output (2,), loss 4)"
    assert repr(ct.explain(net, X[0], y[0], loss=loss)) == one
    several = "Explanation(Sequential of 8 parameters, 8 examples, output (8, 2), no loss)"
    assert repr(ct.explain(net, X)) == several


def test_early_stopping_says_what_it_watches_and_the_best_so_far():
    stopping = ct.EarlyStopping(5, monitor="val_r2", min_delta=0.5, higher_is_better=True)
    options = "patience=5, monitor='val_r2', min_delta=0.5, higher_is_better=True"
    assert repr(stopping) == f"EarlyStopping({options})"
    stopping.load_state({"best_value": 0.25, "best_epoch": 7, "arrays": {}})
    assert repr(stopping) == f"EarlyStopping({options}, best 0.25 in epoch 7)"


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_no_address_is_said(name):
    net = ct.Sequential(ct.Linear(3, 2), ct.ReLU())
    warm = ct.optim.Cosine(5)
    parts = [OPTIMIZERS[name](net, lr=0.1, schedule=warm), net, ct.History([{"epoch": 1}])]
    for part in parts:
        assert " at 0x" not in repr(part)
        assert repr(part).startswith(type(part).__name__ + "(")
