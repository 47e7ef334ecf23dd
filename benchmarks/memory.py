"""Peak memory of training.

    python -m benchmarks.memory array [--megabytes 2048]
    python -m benchmarks.memory parquet [--megabytes 2048] [--folder /tmp]
    python -m benchmarks.memory step [--only U-Net,V-Net,pix2pix]

`array` and `parquet`: training on a large array, and on the same data read in batches. Printed is
what training adds to the peak of the process, beyond what the array itself takes and what importing
takes. Each form runs in a process of its own: a peak cannot be taken back.

`step`: training steps of networks of benchmarks.networks, in Cutaway and in PyTorch eager, each in
a process of its own. Printed is what steps add to what the process holds with the libraries loaded
and before a network is built: parameters, gradients, the optimizer's state and all values between;
and, for Cutaway, the peak while the step is compiled.
"""

import argparse
import resource
import tempfile
from pathlib import Path

import numpy as np

FEATURES = 64
STEPS = 4


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


def forget_peak() -> None:
    """Let the peak of the process begin with what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_since() -> float:
    """The peak of the process in MB since forget_peak."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def print_side(name: str, side: str) -> None:
    """Print what steps of a network add at the peak: while compiling, and later."""
    from benchmarks.networks import CASES
    from benchmarks.speed import Ours, Theirs

    case = next(one for one in CASES if one.name.startswith(name))
    x, y = case.data(np.random.default_rng(0), case.batch)
    side_of = Ours if side == "ours" else Theirs
    side_of(CASES[0], *CASES[0].data(np.random.default_rng(0), 2))  # a small one: all is imported
    before = current_megabytes()
    forget_peak()
    made = side_of(case, x, y)
    compiling = peak_since() - before
    forget_peak()
    for _ in range(STEPS):
        made.step()
    print(compiling, peak_since() - before)


def compare_steps(names) -> None:
    import subprocess
    import sys

    for name in names:
        found = {}
        for side in ("ours", "theirs"):
            command = [
                sys.executable,
                "-m",
                "benchmarks.memory",
                "side",
                "--only",
                f"{name},{side}",
            ]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[side] = [float(n) for n in printed.split()[-2:]]
        (compiling, ours), (_, theirs) = found["ours"], found["theirs"]
        print(
            f"{name}: {ours:,.0f} MB, PyTorch {theirs:,.0f} MB, {ours / theirs:.2f} times; "
            f"{compiling:,.0f} MB while compiling"
        )


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
    parser.add_argument("form", choices=["array", "parquet", "step", "side", "write"])
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--only", default="U-Net,V-Net,pix2pix")
    options = parser.parse_args()
    if options.form == "array":
        from_array(options.megabytes)
    elif options.form == "parquet":
        from_parquet(options.megabytes, options.folder)
    elif options.form == "step":
        compare_steps(options.only.split(","))
    elif options.form == "side":
        print_side(*options.only.split(","))
    else:
        write(options.megabytes, options.folder)


if __name__ == "__main__":
    main()
