"""cutaway plot: curves of activations, losses, weights and formulas; dropout before and after."""

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json, table
from cutaway.errors import OptionError, did_you_mean
from cutaway.files import write_atomically


def list_plots(*, as_json) -> None:
    """Activations with symbol, range and largest slope; losses with their short names."""
    from cutaway.landscape.activation_slopes import (
        activation_named,
        activation_names,
        range_end,
    )
    from cutaway.landscape.loss_slopes import SHORT, curve_losses
    from cutaway.story.text import number

    activations = {}
    for name in activation_names():
        traits = activation_named(name).traits.activation
        assert traits is not None
        low, high = map(range_end, traits.range)
        activations[name] = {
            "symbol": traits.symbol or name,
            "range": f"{low} to {high}",
            "largest_slope": number(traits.largest_slope),
        }
    losses = {name: SHORT.get(name, "") for name in curve_losses()}
    if as_json:
        print_json({"activations": activations, "losses": losses})
        return
    rows = [[name, *facts.values()] for name, facts in activations.items()]
    console.print(table(["activation", "symbol", "range", "largest slope"], rows, right=(3,)))
    print()
    console.print(table(["loss", "short name"], [[*pair] for pair in losses.items()]))
    print("\nalso: dropout; a formula of x in quotes; a run, with --weight")


def plot_command(what, *, given, png, html, force, as_json) -> None:
    """Show what is plotted.

    Args:
        what: as it was typed.
        given: {option: value} of the other options.
    """
    with product(png, "--png", force=force), product(html, "--html", force=force):
        story = story_of(what, given)
        written = _write(what, story, png, html)
    if as_json:
        print_json({**story.to_dict(), "written": [path for path, _ in written]})
        return
    print(story)
    for path, what_it_is in written:
        console.print(f"\n[bold]{escape(path)}[/]\n  {what_it_is}", soft_wrap=True)


def story_of(what: str, given: dict):
    """The story of a run's weight, dropout, an activation, a loss, or a formula of x."""
    from pathlib import Path

    from cutaway.landscape import activation_curve, curve_points, loss_curve
    from cutaway.landscape.activation_slopes import activation_named, activation_names
    from cutaway.landscape.loss_slopes import SHORT, curve_losses
    from cutaway.landscape.stationary_points import TEXTBOOK

    options = _options(given.get("fixed"))
    if given.get("weight") is not None or Path(what).is_dir():
        _expect_only(given, "a weight of a run", "weight", "row", "data", "lr", "trust")
        return _weight(what, given)
    if what == "dropout":
        _expect_only(given, "dropout", "sizes", "fixed")
        from cutaway.diagram import dropout_story

        chosen = {"p": options.pop("p", 0.5), "seed": int(options.pop("seed", 3))}
        _expect_none(options, "dropout", "p and seed")
        return dropout_story(given.get("sizes") or (3, 5, 5, 1), **chosen)
    losses = {*curve_losses(), *SHORT.values()}
    names = [name.strip().replace("-", "_") for name in what.split(",")]
    if any(name in losses for name in names):
        _expect_only(given, "a loss", "y", "fixed")
        return loss_curve(names, y=given.get("y"), **options)
    if len(names) == 1 and _is_activation(what, activation_named):
        _expect_only(given, "an activation", "fixed")
        return activation_curve(what, **options)
    if what.isidentifier() and what not in ("x", "curve"):
        known = [*activation_names(), *sorted(losses), "dropout", "curve"]
        raise OptionError(
            f"unknown curve {what!r}",
            expected="an activation, a loss, dropout, a run or a formula of x; see --list",
            fix=did_you_mean(what, known),
        )
    _expect_none(options, "a formula", "none")
    _expect_only(given, "a formula", "x_range")
    return curve_points(TEXTBOOK if what == "curve" else what, given.get("x_range"))


def _is_activation(name, activation_named) -> bool:
    try:
        activation_named(name)
    except OptionError:
        return False
    return True


def _weight(run, given):
    from cutaway.landscape import weight_curve
    from cutaway.runs import Run
    from cutaway.runs.explain import explanation_of, open_row, parse_place, weight_path
    from cutaway.runs.networks import loss_of

    if given.get("weight") is None:
        raise OptionError(
            f"{run} is a run, and no weight was named",
            expected="--weight, a layer, a colon and indices from 0",
            fix=f"write for example: cutaway plot {run} --weight 0:0,1",
        )
    opened = Run.open(run)
    opened.trusted = given.get("trust", False)
    _, x, y, _ = open_row(opened, given.get("data"), given.get("row", 0))
    if y is None:
        raise OptionError(
            "the row has no target, so there is no loss", expected="data with the target column"
        )
    path, index = parse_place(given["weight"], "--weight")
    x = explanation_of(opened, x, y).trace.x  # as the network takes it
    return weight_curve(
        opened.net, x, y, loss=loss_of(opened.config["network"]),
        path=weight_path(opened, path), index=index, lr=given.get("lr") or 0.1,
    )  # fmt: skip


def _options(fixed) -> dict:
    found = {}
    for text in fixed or ():
        name, sign, value = text.partition("=")
        try:
            found[name.strip().replace("-", "_")] = float(value)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise OptionError(
                f"the setting {text!r}",
                expected="a name, = and a number",
                fix="write for example --set delta=2",
            )
    return found


def _expect_only(given, what, *allowed) -> None:
    """Raise OptionError if an option is given that `what` does not take."""
    flags = {"data": "--input", "x_range": "--range", "fixed": "--set"}
    for name, value in given.items():
        is_unset = value is None or value is False or (not value and name in ("row", "fixed"))
        if not is_unset and name not in allowed:
            known = ", ".join(flags.get(one, f"--{one}") for one in allowed)
            raise OptionError(
                f"{flags.get(name, f'--{name}')} beside {what}",
                expected=f"options of {what}: {known}",
                fix="leave it out",
            )


def _expect_none(options, what, known) -> None:
    if options:
        raise OptionError(
            f"{what} has no option {next(iter(options))!r}", expected=known, fix="leave it out"
        )


def _write(what, story, png, html) -> list:
    """Write the pictures; returns [(path, what it is)]."""
    from cutaway.story import write_page
    from cutaway.story.figures import png_of

    written = []
    if png is not None:
        write_atomically(png, png_of(story.figure()))
        written.append((str(png), "the picture"))
    if html is not None:
        write_page(html, f"plot {what}", [("", story)])
        written.append((str(html), "the picture, for the browser"))
    return written
