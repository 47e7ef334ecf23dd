"""cutaway exercise."""

import sys
import textwrap

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


def exercise_command(name, seed, answers, *, with_solution, as_json) -> None:
    """Ask for the numbers of an exercise; or check those that are given."""
    from cutaway.course import exercise_named

    drawn = exercise_named(name).draw(seed)
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


def _asked(blanks) -> bool:
    """Ask for each number until it is right, three times at most; whether all were found."""
    found = 0
    for blank in blanks:
        for _ in range(TRIES):
            text = input(f"{blank.asks} = ").strip()
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
