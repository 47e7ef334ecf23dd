import copy
import functools
import os
import signal
import threading

import numpy as np
import polars as pl
import pytest
import torch

import cutaway as ct
from cutaway import losses, metrics
from cutaway.data import ParquetBatches
from cutaway.errors import DataError, OptionError, ShapeError, TrainingError
from cutaway.train import EarlyStopping, History, PlateauRate, Trainer
from cutaway.train.steps import EpochSteps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3)).astype(np.float32)
SLOPES = np.array([1.5, -2.0, 0.5], np.float32)
Y = X @ SLOPES + 0.3
LABELS = (Y > 0).astype(np.int32) + (Y > 1.5)


def regression(lr=0.05, **options):
    net = ct.models.mlp((3, 8, 1), **options)
    return Trainer(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, lr=lr))


def classifier(**options):
    net = ct.models.mlp((3, 8, 3), **options)
    return Trainer(
        net,
        loss=losses.sparse_categorical_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=0.02),
        metrics=[metrics.accuracy, metrics.f1],
    )


def test_a_line_is_found_as_by_least_squares():
    net = ct.Sequential(ct.Linear(3, 1))
    trainer = Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.3))
    noisy = Y + 0.1 * RNG.normal(size=90)
    trainer.fit(X, noisy, epochs=100, batch_size=90)
    design = np.column_stack([X, np.ones(90)])
    expected = np.linalg.lstsq(design, noisy, rcond=None)[0]
    found = [*net[0].weight.numpy()[:, 0], net[0].bias.item()]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_gradient_descent_equals_pytorch_epoch_by_epoch():
    ours = ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 1))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    with torch.no_grad():
        for k in (0, 2):
            theirs[k].weight.copy_(torch.tensor(ours[k].weight.numpy().T))
            theirs[k].bias.copy_(torch.tensor(ours[k].bias.numpy()))
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    expected = []
    for _ in range(30):
        loss = torch.nn.functional.mse_loss(theirs(torch.tensor(X))[:, 0], torch.tensor(Y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    trainer = Trainer(ours, loss=losses.mean_squared_error, optimizer=ct.Momentum(ours, lr=0.1))
    history = trainer.fit(X, Y, epochs=30, batch_size=90)
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


def weights_after(make, **options):
    ct.seed(3)
    trainer = make()
    trainer.fit(X, options.pop("y", Y), **options)
    return trainer.net.state_dict(), trainer


def expect_same_bits(a, b):
    assert a.keys() == b.keys()
    for path in a:
        np.testing.assert_array_equal(a[path], b[path], err_msg=path)


def test_the_same_seed_gives_the_same_bits():
    options = {"epochs": 4, "batch_size": 16, "validation": 0.2}
    dropping = functools.partial(regression, dropout=0.2)
    a, _ = weights_after(dropping, **options)
    b, _ = weights_after(dropping, **options)
    expect_same_bits(a, b)
    c, _ = weights_after(dropping, **options, seed=77)
    assert not np.array_equal(a["0.weight"], c["0.weight"])


def test_scanned_and_looped_epochs_are_the_same(monkeypatch):
    options = {"epochs": 3, "batch_size": 16, "seed": 0}
    a, first = weights_after(regression, **options)
    monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: False)
    b, second = weights_after(regression, **options)
    for path in a:
        np.testing.assert_allclose(a[path], b[path], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.history["loss"], second.history["loss"], rtol=1e-5)


def test_every_row_is_seen_in_every_epoch_and_the_last_batch_is_filled_up():
    seen = []

    def loss(prediction, target):
        return losses.mean_squared_error(prediction, target)

    from cutaway.train.blocks import ArrayRows

    memory = ArrayRows(X, Y)
    for _, _, order, steps in memory.epoch(np.random.default_rng(0), 16):
        assert order.shape == (6, 16) and steps == 6
        seen = order.ravel()
    assert set(seen) == set(range(90))
    assert seen[90:].tolist() == seen[:6].tolist()


def test_validation_scores_are_those_of_numpy():
    trainer = classifier()
    trainer.fit(X, LABELS, epochs=3, batch_size=16, validation=(X[:40], LABELS[:40]))
    z = trainer.predict(X[:40])
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    last = trainer.history.rows[-1]
    assert last["val_accuracy"] == pytest.approx((z.argmax(axis=1) == LABELS[:40]).mean())
    assert last["val_loss"] == pytest.approx(-np.log(p[range(40), LABELS[:40]]).mean(), rel=1e-5)
    assert trainer.evaluate(X[:40], LABELS[:40])["f1"] == pytest.approx(last["val_f1"])


def test_metrics_of_logits_get_probabilities():
    net = ct.models.mlp((3, 1))
    trainer = Trainer(net, loss=losses.binary_cross_entropy_with_logits, metrics=[metrics.log_loss])
    scores = trainer.evaluate(X, (Y > 0).astype(int))
    assert scores["log_loss"] == pytest.approx(scores["loss"], rel=1e-5)


def test_predictions_do_not_depend_on_the_batch():
    trainer = regression()
    direct = trainer.net(X).numpy()
    for size in (1, 7, 90, 1000):
        np.testing.assert_allclose(trainer.predict(X, batch_size=size), direct, rtol=1e-5)
    assert trainer.predict(X[:0]).shape[0] == 0


def test_prediction_and_evaluation_leave_the_mode_as_it_was():
    trainer = regression(dropout=0.5)
    trainer.net.train()
    np.testing.assert_array_equal(trainer.predict(X), trainer.predict(X))
    trainer.evaluate(X, Y)
    assert trainer.net.training and trainer.net[2].training


def test_early_stopping_keeps_the_best_weights():
    trainer = regression(lr=0.3)
    stopping = EarlyStopping(patience=3)
    history = trainer.fit(
        X[:20], Y[:20] + RNG.normal(size=20), epochs=200, batch_size=4,
        validation=(X[60:], Y[60:]), callbacks=[stopping],
    )  # fmt: skip
    values = history["val_loss"]
    best = int(np.argmin(values))
    assert len(values) == best + 1 + 3 < 200
    assert stopping.best_epoch == best + 1
    assert "val_loss has not improved for 3 epochs" in trainer.stopped
    assert trainer.evaluate(X[60:], Y[60:])["loss"] == pytest.approx(values[best], rel=1e-6)


def test_early_stopping_can_watch_a_metric_and_says_which_there_are():
    trainer = classifier()
    stopping = EarlyStopping(2, monitor="val_accuracy", higher_is_better=True)
    trainer.fit(X, LABELS, epochs=50, batch_size=16, validation=0.3, callbacks=[stopping])
    assert stopping.best_value == max(trainer.history["val_accuracy"])
    with pytest.raises(OptionError, match="monitors 'val_accurcy'"):
        trainer.fit(X, LABELS, epochs=1, callbacks=[EarlyStopping(2, monitor="val_accurcy")])


def test_the_rate_is_lowered_on_a_plateau():
    trainer = regression(lr=1e-7)
    plateau = PlateauRate(ct.optim.ReduceOnPlateau(0.5, patience=1, threshold=0.5))
    history = trainer.fit(X, Y, epochs=6, batch_size=45, callbacks=[plateau])
    assert history["lr"][-1] < history["lr"][0] * 0.6


def test_functions_are_callbacks():
    rows = []
    regression().fit(X, Y, epochs=3, callbacks=[lambda trainer, row: rows.append(row["epoch"])])
    assert rows == [1, 2, 3]


def test_a_penalty_is_part_of_the_loss_in_training():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(3, 1))
    trainer = Trainer(
        net,
        loss=losses.mean_squared_error,
        optimizer=ct.SGD(net, lr=0.1),
        penalty=lambda net: losses.l2_penalty([net[0].weight], 0.5),
    )
    trainer.fit(X, Y, epochs=200, batch_size=90)
    # ridge regression, solved: (X'X/n + λ) w = X'y/n with centered columns
    centered = X - X.mean(axis=0)
    gram = centered.T @ centered / 90 + 0.5 * np.eye(3)
    expected = np.linalg.solve(gram, centered.T @ (Y - Y.mean()) / 90)
    np.testing.assert_allclose(net[0].weight.numpy()[:, 0], expected, rtol=1e-3)


