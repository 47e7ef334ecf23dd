"""cutaway predict, evaluate, summary, generate."""

import os
import sys
from pathlib import Path

from cutaway.cli.products import product, product_folder
from cutaway.cli.show import (
    console,
    escape,
    number,
    print_json,
    print_notes,
    print_scores,
    score_in_words,
    table,
)
from cutaway.errors import DataError, OptionError, visible
from cutaway.files import write_atomically

SHOWN_ROWS = 20
SHOWN_CHARACTERS = 24  # of a cell
ELLIPSIS = "…"
OF_EACH = "probability of "
SHOWN_COLUMNS = 8  # of a table in the terminal


def predict_command(run, data, *, out, force, as_json) -> None:
    from cutaway.runs.row_predictions import RowPredictions

    opened = _opened(run)
    if opened.preprocessing.predicts_files and out is not None and not _is_table(out):
        _predict_files(opened, data, out, force, as_json)
        return
    with product(out, "--out", inputs=[data], force=force):
        if opened.preprocessing.predicts_files:
            found = RowPredictions(*opened.preprocessing.predict(opened, data))
        else:
            found = opened.predict_rows(data)
        frame, notes = found.frame, found.notes
        if out is not None:
            write_atomically(out, found.content())
            notes = [*notes, *formula_notes(frame, opened.preprocessing.number_columns)]
    if out is not None:
        if as_json:
            print_json({"rows": len(frame), "out": str(out), "notes": notes})
            return
        print_notes(notes)
        console.print(f"Wrote {len(frame):,} predictions to [bold]{escape(out)}[/]")
    elif as_json:
        print_json({"rows": len(frame), "predictions": frame.to_dicts(), "notes": notes})
    elif sys.stdout.isatty():
        print_notes(notes)
        console.print(_predictions_table(found, console.width))
        if len(frame) > SHOWN_ROWS:
            console.print(f"... {len(frame) - SHOWN_ROWS:,} more; --out FILE writes all of them")
    else:
        for note in notes:
            print(f"note: {visible(note)}", file=sys.stderr)
        sys.stdout.write(found.csv())


def _predictions_table(found, width: int):
    """The first predictions, behind as many columns of the input as fit beside them.

    Of the probabilities that of the predicted class is shown: all of them stand in the file.
    """
    every = found.frame.columns
    names = [n for k, n in enumerate(every) if k < found.given or not n.startswith(OF_EACH)]
    cells = {name: [_cell(value) for value in found.frame[name].head(SHOWN_ROWS)] for name in names}
    widths = {name: 2 + max(map(len, [name, *cells[name]])) for name in names}
    given, predicted = names[: found.given], names[found.given :]
    left, shown = width - sum(widths[name] for name in predicted), []
    for name in given:
        left -= widths[name]
        if left < (len(ELLIPSIS) + 2) * (name != given[-1]):
            break
        shown.append(name)
    rest = [] if len(shown) == len(given) else [ELLIPSIS]
    cells[ELLIPSIS] = [ELLIPSIS] * min(SHOWN_ROWS, len(found.frame))
    columns = [*shown, *rest, *predicted]
    rows = zip(*(cells[name] for name in columns), strict=True)
    numbers = [k for k, name in enumerate(columns) if _is_number(found.frame, name)]
    return table(columns, rows, right=numbers)


def _is_number(frame, name: str) -> bool:
    return name in frame.columns and frame[name].dtype.is_numeric()


def _cell(value) -> str:
    """A value in the terminal: a long text is cut, a number has four significant digits."""
    if value is None:
        return ""
    text = number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}{ELLIPSIS}"


def _is_table(out) -> bool:
    """Whether the predictions go into a table although they are files."""
    return Path(out).suffix.lower() == ".csv" and not os.path.isdir(out)


def _predict_files(run, data, out, force, as_json) -> None:
    """Write the predictions for each example to a folder, or that of one example to a file."""
    from cutaway.data.decode import SUFFIXES

    found = run.predict_files(data)
    if _suffix(out) in (*SUFFIXES, ".nii", ".nii.gz") and not os.path.isdir(out):
        own = _suffix(found.names[0])
        if len(found.inputs) != 1 or _suffix(out) != own:
            raise OptionError(
                f"--out {out} for {_counted(found, run)}",
                expected=f"a folder, a file {own} for one input, or a table .csv",
                fix=f"name a folder, for example --out {Path(out).stem}",
            )
        rows = _write_one(found, out, force)
        names = [str(out)]
    else:
        rows, names = _write_all(found, out, force), found.names
    if as_json:
        print_json({"rows": len(rows), "out": str(out), "files": names, "predictions": rows,
                    "notes": found.notes})  # fmt: skip
        return
    print_notes(found.notes)
    frame = found.frame(rows)
    shown = [[str(v) for v in row] for row in frame.head(SHOWN_ROWS).rows()]
    console.print(table(frame.columns, shown))
    if len(frame) > SHOWN_ROWS:
        console.print(f"... {len(frame) - SHOWN_ROWS:,} more")
    files = f"{len(names):,} file{'s' * (len(names) != 1)}"
    console.print(f"Wrote {files} of {_counted(found, run)} to [bold]{escape(out)}[/]")


def _counted(found, run) -> str:
    """The inputs, counted: "1 picture"."""
    count, examples = len(found.inputs), run.preprocessing.examples
    return f"{count:,} {examples if count != 1 else examples[:-1]}"


def _suffix(path) -> str:
    """The end of a file's name: ".png", ".nii.gz"."""
    return "".join(Path(path).suffixes[-2:] if str(path).endswith(".gz") else [Path(path).suffix])


