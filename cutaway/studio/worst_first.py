"""The rows that a network predicts worst, for a page that wants to see one."""

import numpy as np

from cutaway.errors import OptionError
from cutaway.nn import exclusive
from cutaway.nn.trees import is_array, map_leaves
from cutaway.studio.background import Background
from cutaway.studio.labeled_outputs import (
    class_numbers,
    predicts_classes,
    probabilities,
    values_in_unit,
)
from cutaway.studio.subject import Subject
from cutaway.studio.wire import packed
from cutaway.train import Program
from cutaway.train.evaluation import Evaluator

MOST_ROWS = 20_000  # of a set that are predicted


def worst_first(subject: Subject, program: Program, rows: np.ndarray) -> np.ndarray:
    """Places within `rows` of what is predicted worst, the worst first.

    Of classes the rows whose class is predicted wrongly, by the probability of the wrong class; of
    values all rows, by the absolute error.

    Raises:
        OptionError: predictions that are neither.
    """
    x, y = (map_leaves(lambda leaf: leaf[rows], tree) for tree in (subject.x, subject.y))
    raw = Evaluator(program).predict(x, None)
    is_plain = is_array(raw) and is_array(y) and np.ndim(raw) == 2
    if not is_plain:
        raise OptionError(
            "the worst rows were asked for of predictions that are neither a class nor a number",
            expected="a network that predicts classes or values of rows",
            fix="go through the rows one by one",
        )
    if predicts_classes(subject, program):
        found = np.asarray(probabilities(program, raw))
        predicted = found.argmax(axis=1)
        wrong = np.flatnonzero(predicted != class_numbers(y))
        return wrong[np.argsort(-found[wrong, predicted[wrong]], kind="stable")]
    truth = values_in_unit(subject, np.asarray(y, np.float32).reshape(len(raw), -1))
    errors = np.abs(values_in_unit(subject, raw) - truth).max(axis=1)
    return np.argsort(-errors, kind="stable")


def show_next_wrong(session, lane, client, background: Background) -> None:
    """Look at the row that is predicted worst, or at the next one after it.

    Args:
        session: the Session, on its thread.
        lane: the Lane whose predictions count.
        client: who is told if there is none.
    """
    subject, look = session.subject, session.look
    if not subject.can_train:
        raise OptionError("the worst rows of a network without rows", expected="rows with targets")
    rows = (subject.training if look.set == "training" else subject.validation)[:MOST_ROWS]
    with exclusive():
        program = lane.program.copied()

    def then(places: np.ndarray) -> None:
        message = {"type": "worst", "set": look.set, "count": len(places), "of": len(rows)}
        if len(places):
            shown = session.look.row if session.look.row == session.worst_row else None
            here = np.flatnonzero(places == shown)
            rank = int(here[0] + 1) % len(places) if len(here) else 0
            message["rank"] = rank + 1
            session.worst_row = int(places[rank])
            session.look_at(row=session.worst_row, set=look.set)
        client.deliver(packed(message))

    def failed(error: Exception) -> None:
        raise error

    background.run("explain", lambda: worst_first(subject, program, rows), then, failed)