@pytest.mark.parametrize("quick", [True, False])
def test_a_loss_that_becomes_nan_is_traced_and_rolled_back(monkeypatch, quick):
    monkeypatch.setattr(EpochSteps, "is_quick", lambda *_: quick)
    net = ct.Sequential(ct.Linear(3, 8), ct.ReLU(), ct.Linear(8, 1))
    trainer = Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=1e6))
    with pytest.raises(TrainingError) as caught:
        trainer.fit(X, Y, epochs=5, batch_size=9, seed=0)
    text = str(caught.value)
    assert "in epoch 1, step " in text and "it began in" in text
    assert "lower the learning rate (it was 1e+06)" in text
    assert all(np.isfinite(v).all() for v in net.state_dict().values())
    assert trainer.stopped in ("the loss became NaN", "the loss became infinite")


def test_the_layer_where_nan_begins_is_named():
    class Root(ct.nn.Module):
        def forward(self, x):
            return ct.ops.sqrt(x)

    net = ct.Sequential(ct.Linear(3, 4), Root(), ct.Linear(4, 1))
    trainer = Trainer(net, loss=losses.mean_squared_error)
    with pytest.raises(TrainingError, match=r"NaN in epoch 1, step 1: .* layer 1 \(Root\)"):
        trainer.fit(X, Y, epochs=2)


