"""Part 2: the networks of networks.py, Cutaway beside PyTorch eager, taking turns.

    python -m benchmarks.device.fast FOLDER UNTIL [--tiny] [--skip N]

Writes one JSON object a network to FOLDER/fast.jsonl, the optimized HLO of each to FOLDER/hlo/.
UNTIL is a time of time.time() after which nothing new is begun.
"""

import json
import statistics
import sys
import time
import traceback
from pathlib import Path

from benchmarks.device.card import peaks
from benchmarks.device.networks import cases
from benchmarks.device.profile import kernels, torch_kernels
from benchmarks.device.sides import Ours, Theirs, seconds_each

ROUNDS = 5


def measure(case, folder, *, tiny: bool) -> dict:
    """Time one case; what fails of it is in the result."""
    import jax

    result = {"network": case.name, "precision": case.precision, "batch_size": case.batch_size}
    sides = {}
    for make in (Ours, Theirs):
        try:
            sides[make.name] = side = make(case)
            result[f"{make.name}_first_seconds"] = side.first_seconds
            result[f"{make.name}_parameters"] = side.parameters
            print(f"  {make.name}: first call after {side.first_seconds:.1f} s", flush=True)
        except Exception as error:
            traceback.print_exc()
            result[f"{make.name}_error"] = f"{type(error).__name__}: {str(error)[:500]}"
    steps = -(-case.epoch // case.batch_size) if case.epoch else 1
    taken = {name: [] for name in sides}
    for _ in range(2 if tiny else ROUNDS):
        for name, side in sides.items():
            taken[name].append(seconds_each(side, 0.01 if tiny else 0.4) / steps)
    for name, seconds in taken.items():
        result[f"{name}_ms"] = statistics.median(seconds) * 1e3
        result[f"{name}_loss"] = sides[name].last
    if len(taken) == 2:
        pairs = sorted(t / o for o, t in zip(taken["cutaway"], taken["torch"], strict=True))
        result["times_torch"] = statistics.median(pairs)
        result["spread"] = [pairs[0], pairs[-1]]
    for name, add in (("flops", _flops), ("memory", _memory), ("kernels", _kernels)):
        try:
            add(case, sides, result, folder)
        except Exception as error:
            result[f"{name}_error"] = f"{type(error).__name__}: {str(error)[:300]}"
    if "flops" in result and "cutaway_ms" in result:
        rate = result["flops"] / result["cutaway_ms"] * 1e3
        result["tflops"] = rate / 1e12
        peak = peaks(jax.devices()[0].device_kind).get(case.precision)
        if peak:
            result["share_of_peak"] = rate / peak
    return result


def _flops(case, sides, result, folder):
    result["flops"] = case.flops or sides["torch"].flops()


def _memory(case, sides, result, folder):
    if "torch" in sides:
        result["torch_bytes"] = sides["torch"].peak_bytes()
    lowered = sides["cutaway"].lowered()
    if lowered is None:
        return
    program = lowered.compile()
    found = program.memory_analysis()
    result["cutaway_bytes"] = found.temp_size_in_bytes + found.argument_size_in_bytes
    (folder / "hlo").mkdir(exist_ok=True)
    file = "".join(c if c.isalnum() else "-" for c in case.name)
    (folder / "hlo" / f"{file}.txt").write_text(program.as_text())
    result["hlo"] = f"hlo/{file}.txt"


def _kernels(case, sides, result, folder):
    result["cutaway_kernels"] = kernels(sides["cutaway"])


def compiled(case) -> dict:
    """torch.compile's step of a case."""
    side = Theirs(case, compiled=True)
    seconds = [seconds_each(side, 0.4) for _ in range(3)]
    return {"compiled_ms": statistics.median(seconds) * 1e3, "compiled_seconds": side.first_seconds}


def torch_profile(case) -> list:
    return torch_kernels(Theirs(case))


def _limit(case) -> dict:
    """After how many seconds run.py takes the case for stuck."""
    return {"seconds": 1.5 * case.seconds + 15}


def main():
    folder, until, tiny = Path(sys.argv[1]), float(sys.argv[2]), "--tiny" in sys.argv
    skip = int(sys.argv[sys.argv.index("--skip") + 1]) if "--skip" in sys.argv else 0
    with (folder / "fast.jsonl").open("a") as file:
        for case in cases(tiny)[skip:]:
            left = until - time.time()
            if left < (2 if tiny else case.seconds):
                result = {"network": case.name, "skipped": f"{left:.0f} s were left"}
            else:
                began = time.time()
                (folder / "fast.now").write_text(json.dumps({"began": began, **_limit(case)}))
                print(f"{case.name}, {case.precision}", flush=True)
                result = measure(case, folder, tiny=tiny)
                result["seconds"] = time.time() - began
            if "times_torch" in result:
                print(
                    f"  {result['cutaway_ms']:.3f} ms, PyTorch {result['torch_ms']:.3f} ms: "
                    f"{result['times_torch']:.2f} x ({result['seconds']:.0f} s in all)",
                    flush=True,
                )
            file.write(json.dumps(result) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
