"""The doctor's suite: its programs are what they say, and can be trained."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.doctor import programs, score  # noqa: E402, F401
from benchmarks.doctor.case import FAULTS, HALVES, HEALTHY, task_of, worth  # noqa: E402
from benchmarks.doctor.data import SETS  # noqa: E402
from cutaway.doctor.diagnosis import all_symptoms  # noqa: E402

CODES = list(all_symptoms())

CASES = {**FAULTS, **HEALTHY}


def test_every_code_has_two_programs_and_no_other_code_is_named():
    codes = [case.code for case in FAULTS.values()]
    assert sorted(set(codes)) == sorted(CODES)
    assert min(codes.count(code) for code in CODES) >= 2
    assert {code for case in FAULTS.values() for code in case.also} <= set(CODES)


def test_there_are_sixty_faulty_programs_and_thirty_healthy_ones():
    assert len(FAULTS) >= 60
    assert len(HEALTHY) >= 30


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_halves_differ_in_data(name):
    case = CASES[name]
    assert set(case.data) <= set(SETS)
    assert len(case.data) == len(case.widths) == len(HALVES)
    assert case.data[0] != case.data[1]


@pytest.mark.parametrize(
    "name",
    [
        "dead_units/dead_dense",
        "wrong_loss/squares_of_class_numbers",
        "healthy/logistic_from_zero",
    ],
)
def test_a_program_and_its_fix_train(name):
    drawn = CASES[name].drawn("set")
    for plan in (drawn.plan, drawn.fix(drawn.plan)):
        history = plan.run(epochs=1).history
        assert np.isfinite(history["loss"]).all()


def test_a_fault_hurts_and_its_fix_fixes_it():
    drawn = FAULTS["symmetric_weights/zero_weights"].drawn("set")
    faulty, fixed = (worth(plan, task_of(drawn)) for plan in (drawn.plan, drawn.fix(drawn.plan)))
    assert fixed > faulty + 0.3


def test_the_same_seed_draws_the_same_program():
    a, b = (FAULTS["dead_units/dead_dense"].drawn("held", 3).plan for _ in range(2))
    for one, other in zip(a.program.net.parameters(), b.program.net.parameters(), strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_the_table_counts_first_in_three_and_alarms():
    case, well = FAULTS["dead_units/dead_dense"], HEALTHY["healthy/small_table"]
    rows = [
        (case, "held", ["dead_units"], False),
        (case, "held", ["plateau", "dead_units"], False),
        (case, "held", [], False),
        (case, "held", ["plateau"], True),
        (well, "held", [], False),
    ]
    text = score.table(rows)
    assert "| dead_units | 3 | 2 (67%) | 1 (33%) | 2 (67%) | 1 (33%) | plateau 1 |" in text
    assert "| healthy programs | 1 | 0 | 0.0% |  |" in text
    assert "| twins of faulty ones | 1 | 1 | 100.0% | plateau 1 |" in text
