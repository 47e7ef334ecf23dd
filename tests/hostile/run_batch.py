"""A child process that changes the files of runs, and uses the runs.

    python -m tests.hostile.run_batch FOLDER SEED FIRST COUNT

FOLDER holds runs/NAME and data/NAME, see `run_samples`. The checksum of a changed file is made to
match, so that it is not what refuses it. See `child.run_draws`.
"""

import functools
import json
import random
import shutil
import sys
import warnings
from pathlib import Path

from cutaway.errors import CutawayError
from cutaway.models.pretrained import PRETRAINED_BACKBONES
from cutaway.runs import Run
from cutaway.runs.export import interface
from cutaway.runs.run_folder import RunFolder
from tests.hostile.child import run_draws
from tests.hostile.damage import changed_json, damaged
from tests.runs.small_backbone import SMALL

FILES = ("config.json", "preprocessing.json", "metrics.json", "history.csv", "fingerprint.npz")


def use(run: Run, data: Path) -> None:
    """All that a run's files are read for."""
    if run.preprocessing.task == "language":
        from cutaway.runs.language import generate

        generate(run, "the cat", length=4)
    else:
        run.predict(data)
    run.evaluate(data)
    run.preprocessing.summary_rows()
    json.dumps(run.preprocessing.to_json())
    interface(run)
    run.history.plot()
    str(run.history)
    json.dumps(run.metrics)


def outcome_of(path: Path, data: Path) -> tuple[str, str]:
    """("value", ""), ("error", message), or ("fault", what is wrong).

    A run that cannot be opened is to be named. Later an error may be about the data, which are
    sound, but have a class or a length that the changed file has not.
    """
    run = None
    try:
        run = Run.open(path)
        use(run, data)
    except CutawayError as error:
        text = str(error)
        return ("fault" if run is None and str(path) not in text else "error"), text
    except BaseException as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)
        calls = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in where[::-1][:4])
        return "fault", f"{type(error).__name__}: {error} ({calls})"
    return "value", ""


def main(folder: str, seed: str, first: str, count: str) -> None:
    warnings.simplefilter("ignore")
    PRETRAINED_BACKBONES["small"] = SMALL
    root = Path(folder)
    data = {}
    for path in sorted((root / "runs").iterdir()):
        folder_of_data = root / "data" / path.name
        files = [p for p in folder_of_data.iterdir() if p.name.startswith("data.")]
        data[path.name] = files[0] if files else folder_of_data
        use(Run.open(path), data[path.name])  # sound, and everything is loaded
    run_draws(_draws(root, data, int(seed), int(first), int(count)))


def _draws(root, data, seed, first, count):
    for number in range(first, first + count):
        rnd = random.Random(f"{seed}/{number}")
        kind, name = rnd.choice(sorted(data)), rnd.choice(FILES)
        path = root / "drawn"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(root / "runs" / kind, path)
        content = (path / name).read_bytes()
        if name.endswith(".json") and rnd.random() < 0.9:
            how, value = changed_json(rnd, json.loads(content))
            content = json.dumps(value).encode()
        else:
            how, content = damaged(rnd, content)
        (path / name).write_bytes(content)
        RunFolder(path).accept([name])
        yield (
            f"draw {number} of seed {seed}, {name} of {kind}, {how}",
            name,
            functools.partial(outcome_of, path, data[kind]),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
