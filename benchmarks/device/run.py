"""The prepared run: four parts, each a process of its own, whose answers are kept as they come.

    python -m benchmarks.device.run [--tiny] [--out FOLDER] [--minutes 6]
                                    [--parts right,fast,why,whole]

Writes FOLDER/device.json and FOLDER/device.md after each part, and beside them the tests' output
and the optimized HLO of every network. A part that fails or takes too long is reported, and the
next one runs. See benchmarks/device.sh.
"""

import argparse
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.device import card, report

ROOT = Path(__file__).resolve().parents[2]
NEEDED = (
    "jax", "jaxlib", "numpy", "torch", "transformers", "polars", "PIL", "rich",
    "typer", "safetensors", "tokenizers", "msgspec", "matplotlib", "pooch",
    "latex2mathml", "pytest", "xdist", "hypothesis", "sklearn",
)  # fmt: skip
# shares of the time, in the order in which they run
PARTS = {"right": 0.26, "fast": 0.48, "why": 0.16, "whole": 0.10}
TESTS = (
    "tests/ops/test_gradients.py", "tests/ops/test_activations.py",
    "tests/ops/test_normalization.py", "tests/ops/test_attention.py",
    "tests/ops/test_recurrence.py", "tests/ops/test_precision.py", "tests/nn/test_layers.py",
    "tests/nn/test_lifting.py", "tests/nn/test_attention.py", "tests/losses/test_losses.py",
    "tests/optim/test_optimizers.py", "tests/train/test_resume.py", "tests/train/test_precision.py",
)  # fmt: skip
CHECKERS = 3  # processes that share the checks of right.py
QUICK_FLAGS = "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false"
TINY_TESTS = ("tests/optim/test_terms.py",)


def say(text):
    print(text, flush=True)


class Run:
    """What is known so far, on disk after every part."""

    def __init__(self, options):
        self.options = options
        self.folder = options.out.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in ("right.jsonl", "fast.jsonl", "fast.now", "why.jsonl"):
            (self.folder / old).unlink(missing_ok=True)
        self.ends = time.time() + 60 * options.minutes
        self.found = {"machine": {}, "parts": {}}

    def save(self):
        text = json.dumps(self.found, indent=1, default=str)
        (self.folder / "device.json").write_text(text + "\n")
        (self.folder / "device.md").write_text(report.markdown(self.found))

    def until(self, part) -> float:
        """When this part must have ended: its share of the time that is left."""
        rest = list(PARTS)[list(PARTS).index(part) :]
        rest = [name for name in rest if name in self.options.parts]
        share = PARTS[part] / sum(PARTS[name] for name in rest)
        return time.time() + share * max(0.0, self.ends - time.time())

    def lines(self, name) -> list:
        """The JSON objects that a part has written."""
        file = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def start(self, name, until, *arguments, **environment):
        """Begin benchmarks.device.NAME in a process of its own."""
        command = [sys.executable, "-m", f"benchmarks.device.{name}", str(self.folder), str(until)]
        command += [*arguments, *(["--tiny"] if self.options.tiny else [])]
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})

    def end(self, process, until, is_stuck=lambda: False) -> str:
        """Wait for a process, at most 10 seconds longer than `until`; how it ended, "" if well."""
        while process.poll() is None:
            late = time.time() > until + 10
            if late or is_stuck():
                process.kill()
                process.wait()
                return "stopped: the time of the part was over" if late else "stopped: it was stuck"
            time.sleep(0.2)
        return "" if process.returncode == 0 else f"its process ended with {process.returncode}"


def begin(run):
    """Card, driver, versions, what cannot be imported."""
    machine = run.found["machine"]
    machine["card"] = card.driver()
    say(f"card: {machine['card']}")
    machine |= {"python": platform.python_version(), "cores": os.cpu_count()}
    missing = {}
    for name in NEEDED:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            missing[name] = f"{type(error).__name__}: {error}"
            say(f"missing: {name}: {missing[name]}")
        else:
            machine[name] = getattr(module, "__version__", "there")
    machine["missing"] = missing
    code = """
import json, sys
from benchmarks.device import card
from cutaway.runtime import device
import jax
edge = int(sys.argv[1])
rates = {}
for name in card.PRECISIONS:
    try:
        rates[name] = card.ceiling(edge, name) / 1e12
    except Exception as error:
        rates[name] = str(error)[:200]
peaks = {name: rate / 1e12 for name, rate in card.peaks(jax.devices()[0].device_kind).items()}
print(json.dumps({"device": str(device()), "product_tflops": rates, "peak_tflops": peaks}))
"""
    edge = "256" if run.options.tiny else "8192"
    done = _quietly([sys.executable, "-c", code, edge], timeout=90)
    try:
        machine |= json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        machine["error"] = done.stderr[-800:]
    shown = ("python", "jax", "torch", "device", "product_tflops", "peak_tflops", "error")
    for key in shown:
        if key in machine:
            say(f"{key}: {machine[key]}")


