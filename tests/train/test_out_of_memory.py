"""A training that does not fit: what to lower is said, and nothing of the network is lost."""

import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.errors import OutOfMemoryError, RunError
from cutaway.runs import Run, TableOptions, prepare_table
from cutaway.runtime import device

ROWS = 2_000_000
X = np.linspace(-1, 1, ROWS, dtype=np.float32)[:, None]


@ct.operation
def ranked(z):
    """Allocates an array of rows x rows: too much for ROWS, little for few."""
    return z + 0 * jnp.sort(z * z.T, axis=1)[:, :1]


@ranked.backward
def ranked_backward(grad, out, z):
    return grad


class Wide(ct.Module):
    def __init__(self):
        self.linear = ct.Linear(1, 1)

    def forward(self, x):
        return ranked(self.linear(x))


def wide_trainer(**options):
    net = Wide()
    optimizer = ct.SGD(net, lr=0.1)
    return ct.Trainer(net, loss=losses.mean_squared_error, optimizer=optimizer, **options)


def test_a_step_that_does_not_fit_names_smaller_batches_and_keeps_the_weights():
    trainer = wide_trainer()
    before = trainer.net.state_dict()
    with pytest.raises(OutOfMemoryError, match=f"batch_size={ROWS}") as caught:
        trainer.fit(X, X, epochs=2, batch_size=ROWS, seed=0)
    assert f"instead of {ROWS}" in caught.value.fix and "accumulate=" in caught.value.fix
    for name, value in trainer.net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert trainer.epoch == 0 and not trainer.net.training
    trainer.fit(X[:64], X[:64], epochs=1, batch_size=32, seed=0)  # and learns from fewer rows
    assert not np.array_equal(trainer.net.linear.weight.numpy(), before["linear.weight"])


def test_what_is_advised_fits():
    trainer = wide_trainer()
    with pytest.raises(OutOfMemoryError) as caught:
        trainer.fit(X, X, epochs=1, batch_size=ROWS, seed=0)
    size = int(caught.value.fix.partition("batch_size=")[2].split()[0])
    parts = int(caught.value.fix.partition("accumulate=")[2].split(",")[0])
    assert ROWS % parts == 0
    few = X[:size]
    trainer.fit(few, few, epochs=1, batch_size=size, seed=0)
    assert len(trainer.history) == 1


def test_a_prediction_that_does_not_fit_names_fewer_rows_at_a_time():
    trainer = wide_trainer()
    with pytest.raises(OutOfMemoryError, match=f"a prediction for {ROWS} rows") as caught:
        trainer.predict(X, batch_size=ROWS)
    assert "batch_size=" in caught.value.fix and "accumulate" not in caught.value.fix


def test_data_that_do_not_fit_are_advised_to_come_as_a_stream():
    much = np.broadcast_to(np.int8(0), (2**44, 1))  # one byte, seen as 16 TiB
    trainer = wide_trainer()
    with pytest.raises(OutOfMemoryError, match="x and y of shapes") as caught:
        trainer.fit(much, much)
    assert "cutaway.data.ArrayStream(x, y)" in caught.value.fix
    assert caught.value.asked_bytes == 2**44
    with pytest.raises(OutOfMemoryError, match="validation of shapes") as caught:
        trainer.fit(X[:64], X[:64], validation=(much, much))
    assert "fewer validation rows" in caught.value.fix


@pytest.fixture(scope="module")
def table():
    return pl.DataFrame({"x": X[:, 0], "y": 2 * X[:, 0] + 1})


def prepared_wide(table, rows, batch_size, **options):
    options = TableOptions(batch_size=batch_size, epochs=3, validation=0.5, **options)
    prepared = prepare_table(table.head(rows), "y", options=options)
    prepared.net = Wide()
    return prepared


