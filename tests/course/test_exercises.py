"""Every kind of exercise, over many seeds: its number is right, its mistakes are told apart."""

import math
import re

import pytest

from cutaway.cli import drill
from cutaway.course import exercise_kinds, exercise_named
from cutaway.course.exercise_kind import TOLERANCE, Blank, Mistake, agree
from cutaway.errors import OptionError
from tests.cli.in_process import cutaway

SEEDS = range(12)
KINDS = sorted(exercise_kinds())
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.mark.parametrize("name", KINDS)
def test_an_exercise_asks_for_numbers_and_says_what_is_wrong_with_others(name):
    kind = exercise_named(name)
    drawn = [kind.draw(seed) for seed in SEEDS]
    assert len({exercise.question for exercise in drawn}) > len(SEEDS) / 2
    for exercise in drawn:
        assert exercise.question and exercise.blanks and str(exercise.solution)
        for blank in exercise.blanks:
            assert math.isfinite(blank.value), (exercise.seed, blank)
            assert blank.check(float(f"{blank.value:.4g}")).is_right
            for mistake in blank.all_mistakes():
                verdict = blank.check(mistake.value)
                assert not verdict.is_right and "Not yet: " in verdict.says
            for wanted in (blank.factors, blank.terms):
                assert all(name and math.isfinite(number) for name, number in wanted)
            if blank.factors:
                assert agree(blank.value, math.prod(n for _, n in blank.factors), 1e-6)
            if blank.terms:
                assert agree(blank.value, sum(n for _, n in blank.terms), 1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_the_solution_shows_the_numbers_that_were_asked_for(name):
    for seed in SEEDS:
        exercise = exercise_named(name).draw(seed)
        told = [
            float(text)
            for text in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", str(exercise.solution))
        ]
        for blank in exercise.blanks:
            assert any(agree(abs(n), abs(blank.value), 1e-3) for n in told), (seed, blank.asks)


def test_the_same_seed_draws_the_same_exercise_and_another_seed_another_one():
    kind = exercise_named("chain-rule")
    assert kind.draw(3).blanks == kind.draw(3).blanks
    assert kind.draw(3).blanks != kind.draw(4).blanks


BLANK = Blank(
    "g", 0.12, factors=[("a", 0.4), ("b", -0.5), ("c", -0.6)], mistakes=[Mistake(0.7, "that is x")]
)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (0.12, "Right."),
        (0.1203, "Right."),
        (0.122, "Close: carry more digits"),
        (0.7, "Not yet: that is x."),
        (0.3, "the factor a is missing"),
        (-0.24, "the factor b is missing"),
        (0.048, "the factor a is there twice"),
        (-0.12, "its sign is not"),
        (5.0, "It is the product a · b · c."),
    ],
)
def test_an_answer_is_told_what_is_wrong_with_it(answer, says):
    assert says in BLANK.check(answer).says


def test_of_a_sum_the_missing_term_is_named():
    blank = Blank("g", -0.5, terms=[("path 1", 0.25), ("path 2", -0.75)])
    assert "path 1 is missing in the sum" in blank.check(-0.75).says
    assert "path 2 has the wrong sign" in blank.check(1.0).says
    assert all(not agree(m.value, -0.5, TOLERANCE) for m in blank.all_mistakes())


def test_an_exercise_that_there_is_not_is_named():
    with pytest.raises(OptionError, match="no exercise 'chain'"):
        exercise_named("chain")


def test_the_command_checks_answers_and_shows_the_solution():
    code, out, _ = cutaway("exercise", "gradient-step", "--seed", "1", "--answer", "-3.7")
    assert code == 0 and "w after one step: Right." in out and "Solution" not in out
    code, out, _ = cutaway("exercise", "gradient-step", "--seed", "1", "--answer", "-3.3")
    assert "a step up the slope" in out
    code, out, _ = cutaway("exercise", "gradient-step", "--seed", "1", "--solution")
    assert "w_new = w_old - η ∂L/∂w = -3.5 - 0.1 · 2 = -3.7" in out
    code, _, err = cutaway(
        "exercise", "gradient-step", "--answer", "1", "--answer", "2", "--answer", "3"
    )
    assert code == 2 and "3 answers to an exercise that asks for 1 number" in err


def test_numbers_are_asked_for_until_they_are_right_or_the_input_ends(monkeypatch, capsys):
    blank = exercise_named("gradient-step").draw(1).blanks[0]
    for typed, found in ((["x", "-3.3", "-3.7"], True), (["-3.3", "1", "2"], False), ([], False)):
        lines = iter(typed)

        def answered(_, lines=lines):
            line = next(lines, None)
            if line is None:
                raise EOFError
            return line

        monkeypatch.setattr("builtins.input", answered)
        assert drill._asked([blank]) is found
    said = capsys.readouterr().out
    assert "'x' is not a number" in said and "a step up the slope" in said and "Right." in said


def test_an_answer_beside_a_sheet_is_refused(tmp_path):
    code, _, err = cutaway("exercise", "chain-rule", "--answer", "1", "--pdf", tmp_path / "a.pdf")
    assert code == 2 and "--answer beside a sheet" in err and not (tmp_path / "a.pdf").exists()
