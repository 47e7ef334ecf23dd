"""The answer to a wish for the loss surface, made beside the session's thread."""

from collections.abc import Callable

import numpy as np

from cutaway.errors import CutawayError, OptionError
from cutaway.nn import Module, exclusive
from cutaway.nn.trees import map_leaves
from cutaway.optim import SGD, Adam, Momentum, Optimizer, RMSprop
from cutaway.studio.background import Background
from cutaway.studio.wire import packed

RATES: dict[type, float] = {SGD: 0.1, Momentum: 0.02, RMSprop: 0.01, Adam: 0.02}


def survey(session, lane, client, background: Background) -> None:
    """Send a client the loss around a network, with the ways of several optimizers.

    Args:
        session: the Session, on its thread.
        lane: the Lane.
        client: who gets it.

    Raises:
        OptionError: there are no rows with targets.
    """
    subject = session.subject
    if not subject.can_train:
        raise OptionError(
            "the loss surface of a network without rows", expected="rows with targets"
        )
    with exclusive():
        program = lane.program.copied()
    step, rows = lane.training.position.steps, subject.training
    number = lane.number

    def work():
        from cutaway.studio.surface import surface

        x, y = (map_leaves(lambda leaf: leaf[rows], tree) for tree in (subject.x, subject.y))
        return surface(program, x, y, _optimizers(program.optimizer))

    def then(found) -> None:
        arrays = {
            "surface/loss": found.values.astype(np.float32),
            "surface/steps": found.steps.astype(np.float32),
        }
        for name, way in found.ways.items():
            arrays[f"surface/paths/{name}"] = way.path.astype(np.float32)
            arrays[f"surface/losses/{name}"] = way.losses.astype(np.float32)
        header = {
            "type": "surface",
            "lane": number,
            "step": step,
            "loss": found.loss,
            "within": found.within,
            "rows": found.rows,
            "limits": [float(found.steps[0]), float(found.steps[-1])],
        }
        client.deliver(packed(header, arrays))

    def failed(error: Exception) -> None:
        if not isinstance(error, CutawayError):
            raise error
        session.say_error(error)

    background.run("explain", work, then, failed)


def _optimizers(now: Optimizer) -> dict[str, Callable[[Module], Optimizer]]:
    """{name: function (net) -> Optimizer}: the present one, and others with usual rates."""
    found: dict[str, Callable[[Module], Optimizer]] = {f"{type(now).__name__} (now)": now.over}
    for kind, rate in RATES.items():
        if kind is not type(now):
            found[kind.__name__] = _maker(kind, rate)
    return found


def _maker(kind: type, rate: float) -> Callable[[Module], Optimizer]:
    def make(net: Module) -> Optimizer:
        return kind(net, lr=rate)

    return make
