"""cutaway predict, evaluate, summary, generate."""

import os
import sys

from cutaway.cli.show import console, escape, print_json, print_notes, print_scores, table
from cutaway.errors import DataError

SHOWN_ROWS = 20


def predict_command(run, data, *, out, as_json) -> None:
    from cutaway.runs import Run
    from cutaway.train import write_atomically

    frame, notes = Run.open(run).predict(data)
    if out is not None:
        write_atomically(out, frame.write_csv().encode())
        if as_json:
            print_json({"rows": len(frame), "out": str(out), "notes": notes})
            return
        print_notes(notes)
        console.print(f"Wrote {len(frame):,} predictions to [bold]{escape(out)}[/]")
    elif as_json:
        print_json({"rows": len(frame), "predictions": frame.to_dicts(), "notes": notes})
    elif sys.stdout.isatty():
        print_notes(notes)
        rows = [[str(v) for v in row] for row in frame.head(SHOWN_ROWS).rows()]
        console.print(table(frame.columns, rows))
        if len(frame) > SHOWN_ROWS:
            console.print(f"... {len(frame) - SHOWN_ROWS:,} more; --out FILE writes all of them")
    else:
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
        sys.stdout.write(frame.write_csv())


def evaluate_command(run, data, *, as_json) -> None:
    from cutaway.runs import Run

    opened = Run.open(run)
    scores, notes = opened.evaluate(data)
    if as_json:
        print_json({"task": opened.config["task"], **scores, "notes": notes})
        return
    print_notes(notes)
    console.print(f"Scores for [bold]{escape(opened.config['target'])}[/] on {escape(data)}:")
    print_scores({"": scores})


def summary_command(what, sizes, *, as_json) -> None:
    trained = {}
    if sizes is not None:
        from cutaway.models import mlp

        net = mlp(sizes)
    else:
        from cutaway.runs import Run

        if not os.path.exists(what):
            raise DataError(
                f"{what!r} is neither a run nor a list of layer sizes",
                expected="the folder of a run, or sizes like 4,3,2,1",
            )
        run = Run.open(what)
        net = run.net
        trained = {name: run.metrics[name] for name in ("device", "precision")}
    found = net.summary()
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
        print(prompt + written)
