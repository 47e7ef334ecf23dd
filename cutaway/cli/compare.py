"""cutaway compare."""

import textwrap
from pathlib import Path

from cutaway.cli.show import console, escape, print_json, table


def compare_command(data, target, kind, given, *, sizes, seeds, seconds, out, as_json) -> None:
    from cutaway.data import students_path
    from cutaway.search.learning_curve import compare, expect_free
    from cutaway.search.page import how_measured
    from cutaway.search.table_comparison import TableComparison
    from cutaway.search.table_page import how_compared

    if out is None:
        out = _free(Path(students_path() if data is None else data).stem)
    expect_free(out)
    status = None if as_json or not console.is_terminal else console.status("")
    if status is not None:
        status.start()

    def tell(model, rows, seed, score):
        if status is not None:
            status.update(f"split {seed + 1} of {seeds}: {model}, {rows:,} rows: {score:.4g}")

    try:
        found = compare(
            data,
            target,
            kind=kind,
            sizes=sizes,
            seeds=seeds,
            out=out,
            on_size=tell,
            **({} if seconds is None else {"seconds": seconds}),
            **given,
        )
    finally:
        if status is not None:
            status.stop()
    if as_json:
        print_json({"out": str(out), **found.to_dict()})
        return
    headings, rows = found.table()
    title = escape(found.summary["title"])
    if isinstance(found, TableComparison):
        heading, method = "Cutaway and other models", how_compared(found)
        sentences, right = found.sentences(), range(1, len(headings))
    else:
        heading, method = (
            f"{found.summary['score']} by number of training rows",
            how_measured(found),
        )
        sentences, right = [found.verdict()], range(len(headings))
    console.print(f"[bold]{title}[/]: {heading}\n")
    console.print(table(headings, rows, right=right))
    for sentence in sentences:
        console.print(
            "\n" + escape(textwrap.fill(sentence, 79, break_on_hyphens=False)), highlight=False
        )
    console.print(
        f"\n[dim]{escape(textwrap.fill(method, 79, break_on_hyphens=False))}[/]", highlight=False
    )
    for name, what in (
        ("compare.html", "report for the browser"),
        ("compare.png", "plot"),
    ):
        console.print(f"\n  [bold]{escape(out / name)}[/]\n      {what}", soft_wrap=True)


def _free(name) -> Path:
    name = "".join(c if c.isalnum() else "-" for c in name)
    path, k = Path("runs", f"{name}-compare"), 1
    while path.exists():
        k += 1
        path = Path("runs", f"{name}-compare-{k}")
    return path
