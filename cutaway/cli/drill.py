"""cutaway exercise."""

import contextlib
import sys
import textwrap
from pathlib import Path

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json, table
from cutaway.errors import OptionError

TRIES = 3  # for each number, then the solution is shown


def list_exercises(*, as_json) -> None:
    """The kinds of exercises."""
    from cutaway.course import exercise_kinds

    kinds = exercise_kinds().values()
    if as_json:
        print_json({"exercises": [{"name": k.name, "title": k.title} for k in kinds]})
        return
    console.print(table(["exercise", "what is asked"], [[k.name, k.title] for k in kinds]))
    print("\nOne of them: cutaway exercise NAME --seed 3")


def exercise_command(name, seed, answers, *, with_solution, sheets, count, force, as_json) -> None:
    """Ask for the numbers of an exercise; check those that are given; or write sheets.

    Args:
        sheets: {option: path of the file, or None}.
        count: exercises on a sheet, with the seeds from `seed` on.
    """
    from cutaway.course import exercise_named

    kind = exercise_named(name)
    if any(path is not None for path in sheets.values()):
        if answers or with_solution:
            raise OptionError(
                f"{'--answer' if answers else '--solution'} beside a sheet",
                expected="a sheet alone; its solutions are written to a file beside it",
                fix="omit one of them",
            )
        _write_sheets(kind, range(seed, seed + count), sheets, force=force, as_json=as_json)
        return
    if count > 1:
        raise OptionError(
            f"--count {count} without a sheet",
            expected="--pdf FILE or --latex FILE beside it",
            fix="omit it, and choose another exercise by --seed",
        )
    drawn = kind.draw(seed)
    if len(answers) > len(drawn.blanks):
        raise OptionError(
            f"{len(answers)} answers to an exercise that asks for {len(drawn.blanks)} numbers",
            expected=f"at most {len(drawn.blanks)}: {', '.join(b.asks for b in drawn.blanks)}",
        )
    verdicts = [b.check(answer) for b, answer in zip(drawn.blanks, answers, strict=False)]
    if as_json:
        print_json(_as_dict(drawn, verdicts, with_solution))
        return
    console.print(f"[bold]{escape(drawn.title)}[/] (seed {seed})\n")
    for line in drawn.question.split("\n"):
        print(textwrap.fill(line, console.width) if line else "")
    print()
    if answers:
        for blank, verdict in zip(drawn.blanks, verdicts, strict=False):
            print(f"{blank.asks}: {verdict.says}")
    elif sys.stdin.isatty() and not with_solution:
        with_solution = not _asked(drawn.blanks)
    else:
        print("Asked for:", *(blank.asks for blank in drawn.blanks), sep="\n  ")
        print("\nCheck your numbers with --answer; --solution shows the way to them.")
    if with_solution:
        print(f"\nSolution\n\n{drawn.solution}")


def _write_sheets(kind, seeds, sheets, *, force, as_json) -> None:
    """Write the questions to one file and the solutions to another, for each option."""
    from cutaway.course import question_parts, solution_parts
    from cutaway.story import write_sheet

    drawn = [kind.draw(seed) for seed in seeds]
    files = []
    for option, path in sheets.items():
        if path is not None:
            path = Path(path)
            suffix = ".pdf" if option == "--pdf" else ".tex"
            if path.suffix != suffix:
                raise OptionError(f"{option} {path}", expected=f"a file name that ends in {suffix}")
            beside = path.with_name(f"{path.stem}-solutions{suffix}")
            files += [(option, path, question_parts), (option, beside, solution_parts)]
    with contextlib.ExitStack() as stack:
        for option, path, _ in files:
            stack.enter_context(product(path, option, force=force))
        for _, path, parts in files:
            write_sheet(path, kind.title, [part for one in drawn for part in parts(one)])
    written = [str(path) for _, path, _ in files]
    if as_json:
        print_json({"name": kind.name, "seeds": list(seeds), "written": written})
        return
    for path in written:
        console.print(f"[bold]{escape(path)}[/]", soft_wrap=True)


def _asked(blanks) -> bool:
    """Ask for each number until it is right, three times at most; whether all were found.

    With the end of the input (Ctrl-D) nothing more is asked.
    """
    found = 0
    for blank in blanks:
        for _ in range(TRIES):
            try:
                text = input(f"{blank.asks} = ").strip()
            except EOFError:
                print()
                return False
            try:
                verdict = blank.check(float(text.replace("−", "-").replace(",", ".")))
            except ValueError:
                print(f"  {text!r} is not a number")
                continue
            print(f"  {verdict.says}")
            if verdict.is_right:
                found += 1
                break
    return found == len(blanks)


def _as_dict(drawn, verdicts, with_solution) -> dict:
    found = {
        "name": drawn.name,
        "seed": drawn.seed,
        "title": drawn.title,
        "question": drawn.question,
        "asks": [blank.asks for blank in drawn.blanks],
        "verdicts": [{"is_right": v.is_right, "says": v.says} for v in verdicts],
    }
    if with_solution:
        found["values"] = [blank.value for blank in drawn.blanks]
        found["solution"] = str(drawn.solution)
    return found
