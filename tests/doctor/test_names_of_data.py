"""The doctor speaks of classes and inputs as the data name them."""

import numpy as np
import polars as pl

import cutaway as ct
from cutaway.doctor import diagnose
from cutaway.doctor.preflight import preflight
from cutaway.doctor.sources import plan_of
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.runs.table import TableOptions, prepare_table


def table(rare: str, rows: int = 600):
    rng = np.random.default_rng(0)
    y = np.where(np.arange(rows) % 40 == 0, rare, "usual")
    return pl.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows), "y": y})


def test_a_rare_class_has_its_name_before_and_after_training():
    prepared = prepare_table(table("fraud"), "y", TableOptions(epochs=3, layers=(4,)))
    plan = plan_of(prepared)
    assert plan.classes == ("fraud", "usual") and plan.inputs == ("a", "b")
    assert plan.class_name(0) == "class fraud" and plan.class_name(7) == "class 7"
    assert plan.class_name(0, " of output 2") == "class 0 of output 2"
    found = [f for f in preflight(plan).findings if f.code == "class_imbalance"]
    assert found[0].where.startswith("class fraud: ")
    assert "--class-weights balanced" in found[0].prescriptions[0].text


def test_a_shifted_input_has_the_name_of_its_column():
    frame = table("u").with_columns(month=pl.int_range(pl.len()) * 0.37)
    options = TableOptions(epochs=60, layers=(16,), split="time:month")
    frame = frame.with_columns(y=pl.col("month").sin() * 5 + pl.col("month"))
    plan = plan_of(prepare_table(frame, "y", options))
    found = [f for f in diagnose(plan).findings if f.code == "data_shift"]
    assert found[0].where == "the validation rows, input month"
    # who splits by time is not told to split at random
    assert plan.is_split_meant and "random" not in found[0].prescriptions[0].text


def test_the_mean_of_numbers_of_words_is_no_shift():
    rng = np.random.default_rng(0)
    x, x_val = rng.integers(0, 25, (200, 4)), rng.integers(25, 50, (60, 4))
    y, y_val = rng.integers(0, 2, (200, 1)), rng.integers(0, 2, (60, 1))
    ct.seed(0)
    net = ct.Sequential(ct.Embedding(50, 8), ct.Flatten(), ct.Linear(32, 1))
    loss = ct.losses.binary_cross_entropy_with_logits
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=0.05))
    plan = TrainingPlan.of(
        trainer, x, y.astype(float), validation=(x_val, y_val.astype(float)), epochs=30
    )
    assert "data_shift" not in [finding.code for finding in diagnose(plan).findings]
