"""cutaway explain."""

import shlex

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json
from cutaway.errors import OptionError


def explain_command(
    run, *, row, given, data, neuron, weight, top, box, html, force, trust, as_json
) -> None:
    if given is not None and data is not None:
        raise OptionError(
            f"the data were given twice: {given} and --input {data}",
            expected="one of both",
            fix="omit --input",
        )
    data = given if data is None else data
    with product(html, "--html", inputs=[data], force=force):
        _explain(run, row, data, neuron, weight, top, box, html, trust, as_json)


def _explain(run, row, data, neuron, weight, top, box, html, trust, as_json) -> None:
    from cutaway.runs.explain import (
        explain_row,
        explanation_of,
        open_row,
        parse_place,
        weight_path,
    )
    from cutaway.runs.published_detector import open_detector_or_run
    from cutaway.story import write_page

    opened = open_detector_or_run(run)
    opened.trusted = trust
    stories = []
    if neuron is not None or weight is not None:
        _, x, y, _ = open_row(opened, data, row)
        explanation = explanation_of(opened, x, y)
        if neuron is not None:
            path, index = parse_place(neuron, "--neuron")
            stories.append((f"Neuron {neuron}", explanation.forward(path, index)))
        if weight is not None:
            path, index = parse_place(weight, "--weight")
            path = weight_path(opened, path)
            stories.append((f"Weight {weight}", explanation.gradient(path, index, top=top)))
    explained = explain_row(opened, data, row, box=box) if not stories or html is not None else None
    if html is not None and explained is not None:
        gradient = next((s for h, s in stories if h.startswith("Weight")), None)
        write_page(
            html,
            f"Row {row} of {explained.source}",
            [*stories, *explained.stories()],
            drawing=explained.drawing(gradient),
            lead=f"Prediction: {explained.prediction}"
            + ("" if explained.truth is None else f"; true value: {explained.truth}"),
        )
    shown = explained if not stories else None
    if as_json:
        parts = {heading.split()[0].lower(): story.to_dict() for heading, story in stories}
        print_json(parts if shown is None else shown.to_dict())
        return
    print("\n\n".join(str(story) for _, story in stories) if shown is None else shown)
    if html is not None:
        console.print(f"\n[bold]{escape(html)}[/]\n  report for the browser", soft_wrap=True)
    elif shown is not None:
        _print_hints(run, data, shown)


def _print_hints(run, data, explained) -> None:
    from cutaway.nn.trees import is_array

    print("\nMore:")
    story = explained.gradient  # of a prediction per row
    source = "" if data is None else f" {shlex.quote(str(data))}"
    command = f"  cutaway explain {run}{source} --row {explained.row}"
    if story is not None:
        layer = story.path.removesuffix(".weight")
        place = ",".join(map(str, story.index))
        print(f"{command} --weight {layer}:{place}")
        x = explained.explanation.trace.x
        is_table = is_array(x) and x.ndim == 2
        if is_table and len(story.index) == 2 and layer.isdigit():
            print(f"{command} --neuron {layer}:{story.index[1]}")
    print(f"{command} --html why.html")
