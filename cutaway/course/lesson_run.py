"""A lesson's cells, run one after the other, with what each shows."""

import ast
import contextlib
import dataclasses
import io
import linecache
from collections.abc import Iterator
from typing import Any

from cutaway.course.lesson_source import CELL, EVAL, CourseLesson, LessonPart
from cutaway.errors import DataError


@dataclasses.dataclass(frozen=True)
class RunPart:
    """A piece of a lesson with what it gives.

    Attributes:
        part: the piece; its text with the numbers that come from cells.
        printed: what a cell wrote.
        value: of a cell's last line, if it is an expression; None: nothing is shown.
    """

    part: LessonPart
    printed: str = ""
    value: Any = None


def run_lesson(lesson: CourseLesson, scope: dict[str, Any] | None = None) -> Iterator[RunPart]:
    """Run the cells of a lesson; each piece comes as soon as it is there.

    Args:
        scope: the names that cells see and make; None: no names yet.

    Raises:
        whatever a cell raises: a lesson whose number is wrong has a cell that says so.
    """
    scope = {} if scope is None else scope
    scope.setdefault("__name__", "__main__")
    for part in lesson.parts:
        if part.kind != CELL:
            yield RunPart(dataclasses.replace(part, body=_with_numbers(part, scope, lesson)))
            continue
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            value = _run(part, scope, lesson)
        yield RunPart(part, printed.getvalue(), value)


def _run(part: LessonPart, scope: dict, lesson: CourseLesson) -> Any:
    """The value of a cell's last expression."""
    name = f"<{lesson.path.name}, line {part.line}>"
    linecache.cache[name] = (len(part.body), None, part.body.splitlines(keepends=True), name)
    tree = ast.parse(part.body, name)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, name, "exec"), scope)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), name, "exec"), scope)
    return eval(compile(ast.Expression(last.value), name, "eval"), scope)


def _with_numbers(part: LessonPart, scope: dict, lesson: CourseLesson) -> str:
    """The text of a piece, with the values of its expressions."""
    return EVAL.sub(lambda found: _number_of(found[1], scope, lesson, part), part.body)


def _number_of(expression: str, scope: dict, lesson: CourseLesson, part: LessonPart) -> str:
    """The value of an expression in the text, as it is written there."""
    value = eval(compile(expression, f"<{lesson.path.name}, line {part.line}>", "eval"), scope)
    if type(value) not in (int, float):
        raise DataError(
            f"{lesson.path.name}: {{eval}}`{expression}` is {value!r}",
            expected="an int or a float, as round(float(x), 4) gives",
        )
    return repr(value)