def test_no_folder_is_left_by_a_training_that_never_fitted(table, tmp_path):
    prepared = prepared_wide(table, ROWS, batch_size=ROWS // 2)
    with pytest.raises(OutOfMemoryError, match="a training step"):
        prepared.train(tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_the_folder_is_kept_from_the_first_epoch_on_and_says_how_to_continue(table, tmp_path):
    prepared = prepared_wide(table, 64, batch_size=8)

    def runs_out(trainer, row):
        if trainer.epoch == 2:
            trainer.predict(X, batch_size=ROWS)

    with pytest.raises(OutOfMemoryError, match="after epoch 2") as caught:
        prepared.train(tmp_path / "run", callbacks=[runs_out], progress=False)
    assert f"--out {tmp_path / 'run'} --resume" in caught.value.fix
    assert (tmp_path / "run" / "config.json").exists()
    resumed = prepared_wide(table, 64, batch_size=8)
    run = resumed.train(tmp_path / "run", resume=True, progress=False)
    assert run.metrics["epochs"] == 3


def test_a_network_that_does_not_fit_is_named():
    frame = pl.DataFrame({"x": X[:64, 0], "y": X[:64, 0]})
    wide = TableOptions(layers=(ROWS, ROWS))
    with pytest.raises(OutOfMemoryError, match="the network does not fit") as caught:
        prepare_table(frame, "y", options=wide)
    assert "narrower layers" in caught.value.fix


def small_run(path, table, *, resume=False, **options):
    given = TableOptions(epochs=2, layers=(4,), **options)
    prepared = prepare_table(table.head(64), "y", options=given)
    return prepared.train(path, resume=resume, progress=False)


def test_a_run_says_what_it_was_trained_on_and_in_which_precision(table, tmp_path):
    run = small_run(tmp_path / "run", table, precision="bfloat16")
    assert run.metrics["device"] == str(device())
    assert run.metrics["precision"] == "bfloat16"
    assert run.config["options"]["precision"] == "bfloat16"
    assert "device" not in run.config and "device" not in run.config["options"]


def test_a_run_predicts_in_its_own_precision(table, tmp_path):
    run = small_run(tmp_path / "run", table, precision="bfloat16")
    opened = Run.open(run.path)
    assert opened.precision == "bfloat16"
    x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    with ct.matmul_precision("bfloat16"):
        coarse = opened.net(x).numpy()
    fine = opened.net(x).numpy()
    raw = opened._trainer.predict(x)
    np.testing.assert_allclose(raw, coarse, atol=1e-6)
    assert not np.allclose(raw, fine, atol=1e-6)


def test_a_run_resumes_in_the_precision_of_its_first_call_only(table, tmp_path):
    small_run(tmp_path / "run", table, precision="bfloat16")
    with pytest.raises(RunError, match="precision was 'bfloat16', now 'float32'"):
        small_run(tmp_path / "run", table, resume=True)
    resumed = small_run(tmp_path / "run", table, resume=True, precision="bfloat16")
    assert resumed.metrics["epochs"] == 2


def test_a_run_resumes_in_its_own_precision_only(table, tmp_path):
    run = small_run(tmp_path / "run", table)
    assert Run.open(run.path).precision == "float32"
    with pytest.raises(RunError, match="precision was 'float32', now 'bfloat16'"):
        small_run(run.path, table, resume=True, precision="bfloat16")
    assert small_run(run.path, table, resume=True).metrics["epochs"] == 2


def test_a_checkpoint_resumes_in_its_own_precision_only(tmp_path):
    def fit(precision, resume):
        trainer = wide_trainer(precision=precision)
        kept = ct.Checkpoints(tmp_path / "c", resume=resume)
        trainer.fit(X[:32], X[:32], epochs=1, batch_size=8, seed=0, callbacks=[kept])
        return trainer

    assert fit("bfloat16", resume=False).device == str(device())
    with pytest.raises(RunError, match="started with precision=bfloat16, not float32"):
        fit(None, resume=True)
    assert fit("bfloat16", resume=True).epoch == 1


def test_an_optimizer_without_memory_for_its_state_leaves_no_folder(tmp_path, monkeypatch):
    def crowded(options, net, rows):
        raise MemoryError("Unable to allocate 3.00 TiB")

    prepared = prepare_table(options=TableOptions(epochs=1, layers=(4,)))
    monkeypatch.setattr(TableOptions, "make_optimizer", crowded)
    with pytest.raises(OutOfMemoryError, match="the optimizer's state does not fit") as caught:
        prepared.train(tmp_path / "run", progress=False)
    assert "narrower layers" in caught.value.fix and not (tmp_path / "run").exists()
