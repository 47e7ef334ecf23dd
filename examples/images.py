"""Image classification from folders of images or IDX files, as `cutaway train` does it.

    python examples/images.py FOLDER [--epochs N] [--seed S] [--out RUN]

Reads the folder, chooses and trains a network like `cutaway train FOLDER`, and scores it on the
test set, if the data come with one.
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
    for name in ("validation", "test"):
        if name in metrics:
            print(f"{name} accuracy: {metrics[name]['accuracy']:.2%}")
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    given = vars(parser.parse_args())
    main(given.pop("folder"), **given)