def right(run, until):
    """The project's tests on this device, and the checks of right.py beside them."""
    log = run.folder / "tests.txt"
    tests = TINY_TESTS if run.options.tiny else TESTS
    workers = 1 if run.options.tiny else max(1, (os.cpu_count() or 2) - CHECKERS - 1)
    # the machine's pytest may have plugins that warn, and warnings are errors here
    command = [sys.executable, "-m", "pytest", "-v", "-n", str(workers), "-p", "no:cacheprovider"]
    command += ["-p", "no:benchmark"]
    # hundreds of small programs, each for itself: without the timing of many kernels for each
    quick = {} if run.options.tiny else {"XLA_FLAGS": QUICK_FLAGS}
    with log.open("w") as file:
        began = time.time()
        # in a group of its own, so that its workers end with it
        tests = subprocess.Popen(
            [*command, *tests], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, **quick},
        )  # fmt: skip
        count = 1 if run.options.tiny else CHECKERS
        checkers = [run.start("right", until, f"{i}/{count}", **quick) for i in range(count)]
        for checker in checkers:
            if how := run.end(checker, until):
                say(f"checks: {how}")
        try:
            tests.wait(max(1.0, until - time.time()))
        except subprocess.TimeoutExpired:
            os.killpg(tests.pid, 15)
            tests.wait(10)
    text = log.read_text(errors="replace")
    counts = {w: len(re.findall(rf"\b{w}\b +tests/", text)) for w in ("PASSED", "FAILED", "ERROR")}
    counts["failures"] = re.findall(r"\b(?:FAILED|ERROR)\b +(tests/\S+)", text)[:60]
    counts["complete"] = tests.returncode in (0, 1)
    counts["seconds"] = time.time() - began
    say(f"tests: {counts['PASSED']} passed, {counts['FAILED']} failed, {counts['ERROR']} errors"
        f"{'' if counts['complete'] else ', not to their end'}")  # fmt: skip
    return {"tests": counts, "checks": run.lines("right")}


def fast(run, until):
    """The networks; where the process dies, a new one goes on behind the network it died of."""
    while True:
        done = len(run.lines("fast"))
        (run.folder / "fast.now").unlink(missing_ok=True)  # of a process before this one
        process = run.start("fast", until, "--skip", str(done))
        how = run.end(process, until, lambda: _is_stuck(run.folder / "fast.now"))
        after = run.lines("fast")
        if not how:
            return {"networks": after}
        from benchmarks.device.networks import cases

        known = cases(run.options.tiny)
        if len(after) >= len(known):
            return {"networks": after}
        say(f"{known[len(after)].name}: {how}")
        with (run.folder / "fast.jsonl").open("a") as file:
            result = {"network": known[len(after)].name, "error": how}
            file.write(json.dumps(result) + "\n")
        if time.time() > until:
            return {"networks": run.lines("fast")}


def _is_stuck(file) -> bool:
    """Whether the network that is named in the file takes far longer than it should."""
    try:
        now = json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return time.time() > now["began"] + now["seconds"]


def why(run, until):
    """The two worst ratios: Cutaway's kernels are known from part 2, PyTorch's are asked for."""
    networks = run.found["parts"].get("fast", {}).get("networks", [])
    timed = sorted((n for n in networks if "times_torch" in n), key=lambda n: n["times_torch"])
    worst = [n["network"] for n in timed[:2]]
    process = run.start("why", until, *worst)
    if how := run.end(process, until):
        say(how)
    return {"worst": worst, "networks": run.lines("why")}


def whole(run, until):
    """`cutaway train` on the bundled table and on pictures drawn here; the device in its output."""
    pictures = run.folder / "pictures"
    _draw(pictures, 8 if run.options.tiny else 150)
    found = {}
    for name, data, options in (
        ("table", [], ["--epochs", "5"] if run.options.tiny else []),
        ("pictures", [str(pictures)], ["--epochs", "2" if run.options.tiny else "10"]),
    ):
        out = run.folder / f"run-{name}"
        command = [sys.executable, "-m", "cutaway", "train", *data, *options, "--out", str(out)]
        began = time.time()
        done = _quietly(command, timeout=max(20.0, until - time.time() + 10))
        lines = done.stdout.splitlines()
        named = [line.strip() for line in lines if "Device" in line]
        result = [line.strip() for line in lines if line.startswith("Validation ")]
        found[name] = {
            "seconds": time.time() - began,
            "code": done.returncode,
            "device": named[:1],
            "result": result[:1],
            "trouble": (done.stderr or done.stdout)[-600:] if done.returncode else "",
        }
        say(f"cutaway train, {name}: {found[name]}")
    _remove(pictures, *run.folder.glob("run-*"))
    return found


def _draw(folder, count):
    """Discs and squares in noise, a folder for each."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for kind in ("disc", "square"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (cy, cx), r = rng.integers(10, 22, 2), rng.integers(5, 9)
            far = np.hypot if kind == "disc" else np.maximum
            away = far(abs(y - cy), abs(x - cx))
            picture = rng.integers(0, 120, (32, 32, 3))
            picture[away < r] += 100
            Image.fromarray(picture.astype(np.uint8)).save(folder / kind / f"{i}.png")


def _remove(*folders):
    import shutil

    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _quietly(command, timeout):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "its time was over")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, on any machine")
    parser.add_argument("--out", type=Path, default=Path("device-results"))
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--parts", default=",".join(PARTS), help="with commas between")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"--parts: unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    run, began = Run(options), time.time()
    begin(run)
    run.save()
    for name, make in (("right", right), ("fast", fast), ("why", why), ("whole", whole)):
        if name not in options.parts:
            continue
        until = run.until(name)
        say(f"\n== {name} ({until - time.time():.0f} s)")
        try:
            run.found["parts"][name] = make(run, until)
        except Exception as error:
            import traceback

            traceback.print_exc()
            run.found["parts"][name] = {"failed": f"{type(error).__name__}: {error}"}
        run.found["seconds"] = time.time() - began
        run.save()
    say("\n" + report.markdown(run.found))
    say(f"{run.found.get('seconds', 0):.0f} s; {run.folder / 'device.json'}, device.md")


if __name__ == "__main__":
    main()
