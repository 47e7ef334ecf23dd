"""A task: a score to reach, and a function for each program that reaches it."""

import dataclasses
from collections.abc import Callable

MOST_EPOCHS = 60  # after which a contender has missed the score


@dataclasses.dataclass(frozen=True)
class Reached:
    """What a contender returns.

    Attributes:
        score: on the test rows after its last epoch.
        epochs: epochs that it trained.
    """

    score: float
    epochs: int


@dataclasses.dataclass(frozen=True)
class Task:
    """Data, a score, and who trains for it.

    Attributes:
        name: of the task.
        data: folder or file below the folder of the data.
        metric: name of the score, of which more is better.
        least: the score at which training ends. The same for all; chosen before anything was timed.
        contenders: {name: function (path of the data, seed, least) -> Reached}. Each imports its
            library itself, because the import is part of what is timed.
        needs: {name of a contender: package that it needs}.
    """

    name: str
    data: str
    metric: str
    least: float
    contenders: dict[str, Callable]
    needs: dict[str, str]
