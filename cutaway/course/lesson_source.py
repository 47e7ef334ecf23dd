"""A lesson's file: text, cells of Python and directives, as MyST-NB reads it too.

Only what lessons use is known here: fenced blocks whose first line is ```{name} argument, with
options such as `:tags: [remove-input]` under it. Every other block, ```sh for example, is text.
"""

import dataclasses
import re
from pathlib import Path

from cutaway.errors import DataError

FOLDER = Path(__file__).parent / "lessons"
CELL = "code-cell"
# "check": a cell that ends the build if a number is wrong; readers do not see it. MyST-NB does not
# run cells with the tag remove-cell here, so those that are hidden have remove-input
TAGS = ("check", "hide-input", "hide-output", "remove-input", "remove-output")

_FILE = re.compile(r"(\d\d)_(\w+)\.md")
_OPENS = re.compile(r"^(`{3,})\{([\w-]+)\}\s*(.*)$")
_OPTION = re.compile(r"^:([\w-]+):\s*(.*)$")
_FIELD = re.compile(r"^(\w+):\s*(.*)$")
EVAL = re.compile(r"\{eval\}`([^`]+)`")
_ROLE = re.compile(r"\{(\w+)\}`([^`<]+?)(?:\s*<[^>`]*>)?`")


def without_roles(text: str) -> str:
    """Markdown that any reader knows: {term}`neuron` is neuron.

    Example:
        >>> from cutaway.course.lesson_source import without_roles
        >>> without_roles("a {term}`neuron`, many {term}`neurons <neuron>`")
        'a neuron, many neurons'
    """
    return _ROLE.sub(r"\2", text)


@dataclasses.dataclass(frozen=True)
class LessonPart:
    """A piece of a lesson.

    Attributes:
        kind: "text", or the name of the directive: "code-cell", "exercise", "formula", ...
        body: its lines.
        argument: what stands behind the name, for example that of an exercise.
        options: {name: value} of the directive.
        line: where it begins in the file, from 1.
    """

    kind: str
    body: str
    argument: str = ""
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    line: int = 1

    @property
    def tags(self) -> list[str]:
        """The tags of a cell: what of it a page does not show."""
        return [tag.strip() for tag in self.options.get("tags", "").strip("[]").split(",") if tag]

    @property
    def expressions(self) -> list[str]:
        """Of the numbers in the text that come from cells, in order."""
        return EVAL.findall(self.body)


@dataclasses.dataclass(frozen=True)
class CourseLesson:
    """A lesson of the course, read.

    Attributes:
        name: such as "neuron".
        number: its place in the course.
        title: its heading.
        question: that it answers.
        minutes: how long it takes.
        parts: its pieces, in order.
        path: its file.
    """

    name: str
    number: int
    title: str
    question: str
    minutes: int
    parts: list[LessonPart]
    path: Path

    @property
    def exercises(self) -> list[LessonPart]:
        """The exercises in it."""
        return [part for part in self.parts if part.kind == "exercise"]


def studio_command(part: LessonPart) -> str:
    """The command that opens what a recorded studio of a lesson shows.

    Example:
        >>> from cutaway.course.lesson_source import LessonPart, studio_command
        >>> studio_command(LessonPart("studio", "", "xor"))
        'cutaway studio xor'
    """
    of_recording = ("frames", "epochs")
    given = [f"--{k} {value}" for k, value in part.options.items() if k not in of_recording]
    what = "--target passed" if part.argument == "students" else part.argument
    return " ".join(["cutaway studio", what, *given])


def lesson_paths() -> list[Path]:
    """The files of all lessons, in the order of the course."""
    return sorted(path for path in FOLDER.glob("*.md") if _FILE.fullmatch(path.name))


def read_course_lesson(path: Path) -> CourseLesson:
    """The lesson in a file.

    Raises:
        DataError: a field is missing, a block does not end, or a tag is unknown.
    """
    named = _FILE.fullmatch(path.name)
    if named is None:
        raise DataError(f"a lesson in {path.name}", expected="a name such as 03_neuron.md")
    lines = path.read_text(encoding="utf-8").split("\n")
    fields, first = _front_matter(lines, path)
    parts = _parts(lines, first, path)
    headings = re.findall(r"^# (.+)$", parts[0].body if parts else "", re.MULTILINE)
    if len(headings) != 1:
        raise DataError(
            f"{path.name} begins with {len(headings)} headings", expected="one, # Title"
        )
    return CourseLesson(
        name=named[2].replace("_", "-"),
        number=int(named[1]),
        title=headings[0],
        question=fields["question"],
        minutes=int(fields["minutes"]),
        parts=parts,
        path=path,
    )


def _front_matter(lines: list[str], path: Path) -> tuple[dict[str, str], int]:
    """(the fields at the top of the file, number of the line after them)."""
    if lines[0] != "---" or "---" not in lines[1:]:
        raise DataError(f"{path.name} has no fields at its top", expected="--- question: ... ---")
    end = lines.index("---", 1)
    found: dict[str, str] = {}
    for line in lines[1:end]:
        if (field := _FIELD.match(line)) is not None:
            found[field[1]] = field[2]
    for name in ("question", "minutes"):
        if not found.get(name):
            raise DataError(f"{path.name} has no field {name}", expected=f"{name}: ... at its top")
    return found, end + 1


def _parts(lines: list[str], first: int, path: Path) -> list[LessonPart]:
    found: list[LessonPart] = []
    text: list[str] = []
    start = place = first
    while place < len(lines):
        opening = _OPENS.match(lines[place])
        if opening is None:
            if not text:
                start = place
            text.append(lines[place])
            place += 1
            if text[-1].startswith("```"):  # a plain block, up to its end
                fence = re.match(r"`+", text[-1])[0]  # type: ignore[index]
                end = _end_of(lines, place, fence, path)
                text += lines[place : end + 1]
                place = end + 1
            continue
        _add_text(found, text, start)
        text = []
        fence, name, argument = opening.groups()
        end = _end_of(lines, place + 1, fence, path)
        found.append(_directive(name, argument, lines[place + 1 : end], place + 1, path))
        place = end + 1
    _add_text(found, text, start)
    return found


def _add_text(found: list[LessonPart], text: list[str], start: int) -> None:
    body = "\n".join(text).strip("\n")
    if body:
        found.append(LessonPart("text", body, line=start + 1))


def _end_of(lines: list[str], place: int, fence: str, path: Path) -> int:
    """The number of the line that ends a block."""
    for k in range(place, len(lines)):
        if lines[k].strip() == fence:
            return k
    raise DataError(f"{path.name}: the block in line {place} does not end", expected=fence)


def _directive(name: str, argument: str, body: list[str], line: int, path: Path) -> LessonPart:
    options: dict[str, str] = {}
    while body and (match := _OPTION.match(body[0])):
        options[match[1]] = match[2].strip()
        body = body[1:]
    part = LessonPart(name, "\n".join(body).strip("\n"), argument.strip(), options, line)
    for tag in part.tags:
        if tag not in TAGS:
            raise DataError(
                f"{path.name}: the tag {tag!r} in line {line}", expected=f"one of {', '.join(TAGS)}"
            )
    return part
