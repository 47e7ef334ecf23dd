"""A process of scaling.py: WHAT CORES BATCH HOLD [BYTES ...], started by `cutaway launch`."""

import json
import os
import statistics
import sys
import time

EPOCHS, STEPS, LEFT_OUT = 12, 60, 3
REPEATS = 40


def main() -> None:
    what, cores, batch, hold = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    # before JAX, which makes a thread for each core that it sees
    if hold == "pinned":
        me = int(os.environ["CUTAWAY_PROCESS"])
        here = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {here[(me * cores + k) % len(here)] for k in range(cores)})
    os.environ["PJRT_NPROC"] = str(cores)  # threads that compute
    import cutaway as ct

    ct.distributed.start()
    found = messages(list(map(int, sys.argv[5:]))) if what == "messages" else steps(what, batch)
    if ct.distributed.is_first():
        print(json.dumps(found), flush=True)


def steps(what: str, batch: int) -> dict:
    """Seconds of a step of `Trainer.fit`, all data in memory, and bytes of the gradients."""
    import numpy as np

    import cutaway as ct

    rng = np.random.default_rng(0)
    ct.seed(0)
    if what == "small CNN":
        net, shape = ct.Sequential(
            ct.Conv2d(1, 16, 3, padding="same"), ct.ReLU(), ct.MaxPool(2),
            ct.Conv2d(16, 32, 3, padding="same"), ct.ReLU(), ct.MaxPool(2),
            ct.Flatten(), ct.Linear(7 * 7 * 32, 10),
        ), (28, 28, 1)  # fmt: skip
    else:
        sizes = [int(word) for word in what.split("-")]
        net, shape = ct.models.mlp(sizes), (sizes[0],)
    x = rng.normal(size=(batch * STEPS, *shape)).astype(np.float32)
    y = rng.integers(0, 10, len(x)).astype(np.int32)
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net))
    history = trainer.fit(x, y, epochs=EPOCHS, batch_size=batch, progress=False)
    seconds = [row["seconds"] / STEPS for row in history.rows[LEFT_OUT:]]
    sizes = [array.nbytes for array in net.state_dict().values()]
    return {"seconds": statistics.median(seconds), "bytes": sizes}


def messages(sizes: list[int]) -> dict:
    """Seconds of the sum of an array of each size over all processes."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("processes",))
    parted = NamedSharding(mesh, PartitionSpec("processes"))
    whole = NamedSharding(mesh, PartitionSpec())
    add = jax.jit(lambda array: array.sum(axis=0), out_shardings=whole)
    found = []
    for size in sizes:
        own = np.ones((1, size // 4), np.float32)
        array = jax.make_array_from_process_local_data(parted, own)
        jax.block_until_ready(add(array))
        each = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            jax.block_until_ready(add(array))
            each.append(time.perf_counter() - began)
        found.append(statistics.median(each))
    return {"seconds": found}


if __name__ == "__main__":
    main()
