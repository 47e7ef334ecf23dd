"""Photographs or drawings in folders of classes, or IDX files: what the plain command does.

    python examples/images.py FOLDER [--epochs N] [--seed S] [--out RUN]

The folder is read, the network chosen and trained as `cutaway train FOLDER` does it, and the test
set that came with the data, if there is one, is used once, at the end.
"""

import argparse
import tempfile
from pathlib import Path

from cutaway.runs import prepare


def main(folder, *, epochs=None, seed=0, out=None):
    """The run, trained on the images in `folder`."""
    options = {} if epochs is None else {"epochs": epochs}
    prepared = prepare(folder, seed=seed, **options)
    print(prepared.why)
    with tempfile.TemporaryDirectory() as temporary:
        run = prepared.train(out or Path(temporary) / "run")
    metrics = run.metrics
    print(
        f"{metrics['parameters']:,} parameters, {metrics['epochs']} epochs in "
        f"{metrics['seconds']:.0f} s, {metrics['waited_for_data']:.1%} of it waiting for images"
    )
    for name, key in (("held out", "validation"), ("test set", "test")):
        if key in metrics:
            print(f"{name}: {metrics[key]['accuracy']:.2%} right")
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    given = vars(parser.parse_args())
    main(given.pop("folder"), **given)
