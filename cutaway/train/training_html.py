"""A training in a notebook: what it consists of, and its curves."""

from cutaway.diagram.network_html import network_parts, size_in_words
from cutaway.optim.optimizer_html import optimizer_parts
from cutaway.story.html import folded, table
from cutaway.story.notebook import chart, facts, shown, title
from cutaway.story.plot import side_by_side
from cutaway.story.text import number
from cutaway.train.history_curves import history_plots

NO_EPOCHS = '<p class="soft">no epochs yet</p>'


def history_html(history) -> str:
    """What a notebook shows of a History."""
    epochs = f"{len(history)} epoch{'s' * (len(history) != 1)}"
    return shown(title("History", epochs), history_parts(history))


def history_parts(
    history, *, best_epoch: int | None = None, named=None, validation: str = "validation"
) -> str:
    """The curves, and the first and the last epoch in numbers.

    Args:
        best_epoch, named, validation: see history_plots.
    """
    if not history.rows:
        return NO_EPOCHS
    plots = history_plots(history, best_epoch=best_epoch, named=named, validation=validation)
    curves = chart(side_by_side(plots))
    ends = [history.rows[0]] if len(history) == 1 else [history.rows[0], history.rows[-1]]
    columns = [name for name in history.columns if name != "seconds"]
    rows = [[_cell(row.get(name)) for name in columns] for row in ends]
    headings = [name.replace("_", " ") for name in columns]
    return curves + table(headings, rows, numbers=range(len(columns)))


def trainer_html(trainer, epochs: str) -> str:
    """What a notebook shows of a Trainer.

    Args:
        epochs: how long it has trained, in words.
    """
    program = trainer.program
    _, function, _, *others = program.description()
    net, optimizer = program.net, program.optimizer
    rows = [
        ("network", f"{type(net).__name__} of {size_in_words(net)}"),
        ("loss" if program.objective is None else "objective", function),
        ("optimizer", repr(optimizer)),
        *map(_named, others),
        ("trained", epochs),
    ]
    if trainer.device is not None:
        rows.append(("device", trainer.device))
    history = trainer.history
    curves = "" if history is None or not history.rows else history_parts(history)
    return shown(
        title(type(trainer).__name__),
        facts(rows),
        curves,
        *(folded(f"network: {type(n).__name__}", network_parts(n)) for n in program.networks()),
        folded(f"optimizer: {type(optimizer).__name__}", optimizer_parts(optimizer)),
    )


def _named(text: str) -> tuple[str, str]:
    """A part of a program's description as a name and the rest: "metrics accuracy"."""
    name, _, rest = text.partition(" ")
    return (name, rest) if rest else ("precision", name)


def _cell(value) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else number(value)
