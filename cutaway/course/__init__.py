"""The course: lessons that run, exercises that check, a glossary."""

import functools
import re
from pathlib import Path

from cutaway.course import exercises
from cutaway.course.exercise_kind import Blank, Exercise, ExerciseKind, Mistake, Verdict
from cutaway.course.exercise_sheet import question_parts, solution_parts
from cutaway.course.lesson_run import RunPart, run_lesson
from cutaway.course.lesson_source import (
    CourseLesson,
    LessonPart,
    lesson_paths,
    read_course_lesson,
)
from cutaway.errors import OptionError, did_you_mean
from cutaway.leaves import objects_of

GLOSSARY = Path(__file__).parent / "glossary.md"


def course_lessons() -> list[CourseLesson]:
    """All lessons, in their order."""
    return [read_course_lesson(path) for path in lesson_paths()]


def lesson_named(name: str) -> CourseLesson:
    """The lesson of a name or a number.

    Raises:
        OptionError: there is none.

    Example:
        >>> from cutaway.course import lesson_named
        >>> lesson_named("neuron").question
        'What does one neuron compute?'
    """
    found = course_lessons()
    for lesson in found:
        if name in (lesson.name, str(lesson.number)):
            return lesson
    names = [lesson.name for lesson in found]
    raise OptionError(
        f"no lesson {name!r}",
        expected=f"one of {', '.join(names)}",
        fix=did_you_mean(name, names),
    )


@functools.cache
def exercise_kinds() -> dict[str, ExerciseKind]:
    """{name: kind} of all exercises, by their names."""

    def wanted(value) -> bool:
        return isinstance(value, type) and issubclass(value, ExerciseKind)

    kinds = [kind() for kind in objects_of(exercises.__name__, exercises.__path__, wanted)]
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: kind.name)}


def exercise_named(name: str) -> ExerciseKind:
    """The kind of exercise of a name.

    Raises:
        OptionError: there is none.

    Example:
        >>> from cutaway.course import exercise_named
        >>> drawn = exercise_named("gradient-step").draw(seed=0)
        >>> [blank.asks for blank in drawn.blanks]
        ['w after one step']
    """
    kinds = exercise_kinds()
    if name not in kinds:
        raise OptionError(
            f"no exercise {name!r}",
            expected=f"one of {', '.join(kinds)}",
            fix=did_you_mean(name, list(kinds)),
        )
    return kinds[name]


@functools.cache
def glossary_terms() -> list[str]:
    """The terms of the glossary, in its order."""
    block = re.search(r"```\{glossary\}\n(.*?)```", GLOSSARY.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return re.findall(r"^(\S.*)$", block[1], re.MULTILINE)


__all__ = [
    "Blank",
    "CourseLesson",
    "Exercise",
    "ExerciseKind",
    "LessonPart",
    "Mistake",
    "RunPart",
    "Verdict",
    "course_lessons",
    "exercise_kinds",
    "exercise_named",
    "glossary_terms",
    "lesson_named",
    "question_parts",
    "run_lesson",
    "solution_parts",
]
