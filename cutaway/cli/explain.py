"""cutaway explain."""

from cutaway.cli.show import console, escape, print_json


def explain_command(run, *, row, data, neuron, weight, top, html, as_json) -> None:
    from cutaway.runs import Run
    from cutaway.runs.explain import (
        explain_row,
        explanation_of,
        open_row,
        parse_place,
        row_drawing,
        weight_path,
    )
    from cutaway.story import write_page

    opened = Run.open(run)
    stories, whole = [], None
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
    if not stories or html is not None:
        whole = explain_row(opened, data, row)
    if html is not None:
        gradient = next((s for h, s in stories if h.startswith("Weight")), None)
        write_page(
            html,
            f"Row {row} of {whole.source}",
            [*stories, *whole.stories()],
            drawing=row_drawing(whole, gradient),
            lead=f"Predicted: {whole.prediction}"
            + ("" if whole.truth is None else f"; in truth: {whole.truth}"),
        )
    if as_json:
        told = {heading.split()[0].lower(): story.to_dict() for heading, story in stories}
        print_json(told or whole.to_dict())
        return
    print("\n\n".join(str(story) for _, story in stories) if stories else whole)
    if html is not None:
        console.print(f"\n[bold]{escape(html)}[/]\n  the same for your browser", soft_wrap=True)
    elif not stories:
        _print_hints(opened, run, whole)


def _print_hints(opened, run, whole) -> None:
    print("\nMore:")
    story = whole.gradient
    if story is not None:
        layer = story.path.removesuffix(".weight")
        place = ",".join(map(str, story.index))
        print(f"  cutaway explain {run} --row {whole.row} --weight {layer}:{place}")
        if whole.explanation.trace.x.ndim == 2 == len(story.index) and layer.isdigit():
            print(f"  cutaway explain {run} --row {whole.row} --neuron {layer}:{story.index[1]}")
    print(f"  cutaway explain {run} --row {whole.row} --html why.html")
