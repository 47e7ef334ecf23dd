"""What lies where while a sharded network trains, as JSON: for test_sharding.

FOLDER [options of ct.distributed.start as JSON]; with several processes each prints its own.
"""

import json
import re
import sys

import numpy as np

import cutaway as ct
from cutaway.runtime import sharding


def training(folder):
    ct.seed(ct.distributed.process_index())
    # no bias before the statistics: its gradient is 0, and Adam makes steps of what is rounded
    inner = [ct.Linear(12, 64, bias=False), ct.BatchNorm(64), ct.Tanh()]
    net = ct.Sequential(*inner, ct.Linear(64, 1))
    average = ct.ExponentialAverage(net, decay=0.9)
    loss = ct.losses.mean_squared_error
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=0.01), average=average)
    x = np.random.default_rng(0).normal(size=(64, 12)).astype(np.float32)
    seen = {}

    def look(trainer, row):
        for path, variable in trainer.program.variables().items():
            parts = [part.data.nbytes for part in variable.data.addressable_shards]
            seen[path] = [list(variable.shape), variable.data.nbytes, parts]

    keeping = ct.train.Checkpoints(folder, every_seconds=0, resume=True)
    callbacks = [look, keeping, ct.train.EarlyStopping(patience=50)]
    options = {"batch_size": 16, "validation": 0.25, "seed": 0, "progress": False}
    trainer.fit(x, x.sum(1, keepdims=True), epochs=4, accumulate=2, callbacks=callbacks, **options)
    return trainer, x, seen


def donated() -> dict:
    """A user's own step, which donates: what became of the old values, and where the new lie."""
    net = ct.Sequential(ct.Linear(16, 64), ct.Tanh(), ct.Linear(64, 64))
    optimizer = ct.Adam(net)

    def step(x):
        loss = (net(ct.Tensor(ct.distributed.over_rows(x.data))) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    compiled = ct.jit(step, net, optimizer)
    with ct.distributed.sharing():
        text = compiled.lower(np.ones((8, 16), np.float32)).compile().as_text()
        before = [net.parameters()[0].data, optimizer.state["m"][0].data]
        first = compiled(np.ones((8, 16), np.float32)).item()
        after = [net.parameters()[0].data, optimizer.state["m"][0].data]
        again = compiled(np.ones((8, 16), np.float32)).item()
    return {
        "gone": [array.is_deleted() for array in before],
        "same place": [a.sharding == b.sharding for a, b in zip(before, after, strict=True)],
        "losses": [first, again],
        "gathers": len(re.findall(r" all-gather(?:-start)?\(", text)),
    }


if __name__ == "__main__":
    is_given = len(sys.argv) > 2 and sys.argv[2].startswith("{")
    options = json.loads(sys.argv[2]) if is_given else {}
    if options.pop("unchecked", False):  # what GPUs may do, between processes on CPUs
        sharding.on_cpu = lambda: False
    ct.distributed.start(**options)
    me = ct.distributed.process_index()
    trainer, x, seen = training(f"{sys.argv[1]}/kept")
    found = {f"net.{path}": array for path, array in trainer.net.state_dict().items()}
    found |= {f"output.{i}": array for i, array in enumerate(trainer.predict(x[:8]))}
    found["loss"] = np.array(trainer.evaluate(x, x.sum(1, keepdims=True))["loss"])
    found["losses"] = np.array([[row["loss"], row["val_loss"]] for row in trainer.history.rows])
    np.savez(f"{sys.argv[1]}/found-{me}.npz", **found)
    said = {"devices": sharding.device_count(), "seen": seen}
    if sharding.is_sharded() and ct.distributed.process_count() == 1:
        said["donated"] = donated()
    with open(f"{sys.argv[1]}/said-{me}.json", "w") as file:
        json.dump(said, file)
