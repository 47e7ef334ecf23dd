"""cutaway race."""

import textwrap

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json
from cutaway.errors import OptionError
from cutaway.files import write_atomically


def list_command(*, as_json) -> None:
    from cutaway.landscape import SURFACES
    from cutaway.landscape.regression_rows import REGRESSION

    surfaces = [*SURFACES.values(), REGRESSION]
    if as_json:
        rows = {s.name: {"formula": s.formula, "about": s.about} for s in surfaces}
        print_json({"surfaces": rows})
        return
    for surface in surfaces:
        console.print(f"[bold]{surface.name}[/]: {escape(surface.formula)}")
        about = textwrap.fill(surface.about, 78, initial_indent="  ", subsequent_indent="  ")
        console.print(escape(about))


def race_command(
    surface, optimizers, *, steps, start, lr, batch_sizes, png, html, force, as_json
) -> None:
    from cutaway.landscape import race

    with product(png, "--png", force=force), product(html, "--html", force=force):
        if batch_sizes is None:
            found = race(surface or "ravine", optimizers, steps=steps, start=start, lr=lr)
        else:
            found = _batches(surface, optimizers, batch_sizes, steps=steps, start=start, lr=lr)
        written = _write(found, png, html)
    if as_json:
        print_json({**found.to_dict(), "written": [path for path, _ in written]})
        return
    print(found)
    for path, what in written:
        console.print(f"\n[bold]{escape(path)}[/]\n  {what}", soft_wrap=True)


def _batches(surface, optimizers, batch_sizes, **given):
    from cutaway.landscape import batch_race

    if surface not in ("regression", None):
        raise OptionError(
            f"--batch-size with the surface {surface!r}, which has no rows",
            expected="the surface regression",
            fix=f"cutaway race regression --batch-size {','.join(batch_sizes)}",
        )
    if optimizers is not None and len(optimizers) != 1:
        raise OptionError(
            f"--batch-size with {len(optimizers)} optimizers",
            expected="one, with which the batch sizes are compared",
            fix="write for example --optimizer sgd",
        )
    sizes = [int(size) if size.isdigit() else size for size in batch_sizes]
    return batch_race(sizes, (optimizers or ["sgd"])[0], **given)


def _write(found, png, html) -> list:
    """Write the race; returns [(path, what it is)]."""
    from cutaway.story.figures import png_of

    written = []
    if png is not None:
        write_atomically(png, png_of(found.figure()))
        written.append((str(png), "trajectories on the contour plot, and the loss of each"))
    if html is not None:
        write_atomically(html, found.page().encode())
        written.append((str(html), "report for the browser, with a slider over the steps"))
    return written