def test_early_stopping_gives_the_best_weights_back_after_nan():
    net = ct.Sequential(ct.Linear(3, 1))
    trainer = Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    stopping = EarlyStopping(None)

    def sabotage(trainer, row):
        if row["epoch"] == 3:
            trainer.optimizer.lr = 1e30

    with pytest.raises(TrainingError):
        trainer.fit(X, Y, epochs=9, batch_size=30, callbacks=[stopping, sabotage])
    assert len(trainer.history) == 3 and stopping.best_epoch == 3
    assert trainer.evaluate(X, Y)["loss"] < 1


def test_ctrl_c_ends_cleanly_with_the_best_weights():
    trainer = regression()
    stopping = EarlyStopping(None)

    def press(trainer, row):
        if row["epoch"] == 4:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    trainer.fit(X, Y, epochs=100, callbacks=[stopping, press], validation=0.2, seed=0)
    assert trainer.stopped == "interrupted" and trainer.epoch in (4, 5)
    assert signal.getsignal(signal.SIGINT) is handler
    assert stopping.best_weights is not None
    expect_same_bits(trainer.net.state_dict(), stopping.best_weights)


def test_training_works_outside_the_main_thread():
    trainer = regression()
    thread = threading.Thread(target=lambda: trainer.fit(X, Y, epochs=2))
    thread.start()
    thread.join()
    assert trainer.epoch == 2


