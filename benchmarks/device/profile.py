"""What a card spends its time on: the kernels of a few steps, by jax.profiler."""

import collections
import tempfile
from pathlib import Path

STEPS = 3


def kernels(side, most: int = 10) -> list[dict]:
    """The most expensive kernels of a step: [{"name", "ms", "share", "count"}].

    Args:
        side: with `call` and `wait`, compiled already.
        most: how many.
    """
    import jax

    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(STEPS):
                side.call()
            side.wait()
        found = next(Path(folder).rglob("*.xplane.pb"))
        data = jax.profiler.ProfileData.from_serialized_xspace(found.read_bytes())
        spent, count = collections.Counter(), collections.Counter()
        for plane in data.planes:
            if not plane.name.startswith(("/device:GPU", "/host:CPU")):
                continue
            is_card = plane.name.startswith("/device:GPU")
            for line in plane.lines:
                if is_card and not line.name.startswith("Stream"):
                    continue
                if not is_card and "XLA" not in line.name:
                    continue
                for event in line.events:
                    key = (is_card, event.name)
                    spent[key] += event.duration_ns
                    count[key] += 1
    has_card = any(is_card for is_card, _ in spent)
    ours = {name: ns for (is_card, name), ns in spent.items() if is_card == has_card}
    total = sum(ours.values())
    rows = [
        {
            "name": name,
            "ms": ns / STEPS / 1e6,
            "share": ns / total,
            "count": count[has_card, name] / STEPS,
        }
        for name, ns in sorted(ours.items(), key=lambda pair: -pair[1])[:most]
    ]
    everything = {"name": "all kernels", "ms": total / STEPS / 1e6, "share": 1.0}
    return [everything | {"count": sum(count[has_card, n] for n in ours) / STEPS}, *rows]


def torch_kernels(side, most: int = 10) -> list[dict]:
    """The same of PyTorch's side, by its own profiler."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU]
    if side.device == "cuda":
        activities = [ProfilerActivity.CUDA]
    with profile(activities=activities) as found:
        for _ in range(STEPS):
            side.call()
        side.wait()
    of = "self_device_time_total" if side.device == "cuda" else "self_cpu_time_total"
    rows = [(e.key, getattr(e, of), e.count) for e in found.key_averages() if getattr(e, of)]
    total = sum(us for _, us, _ in rows) or 1
    rows.sort(key=lambda row: -row[1])
    rows = [("all kernels", total, sum(n for _, _, n in rows)), *rows[:most]]
    return [
        {"name": name, "ms": us / STEPS / 1e3, "share": us / total, "count": n / STEPS}
        for name, us, n in rows
    ]