def _write_one(found, out, force) -> list[dict]:
    """Write the main file of the only example to `out`."""
    rows = []
    with product(out, "--out", inputs=found.inputs, force=force):
        for one in found.each:
            content = next(iter(one.files.values()))
            if callable(content):
                content(Path(out))
            else:
                write_atomically(out, content)
            rows += one.rows
    return rows


def _write_all(found, out, force) -> list[dict]:
    """Write the files of all examples to the folder `out`."""
    rows = []
    with product_folder(out, "--out", found.names, inputs=found.inputs, force=force) as write:
        for one in found.each:
            for name, content in one.files.items():
                write(name, content)
            rows += one.rows
        for name, content in ({} if found.last is None else found.last()).items():
            write(name, content)
    return rows


def formula_notes(frame, numbers=()) -> list[str]:
    """A note for each column with cells that a spreadsheet would run as a formula.

    Args:
        numbers: columns of numbers, of which -9,3 is one.
    """
    import polars as pl

    notes = []
    for name in frame.columns:
        if frame[name].dtype != pl.String or name in numbers:
            continue
        cells = (
            frame[name]
            .drop_nulls()
            .filter(
                frame[name].drop_nulls().str.contains(r"^\s*[=+\-@]")
                & frame[name].drop_nulls().cast(pl.Float64, strict=False).is_null()
            )
        )
        if len(cells):
            notes.append(
                f"{name}: a spreadsheet would run {len(cells):,} cell{'s' * (len(cells) != 1)} as "
                f"a formula, for example {cells[0]!r}; import the column as text"
            )
    return notes


def verify_command(run, accept, accept_all, *, as_json) -> None:
    from cutaway.runs.run_folder import RunFolder

    folder = RunFolder.open(run)
    accepted = folder.accept(None if accept_all else accept) if accept or accept_all else []
    found = folder.verify()
    damaged = {name: problem for name, problem in found.items() if problem is not None}
    if as_json:
        print_json({"files": found, "damaged": len(damaged), "accepted": accepted})
    else:
        for name, problem in found.items():
            right = ": accepted" if name in accepted else ": as it was written"
            shown = right if problem is None else f" [red]{escape(problem)}[/]"
            console.print(escape(name) + shown, soft_wrap=True)
        if damaged:
            console.print(
                f"\nDamaged: {len(damaged)} of {len(found)} files. Restore them from a backup, or "
                "train again. If you changed one on purpose: --accept FILE"
            )
    if damaged:
        sys.exit(1)


def _opened(run):
    """The run, or the published detector of that name."""
    from cutaway.runs.published_detector import open_detector_or_run

    return open_detector_or_run(run)


def evaluate_command(run, data, *, html, force, as_json) -> None:
    with product(html, "--html", inputs=[data], force=force):
        _evaluate(_opened(run), data, html, as_json)


def _evaluate(opened, data, html, as_json) -> None:
    found = opened.evaluation(data)
    title = f"Scores for {opened.config['target']} on {data}"
    if html is not None:
        from cutaway.runs.evaluation import ScoreTable, evaluation_page

        values = [(score_in_words(name), number(value)) for name, value in found.scores.items()]
        caption = f"Of the run {opened.path}."
        scores = ScoreTable("Scores", caption, ("", ""), values)
        write_atomically(html, evaluation_page(title, found, scores).encode())
    if as_json:
        tables = {"tables": [one.to_dict() for one in found.tables]} if found.tables else {}
        print_json({"task": opened.config["task"], **found.scores, **tables, "notes": found.notes})
        return
    print_notes(found.notes)
    console.print(f"Scores for [bold]{escape(opened.config['target'])}[/] on {escape(data)}:")
    print_scores({"": found.scores})
    for one in found.tables:
        if len(one.headings) <= SHOWN_COLUMNS:
            console.print(f"\n{escape(one.caption)}\n")
            console.print(table(one.headings, one.rows, right=range(1, len(one.headings))))
    if html is not None:
        console.print(f"\n[bold]{escape(html)}[/]\n  page for the browser", soft_wrap=True)


def summary_command(what, sizes, *, as_json) -> None:
    trained, shape = {}, None
    if sizes is not None:
        from cutaway.models import mlp

        net = mlp(sizes)
    else:
        from cutaway.runs import Run
        from cutaway.runs.kinds import KINDS
        from cutaway.weights.hub import is_on_hub

        if not os.path.exists(what) and not is_on_hub(what):
            raise DataError(
                f"{what!r} is neither a run nor a list of layer sizes",
                expected="the folder of a run, or sizes like 4,3,2,1",
            )
        run = Run.open(what)
        net = run.net
        inputs = KINDS[run.config["kind"]].network_inputs(run.preprocessing)
        shape = inputs[0].shape if len(inputs) == 1 and inputs[0].dtype == "float32" else None
        trained = {name: run.metrics[name] for name in ("device", "precision")}
    found = net.summary(shape)
    if as_json:
        print_json({**found.to_dict(), **trained})
        return
    print(found)
    if trained:
        console.print(f"\nTrained on: {escape(trained['device'])}, {trained['precision']}")


def generate_command(run, prompt, length, temperature, seed, *, as_json) -> None:
    from cutaway.runs import Run
    from cutaway.runs.language import generate

    written = generate(Run.open(run), prompt, length, temperature, seed)
    if as_json:
        print_json({"prompt": prompt, "text": written})
    else:
        print(visible(prompt + written))
