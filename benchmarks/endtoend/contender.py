"""One contender of one task, in a process of its own: prints what it reached as a line of JSON.

python -m benchmarks.endtoend.contender mnist torch 0 ../shared/data
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

from .tasks import TASKS


def main(task: str, name: str, seed: str, data: str) -> None:
    if name.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = name.removeprefix("keras-")
    found = TASKS[task].contenders[name](
        Path(data) / TASKS[task].data, int(seed), TASKS[task].least
    )
    print(json.dumps(dataclasses.asdict(found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
