"""A worker process that runs part of the trials of a search; `tune` starts it if jobs > 1."""

import dataclasses
import json
import os
import sys
import threading
from pathlib import Path

from cutaway.errors import CutawayError
from cutaway.files import set_max_bytes
from cutaway.runs import prepare
from cutaway.runtime.devices import DEVICES, use_device
from cutaway.search.study import open_space, study_of
from cutaway.search.trial import run_trial


def work(task: dict) -> int:
    """0, or 130 if it was interrupted."""
    if task["device"] in DEVICES:
        use_device(task["device"])
    asked = dict(task["asked"])
    set_max_bytes(task["max_bytes"])
    target, kind = asked.pop("target"), asked.pop("kind")
    asked = {k: tuple(v) if isinstance(v, list) else v for k, v in asked.items()}
    base = prepare(task["data"], target, kind=kind, one_network=True, **asked)
    base = base.with_options(dataclasses.replace(base.options, epochs=base.epochs))
    out = Path(task["out"])
    study = study_of(out, base, open_space(base, asked))
    for place in task["places"]:
        if not run_trial(base, study, place, out / "trials", task["log"]):
            return 130
    return 0


def end_with_parent() -> None:
    """End this process when the one that started it does, which keeps our standard input open.

    Otherwise it would go on after a kill, in the folder of the search that is resumed.
    """

    def wait():
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    try:
        task = json.loads(sys.stdin.readline())
        end_with_parent()
        sys.exit(work(task))
    except CutawayError as error:
        sys.exit(error.came)  # the last line, which the message of the search quotes
    except KeyboardInterrupt:
        sys.exit(130)
