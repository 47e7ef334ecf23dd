"""Exercises on paper: the questions, and the solutions apart."""

from cutaway.course.exercise_kind import Exercise
from cutaway.story.sheet import SheetPart
from cutaway.story.text import number


def question_parts(drawn: Exercise) -> list:
    """What stands on a sheet of questions: a heading, the question, a line for each number."""
    blanks = "\n".join(f"{blank.asks} = {'_' * 24}\n" for blank in drawn.blanks)
    return [_heading(drawn), drawn.question, SheetPart("lines", blanks)]


def solution_parts(drawn: Exercise) -> list:
    """What stands on a sheet of solutions: the numbers, the way to them, the picture."""
    numbers = "\n".join(f"{blank.asks} = {number(blank.value)}" for blank in drawn.blanks)
    picture = [] if drawn.picture is None else [drawn.picture]
    solution = drawn.solution
    shown = SheetPart("lines", solution) if isinstance(solution, str) else solution
    return [_heading(drawn), SheetPart("lines", numbers), *picture, shown]


def _heading(drawn: Exercise) -> SheetPart:
    return SheetPart("heading", f"{drawn.name}, seed {drawn.seed}")
