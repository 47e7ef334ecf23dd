"""Peak memory of training on a large array, and on the same data read from Parquet in batches.

    python -m benchmarks.memory array [--megabytes 2048]
    python -m benchmarks.memory parquet [--megabytes 2048] [--folder /tmp]

Prints what training added to the peak of the process, beyond what the array itself takes and what
importing takes. Each form runs in a process of its own: a peak cannot be taken back.
"""

import argparse
import resource
import tempfile
from pathlib import Path

import numpy as np

FEATURES = 64


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def current_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def trainer():
    import cutaway as ct

    ct.seed(0)
    net = ct.models.mlp((FEATURES, 64, 1))
    made = ct.Trainer(net, loss=ct.losses.mean_squared_error)
    x = np.ones((64, FEATURES), np.float32)
    made.fit(x, x[:, :1], epochs=1, batch_size=32)  # imports and compiler are in the baseline
    return made


def rows_of(megabytes):
    return megabytes * 2**20 // (4 * FEATURES)


def fill(x, rng):
    for start in range(0, len(x), 65_536):
        part = x[start : start + 65_536]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)


def from_array(megabytes):
    x = np.empty((rows_of(megabytes), FEATURES), np.float32)
    fill(x, np.random.default_rng(0))
    y = x[:, :1].copy()
    made = trainer()
    before = current_megabytes()
    made.fit(x, y, epochs=1, batch_size=1024, validation=0.1)
    size = (x.nbytes + y.nbytes) / 2**20
    added = peak_megabytes() - before
    print(f"array of {size:,.0f} MB: training added {added:,.0f} MB at the peak, ", end="")
    print(f"{added / size:.2f} times its size; loss {made.history['loss'][-1]:.4f}")


def from_parquet(megabytes, folder):
    import subprocess
    import sys

    import cutaway as ct

    with tempfile.TemporaryDirectory(dir=folder) as folder:
        path = Path(folder) / "large.parquet"
        # written in a process of its own, whose peak does not count
        subprocess.run(
            [sys.executable, __file__, "write", "--megabytes", str(megabytes), "--folder", path],
            check=True,
        )
        made = trainer()
        batches = ct.data.ParquetBatches(path, target="y")
        before = current_megabytes()
        made.fit(batches, epochs=1, batch_size=1024)
        added = peak_megabytes() - before
        size = batches.rows * (FEATURES + 1) * 4 / 2**20
        print(f"Parquet of {size:,.0f} MB: training added {added:,.0f} MB at the peak; ", end="")
        print(f"loss {made.history['loss'][-1]:.4f}")


def write(megabytes, path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    names = [*(f"x{i}" for i in range(FEATURES)), "y"]
    schema = pa.schema([(name, pa.float32()) for name in names])
    left = rows_of(megabytes)
    with pq.ParquetWriter(path, schema) as writer:
        while left > 0:
            part = rng.standard_normal((min(left, 131_072), FEATURES), dtype=np.float32)
            columns = [*part.T, part[:, 0]]
            writer.write_table(pa.table([np.ascontiguousarray(c) for c in columns], schema=schema))
            left -= len(part)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("form", choices=["array", "parquet", "write"])
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    if options.form == "array":
        from_array(options.megabytes)
    elif options.form == "parquet":
        from_parquet(options.megabytes, options.folder)
    else:
        write(options.megabytes, options.folder)


if __name__ == "__main__":
    main()
