"""Every lesson runs, has what a lesson has, and together they have a place for each claim."""

import json
import re
import sys

import pytest

import cutaway as ct
from cutaway.course import course_lessons, exercise_named, glossary_terms, lesson_named, run_lesson
from cutaway.course.lesson_notebook import notebook_bytes
from cutaway.course.lesson_source import (
    LessonPart,
    lesson_paths,
    read_course_lesson,
    studio_command,
)
from cutaway.errors import DataError, OptionError
from tests.cli.in_process import cutaway

PATHS = lesson_paths()
DIRECTIVES = {"text", "code-cell", "exercise", "formula", "studio"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_lesson_has_a_question_a_picture_an_exercise_and_something_to_change(path):
    lesson = read_course_lesson(path)
    assert lesson.question.endswith("?") and 10 <= lesson.minutes <= 25
    assert {part.kind for part in lesson.parts} <= DIRECTIVES
    text = "\n".join(part.body for part in lesson.parts if part.kind == "text")
    assert "## One thing to change" in text
    assert lesson.exercises, "no exercise"
    for part in lesson.exercises:
        exercise_named(part.argument).draw(int(part.options.get("seed", "0")))
    cells = [part for part in lesson.parts if part.kind == "code-cell"]
    assert any("check" in cell.tags and "assert" in cell.body for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_cells_of_a_lesson_run_and_show_something(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for extra in ("onnx", "optuna", "pandas", "sklearn", "torch"):  # the wheel alone is enough
        monkeypatch.setitem(sys.modules, extra, None)
    found = list(run_lesson(read_course_lesson(path)))
    shown = [f for f in found if f.value is not None or f.printed]
    assert len(shown) >= 3
    assert any(hasattr(f.value, "_repr_html_") or hasattr(f.value, "figure") for f in shown)
    assert not any("{eval}" in f.part.body for f in found if f.part.kind == "text")


def test_no_lesson_needs_an_extra():
    needed = "|".join(ct.estimators.__all__)
    for lesson in course_lessons():
        cells = [part.body for part in lesson.parts if part.kind == "code-cell"]
        assert not re.search(rf"\bct\.(estimators|{needed})\b", "\n".join(cells)), lesson.name


def claims() -> dict[int, str]:
    """{number of a claim of the notes: lesson that shows it}."""
    found = {}
    for lesson in course_lessons():
        for part in lesson.parts:
            for line in re.findall(r"^# claims? ([\d, ]+)", part.body, re.MULTILINE):
                found |= dict.fromkeys(map(int, re.findall(r"\d+", line)), lesson.name)
    return found


def test_the_lessons_are_numbered_in_their_order_and_have_names_of_their_own():
    lessons = course_lessons()
    assert [lesson.number for lesson in lessons] == sorted({x.number for x in lessons})
    assert len({lesson.name for lesson in lessons}) == len(lessons)


def test_the_glossary_is_in_order():
    assert glossary_terms() == sorted(glossary_terms(), key=str.lower)


def test_a_notebook_of_a_lesson_is_one(tmp_path):
    import nbformat

    written = notebook_bytes(lesson_named("neuron"))
    nbformat.validate(nbformat.reads(written.decode(), as_version=4))
    cells = json.loads(written)["cells"]
    text = "".join(cell["source"] for cell in cells)
    assert "The score is 0.1" in text and "{eval}" not in text and "assert" not in text
    code, _, _ = cutaway("learn", "neuron", "--notebook", tmp_path / "n.ipynb")
    assert code == 0 and (tmp_path / "n.ipynb").read_bytes() == written


def test_the_command_prints_a_lesson_with_what_its_cells_show():
    code, out, _ = cutaway("learn", "neuron")
    assert code == 0 and "What does one neuron compute?" in out
    assert "z_1^(1) = 0.1" in out and "cutaway exercise" in out
    code, out, _ = cutaway("learn")
    assert code == 0 and all(lesson.name in out for lesson in course_lessons())
    code, _, err = cutaway("learn", "neurn")
    assert code == 2 and "neuron" in err


@pytest.mark.slow
def test_a_recorded_studio_is_named_as_a_command_where_no_page_is():
    code, out, _ = cutaway("learn", "perceptron")
    assert code == 0 and "cutaway studio xor" in out
    cells = json.loads(notebook_bytes(lesson_named("perceptron")))["cells"]
    assert any("cutaway studio xor" in cell["source"] for cell in cells)
    assert all(cell["source"].strip() for cell in cells)
    given = {"layers": "8,4", "frames": "9"}
    part = LessonPart("studio", "", "students", given)
    assert studio_command(part) == "cutaway studio --target passed --layers 8,4"


GOOD = "---\nquestion: Why?\nminutes: 20\n---\n\n# Title\n\n```{code-cell}\n1 + 1\n```\n"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("question: Why?\n", "", "no field question"),
        ("# Title", "Title", "0 headings"),
        ("1 + 1\n```", "1 + 1", "does not end"),
        ("{code-cell}\n", "{code-cell}\n:tags: [hidden]\n", "the tag 'hidden' in line 8"),
        ("---\nquestion", "question", "no fields at its top"),
    ],
)
def test_a_file_that_is_no_lesson_is_refused(tmp_path, old, new, words):
    path = tmp_path / "01_x.md"
    path.write_text(GOOD)
    assert read_course_lesson(path).parts[-1].body == "1 + 1"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(DataError, match=words):
        read_course_lesson(path)


def test_a_number_in_the_text_that_is_none_is_refused(tmp_path):
    path = tmp_path / "01_x.md"
    path.write_text(GOOD + "\nIt is {eval}`x`.\n")
    for value in ("'a'", "__import__('numpy').float64(1)"):
        path.write_text(GOOD.replace("1 + 1", f"x = {value}") + "\nIt is {eval}`x`.\n")
        with pytest.raises(DataError, match="an int or a float"):
            list(run_lesson(read_course_lesson(path)))


def test_a_lesson_that_there_is_not_is_named():
    with pytest.raises(OptionError, match="no lesson 'neurn'"):
        lesson_named("neurn")


def test_every_claim_of_the_notes_has_its_place():
    assert sorted(claims()) == list(range(1, 79))
