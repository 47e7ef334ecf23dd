"""cutaway explain."""

import shlex

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json
from cutaway.cli.textbook import NAMED, place_of_name
from cutaway.errors import OptionError


def explain_command(run, *, row, given, data, box, html, force, trust, as_json, **asked) -> None:
    """Args: asked: neuron, weight, step, window, gates, top: what to show besides the row."""
    if given is not None and data is not None:
        raise OptionError(
            f"the data were given twice: {given} and --input {data}",
            expected="one of both",
            fix="omit --input",
        )
    data = given if data is None else data
    with product(html, "--html", inputs=[data], force=force):
        _explain(run, row, data, box, html, trust, as_json, asked)


def _explain(run, row, data, box, html, trust, as_json, asked) -> None:
    from cutaway.runs.explain import explain_row
    from cutaway.runs.published_detector import open_detector_or_run
    from cutaway.story import write_page

    opened = open_detector_or_run(run)
    opened.trusted = trust
    stories = _stories(opened, data, row, **asked)
    steps_alone = asked["step"] and asked["weight"] is None
    explained = None
    if not stories or html is not None or steps_alone:
        explained = explain_row(opened, data, row, box=box)
    if steps_alone:
        step = getattr(explained, "step", None)
        if step is None:
            raise OptionError(
                f"--step: no weight with a gradient was found for row {row}",
                expected="a row whose true value is known",
                fix="name the weight (--weight 0:2,1), or data with the target (--input FILE)",
            )
        stories.append(("Step", step))
    if html is not None and explained is not None:
        gradient = next((s for h, s in stories if h.startswith("Weight")), None)
        write_page(
            html,
            f"Row {row} of {explained.source}",
            _once([*stories, *explained.stories()]),
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


def _once(stories) -> list:
    """The stories, without those that tell of the same weight again."""
    found, seen = [], set()
    for heading, story in stories:
        step = getattr(story, "update", None)
        of = story if step is None else step.move
        what = (type(story), getattr(of, "path", None), tuple(getattr(of, "index", None) or ()))
        if what[1] is None or what not in seen:
            found.append((heading, story))
        seen.add(what)
    return found


def _stories(opened, data, row, *, neuron, weight, step, window, gates, top) -> list:
    """[(heading, story)] of the parts of the network that were asked for."""
    from cutaway.runs.explain import explanation_of, open_row, parse_place, weight_path

    if all(asked is None for asked in (neuron, weight, window, gates)):
        return []
    _, x, y, _ = open_row(opened, data, row)
    explanation = explanation_of(opened, x, y)
    stories = []
    if neuron is not None:
        path, index = parse_place(neuron, "--neuron")
        stories.append((f"Neuron {neuron}", explanation.forward(path, index)))
    if window is not None:
        path, index = parse_place(window, "--window")
        stories.append((f"Window {window}", explanation.window(path, index)))
    if gates is not None:
        stories.append((f"Gates {gates}", explanation.gates(gates)))
    if weight is not None:
        if NAMED.fullmatch(weight.strip()):
            path, index = place_of_name(weight, opened.net)
        else:
            path, index = parse_place(weight, "--weight")
        stories += _of_weight(opened, explanation, weight_path(opened, path), index, top, step)
    return stories


def _of_weight(opened, explanation, path, index, top, step) -> list:
    """The stories of a weight: its paths, through time if it is recurrent, and the next step."""
    from cutaway.explain.through_time import is_used_over_time
    from cutaway.runs.row_step import step_of_row

    named = f"{path}:{','.join(map(str, index))}"
    stories = [(f"Weight {named}", explanation.gradient(path, index, top=top))]
    if is_used_over_time(explanation.trace.graph, path):
        stories.append((f"Time {named}", explanation.through_time(path, index)))
    if step:
        stories.append((f"Step {named}", step_of_row(opened, explanation, path, index)))
    return stories


def _print_hints(run, data, explained) -> None:
    from cutaway.nn.trees import is_array

    print("\nMore:")
    story = explained.gradient  # of a prediction per row
    source = "" if data is None else f" {shlex.quote(str(data))}"
    command = f"  cutaway explain {run}{source} --row {explained.row}"
    if story is not None:
        layer = story.path.removesuffix(".weight")
        place = ",".join(map(str, story.index))
        step = " --step" if getattr(explained, "step", None) is not None else ""
        print(f"{command} --weight {layer}:{place}{step}")
        x = explained.explanation.trace.x
        is_table = is_array(x) and x.ndim == 2
        if is_table and len(story.index) == 2 and layer.isdigit():
            print(f"{command} --neuron {layer}:{story.index[1]}")
    for _, view in getattr(explained, "more", []):
        print(f"{command} {view.option()}")
    print(f"{command} --html why.html")
