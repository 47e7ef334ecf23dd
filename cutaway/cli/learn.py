"""cutaway learn."""

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json, table
from cutaway.files import write_atomically


def list_lessons(*, as_json) -> None:
    """The lessons in their order."""
    from cutaway.course import course_lessons

    found = course_lessons()
    if as_json:
        fields = ("number", "name", "title", "question", "minutes")
        print_json({"lessons": [{f: getattr(lesson, f) for f in fields} for lesson in found]})
        return
    rows = [[lesson.number, lesson.name, lesson.question] for lesson in found]
    console.print(table(["", "lesson", "question"], rows, right=(0,)))
    print("\nRead one: cutaway learn NAME. As a notebook: --notebook FILE.ipynb")


def learn_command(name, *, notebook, force, as_json) -> None:
    """Print a lesson piece by piece, each cell as soon as it has run; or write its notebook."""
    from cutaway.course import lesson_named, run_lesson
    from cutaway.course.lesson_notebook import notebook_bytes

    lesson = lesson_named(name)
    if notebook is not None:
        with product(notebook, "--notebook", force=force):
            write_atomically(notebook, notebook_bytes(lesson))
        if as_json:
            print_json({"lesson": lesson.name, "written": [str(notebook)]})
        else:
            console.print(f"[bold]{escape(notebook)}[/]\n  open it: jupyter lab {escape(notebook)}")
        return
    if as_json:
        print_json({"lesson": lesson.name, "parts": [_as_dict(p) for p in run_lesson(lesson)]})
        return
    console.print(f"[dim]{lesson.minutes} minutes[/]\n")
    for found in run_lesson(lesson):
        _print_part(found)


def _as_dict(found) -> dict:
    part = found.part
    shown = "" if found.value is None else str(found.value)
    return {"kind": part.kind, "body": part.body, "output": found.printed + shown}


def _print_part(found) -> None:
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.syntax import Syntax

    from cutaway.course.lesson_source import studio_command, without_roles

    part = found.part
    if part.kind == "text":
        console.print(Markdown(without_roles(part.body), hyperlinks=False), "")
    elif part.kind == "code-cell":
        if "check" in part.tags:
            return
        if not {"remove-input", "hide-input"} & set(part.tags):
            shown = Syntax(
                part.body, "python", theme="ansi_dark", background_color="default", word_wrap=True
            )
            console.print(Padding(shown, (0, 0, 1, 4)))
        _print_output(found)
    elif part.kind == "exercise":
        seed = part.options.get("seed", "0")
        console.print(f"[bold]Exercise[/]: cutaway exercise {part.argument} --seed {seed}\n")
    elif part.kind == "studio":
        console.print(f"[bold]Play with it[/]: {studio_command(part)}\n")
    elif part.kind == "formula":
        console.print(Padding(escape(part.body), (0, 0, 1, 4)))


def _print_output(found) -> None:
    """What a cell showed, as far as a terminal can: pictures are named."""
    if found.printed:
        print(found.printed.rstrip("\n"))
    if found.value is not None:
        is_picture = hasattr(found.value, "figure") or hasattr(found.value, "svg")
        print("(a picture: --notebook shows it)" if is_picture else found.value)
    if found.printed or found.value is not None:
        print()
