"""The card: its name, what it can do by its data sheet, and what it does."""

import subprocess
import time

# TFLOP/s of dense products, by data sheet: bfloat16, TF32, float32
PEAKS = {
    "H100 80GB HBM3": (989, 495, 67),
    "H200": (989, 495, 67),
    "H100 PCIe": (756, 378, 51),
    "A100": (312, 156, 19.5),
    "L40S": (362, 183, 91.6),
    "L4": (121, 60, 30.3),
    "RTX 4090": (165, 83, 82.6),
}
PRECISIONS = ("bfloat16", "tensorfloat32", "float32")


def peaks(name: str) -> dict:
    """{precision: FLOP/s} of the card by its data sheet; empty where it is not in the table."""
    for part, rates in PEAKS.items():
        if part in name:
            return {p: rate * 1e12 for p, rate in zip(PRECISIONS, rates, strict=True)}
    return {}


def driver() -> str:
    """What nvidia-smi says of card and driver, in a line."""
    query = "--query-gpu=name,driver_version,memory.total,memory.used"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi: {error}"
    return (done.stdout or done.stderr).strip() or f"nvidia-smi ended with {done.returncode}"


def ceiling(edge: int, precision: str) -> float:
    """FLOP/s of a square matrix product in JAX, of random numbers."""
    import jax
    import jax.numpy as jnp

    from cutaway.ops.precision import XLA_PRECISIONS

    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    a = jax.random.normal(jax.random.key(0), (edge, edge), dtype)
    b = jax.random.normal(jax.random.key(1), (edge, edge), dtype)
    chosen = XLA_PRECISIONS.get(precision)
    multiply = jax.jit(lambda a, b: jnp.matmul(a, b, precision=chosen))
    multiply(a, b).block_until_ready()
    count, began = 5, time.perf_counter()
    for _ in range(count):
        out = multiply(a, b)
    out.block_until_ready()
    return 2 * edge**3 * count / (time.perf_counter() - began)
