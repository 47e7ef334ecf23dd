"""The curves of a training, as SVG without matplotlib."""

from collections.abc import Callable

from cutaway.story.design import BLUE, GRAY, ORANGE
from cutaway.story.plot import Plot


def history_plots(
    history,
    *,
    best_epoch: int | None = None,
    named: Callable[[str], str] | None = None,
    validation: str = "validation",
) -> list[Plot]:
    """Loss and each metric over the epochs.

    Args:
        history: a train.History.
        best_epoch: a line marks the epoch whose weights were kept.
        named: function from the name of a column to its title; None: spaces for underscores.
        validation: what the curves of the validation are called.
    """
    metrics = [c[4:] for c in history.columns if c.startswith("val_") and c != "val_loss"]
    dot = 3.5 if len(history) == 1 else 0.0  # one point makes no line
    plots = []
    for name in ("loss", *metrics):
        heading = name.replace("_", " ") if named is None else named(name)
        plot = Plot(heading, x_label="epoch", integer_x=True)
        alone = f"val_{name}" not in history.columns
        for column, label, color, width in (
            (name, "training", BLUE if alone else GRAY, 1.4),
            (f"val_{name}", validation, BLUE, 2.0),
        ):
            if column in history.columns:
                look = {"color": color, "width": width, "dot": dot}
                plot.line(history["epoch"], history[column], label=label, **look)
        if best_epoch:
            plot.vertical(best_epoch, color=ORANGE, label="weights kept")
        plots.append(plot)
    return plots
