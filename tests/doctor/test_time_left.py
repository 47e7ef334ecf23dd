"""Diagnoses with little time: no experiment is begun that would take longer than what is left."""

import dataclasses

import numpy as np
import pytest

import cutaway as ct
from cutaway.doctor.time_left import NoTimeLeftError, TimeLeft
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.train import Trainer


def test_what_would_take_longer_than_is_left_is_not_begun():
    left = TimeLeft(10.0)
    begun = []
    with left.spent(9.0):
        begun.append("short")
    assert 0 < left.seconds <= 10.0
    with pytest.raises(NoTimeLeftError, match="an experiment of 11 s"), left.spent(11.0):
        begun.append("long")
    with TimeLeft(np.inf).spent(1e9):
        begun.append("any")
    assert begun == ["short", "any"]


def test_without_time_for_experiments_the_plan_runs_once_and_the_diagnosis_says_what_it_lacks(
    monkeypatch,
):
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    net = ct.Sequential(ct.Linear(3, 4), ct.nn.Tanh(), ct.Linear(4, 1))
    trainer = Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.optim.SGD(net, 1e-6))
    plan = TrainingPlan.of(trainer, x, x.sum(axis=1, keepdims=True), epochs=3)
    fits, fit = [], Trainer.fit
    monkeypatch.setattr(Trainer, "fit", lambda self, *a, **k: fits.append(k) or fit(self, *a, **k))
    free = ct.diagnose(plan)
    assert len(fits) > 1 and not any("are for all of them" in note for note in free.notes)
    fits.clear()
    bound = ct.diagnose(dataclasses.replace(plan, seconds=0.0))
    assert len(fits) == 1
    (note,) = (note for note in bound.notes if "are for all of them" in note)
    assert "learning rate too low" in note and "0 s are for all of them" in note