def test_a_stream_trains_as_arrays_do(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": Y})
    frame.write_parquet(path)
    net = ct.Sequential(ct.Linear(3, 1))
    trainer = Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    batches = ParquetBatches(path, target="y", block_rows=32)
    history = trainer.fit(batches, epochs=60, batch_size=8, validation=(X, Y))
    np.testing.assert_allclose(net[0].weight.numpy()[:, 0], SLOPES, atol=1e-3)
    assert history["val_loss"][-1] < 1e-5
    with pytest.raises(OptionError, match="a stream cannot be split"):
        trainer.fit(batches, validation=0.2)


BAD = X.copy()
BAD[[3, 5], 1] = np.nan
BAD[7, 2] = np.inf


@pytest.mark.parametrize(
    ("kind", "words", "x", "y", "options"),
    [
        (OptionError, "is 91, but the training set has 90 rows", X, Y, {"batch_size": 91}),
        (OptionError, "has 72 rows", X, Y, {"batch_size": 80, "validation": 0.2}),
        (OptionError, "batch_size is 0", X, Y, {"batch_size": 0}),
        (OptionError, "epochs is 0", X, Y, {"epochs": 0}),
        (OptionError, "validation fraction is 1.5", X, Y, {"validation": 1.5}),
        (OptionError, "x but no y", X, None, {}),
        (ShapeError, "90 inputs and 89 targets", X, Y[:89], {}),
        (ShapeError, "layer 0, Linear: the input has shape", X[:, :2], Y, {}),
        (ShapeError, "the network outputs one value per row, the targets have 2", X, X[:, :2], {}),
        (DataError, r"NaN or infinity in 3 of 90 rows, in column 1, 2", BAD, Y, {}),
        (DataError, r"y contains NaN or infinity in 2 of 90 rows", X, BAD[:, 1], {}),
        (DataError, "no rows", X[:0], Y[:0], {}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_before_training(kind, words, x, y, options):
    trainer = regression()
    before = trainer.net.state_dict()
    with pytest.raises(kind, match=words):
        trainer.fit(x, y, **options)
    expect_same_bits(trainer.net.state_dict(), before)


def ending(*layers, outputs=1):
    return ct.Sequential(ct.Linear(3, outputs), *layers)


@pytest.mark.parametrize(
    ("net", "loss", "y", "words"),
    [
        (
            ending(),
            "binary_cross_entropy",
            LABELS > 0,
            "expects probabilities, but .* ends in Linear",
        ),
        (
            ending(ct.Sigmoid()),
            "binary_cross_entropy_with_logits",
            LABELS > 0,
            "expects logits, but the network ends in Sigmoid",
        ),
        (
            ending(ct.Softmax(), outputs=3),
            "sparse_categorical_cross_entropy_with_logits",
            LABELS,
            "ends in Softmax",
        ),
        (ending(ct.Softmax()), "binary_cross_entropy", LABELS > 0, "which is always 1"),
        (
            ending(outputs=2),
            "sparse_categorical_cross_entropy_with_logits",
            LABELS,
            "the label 2 in row .* is out of range",
        ),
        (
            ending(outputs=3),
            "sparse_categorical_cross_entropy_with_logits",
            LABELS + 0.5,
            r"the targets contain \d\.5",
        ),
        (
            ending(outputs=3),
            "categorical_cross_entropy_with_logits",
            LABELS,
            "use the sparse loss for integer labels",
        ),
        (ending(), "binary_cross_entropy_with_logits", LABELS, "the targets range from 0 to 2"),
        (ending(), "hinge", LABELS, "the targets contain"),
    ],
)
def test_a_loss_that_does_not_fit_is_named(net, loss, y, words):
    trainer = Trainer(net, loss=losses.LOSSES[loss])
    with pytest.raises((OptionError, ShapeError, DataError), match=words) as caught:
        trainer.fit(X, np.asarray(y, np.float32 if y.dtype.kind == "f" else np.int32))
    assert loss in str(caught.value) or "Softmax over a single output" in str(caught.value)


def test_history_is_a_table_that_can_be_saved_read_and_plotted(tmp_path):
    trainer = classifier()
    history = trainer.fit(X, LABELS, epochs=3, validation=0.2)
    assert history.columns == [
        "epoch", "loss", "lr", "val_loss", "val_accuracy", "val_f1", "seconds",
    ]  # fmt: skip
    history.to_csv(tmp_path / "h.csv")
    assert History.from_csv(tmp_path / "h.csv").rows == history.rows
    figure = history.plot(tmp_path / "h.png")
    assert (tmp_path / "h.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy", "f1"]
    with pytest.raises(DataError, match="no column 'los'"):
        history["los"]


def test_bad_arguments_are_named_before_anything_is_trained():
    net = ct.Linear(3, 1)
    with pytest.raises(OptionError, match=r"loss is 'mse'\n(.|\n)*ct.losses.mean_squared_error"):
        Trainer(net, loss="mse")
    with pytest.raises(OptionError, match="epochs is 'two'"):
        regression().fit(X, Y, epochs="two")
    with pytest.raises(OptionError, match="batch_size is 'a'"):
        regression().fit(X, Y, epochs=1, batch_size="a")
    with pytest.raises(OptionError, match="learning rate lr is 'a'"):
        ct.SGD(net, lr="a")
    with pytest.raises(OptionError, match="an optimizer got a int"):
        ct.SGD(3, lr=0.1)


@pytest.mark.parametrize("has_trained", [False, True])
def test_a_copy_of_a_trainer_trains_apart_from_it(has_trained):
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    ct.seed(0)
    net = ct.Sequential(ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 1))
    trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
    options = {"epochs": 3, "batch_size": 8, "seed": 0, "progress": False}
    if has_trained:
        trainer.fit(x, x[:, :1], **options)
    start = net.state_dict()
    copied = copy.deepcopy(trainer)
    copied.fit(x, x[:, :1], **options)
    for path, value in start.items():
        np.testing.assert_array_equal(net.state_dict()[path], value)
    trainer.fit(x, x[:, :1], **options)
    for path, value in copied.net.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[path], value)


class _Ending(ct.Callback):
    """Raises an error at the end of a fit, or in its first epoch, and counts its ends."""

    def __init__(self, at_end=None, in_epoch=None):
        self.at_end, self.in_epoch, self.ends = at_end, in_epoch, 0

    def on_epoch(self, trainer, row):
        if self.in_epoch is not None:
            raise self.in_epoch

    def on_end(self, trainer):
        self.ends += 1
        if self.at_end is not None:
            raise self.at_end


def test_every_callback_is_told_of_the_end_although_an_earlier_one_fails():
    first, second = OSError("the disk is full"), ValueError("no such column")
    callbacks = [_Ending(first), _Ending(), _Ending(second), _Ending()]
    with pytest.raises(OSError, match="the disk is full") as raised:
        regression().fit(X, Y, epochs=1, callbacks=callbacks)
    assert [one.ends for one in callbacks] == [1, 1, 1, 1]
    assert raised.value.__notes__ == ["also at the end of the fit: ValueError: no such column"]


def test_the_error_that_ended_a_fit_comes_before_those_at_its_end():
    callbacks = [_Ending(OSError("the disk is full")), _Ending(None, ValueError("too late"))]
    with pytest.raises(ValueError, match="too late") as raised:
        regression().fit(X, Y, epochs=3, callbacks=callbacks)
    assert [one.ends for one in callbacks] == [1, 1]
    assert raised.value.__notes__ == ["also at the end of the fit: OSError: the disk is full"]
    interrupted = [_Ending(OSError("the disk is full")), _Ending(KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        regression().fit(X, Y, epochs=1, callbacks=interrupted)
