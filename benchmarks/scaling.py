"""What several processes are worth: measured here, calculated for hosts that are not here.

    python -m benchmarks.scaling weak [--rounds 5] [--pinned]
                                                        weak scaling over 1 and 2 processes
    python -m benchmarks.scaling messages               what a sum over 2 and 4 processes takes
    python -m benchmarks.scaling planned                step times over hosts and bandwidths

Weak scaling: each process computes with one thread, or has a core of its own (--pinned), and has
its own batch. The share of ideal is rows per second against two times those of one process on one
core; beside it stands one process on both cores with the batch of both. In a round they take turns.
Predicted is the step of one core, times the processes on it, and the sums of the gradients, which
are sent one by one.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

BATCH = {"784-512-256-10": 128, "small CNN": 64}  # rows of each process
WORKER = Path(__file__).with_name("scaling_worker.py")
MESSAGES = (4, 2**10, 2**16, 2**20, 2**21, 2**23, 2**25)  # bytes
GIGABIT = 1e9 / 8  # bytes per second


@dataclasses.dataclass(frozen=True)
class Planned:
    """A network on hosts with one card each.

    Attributes:
        name: of the network.
        seconds: of a step of one host.
        parameters: number of them; their gradients are sent in float32.
    """

    name: str
    seconds: float
    parameters: int


# least seconds of a step on an H100: the bytes of the compiled step at 3.0 TB/s (RESULTS.md);
# BERT's arithmetic, 6 x 85e6 x 64 x 128 operations, takes 10 ms at 400 TFLOP/s, less than its bytes
CARDS = (
    Planned("ResNet-50, 256 pictures of 224 px per card", 0.039, 25_557_032),
    Planned("BERT-base, 64 x 128 tokens per card", 0.012, 109_482_240),
)
BANDWIDTHS = (10, 25, 100, 400)  # Gbit/s between hosts
HOSTS = (1, 2, 4, 8, 16, 64)
LATENCY = 30e-6  # seconds of one message within a data center
BACKWARD = 2 / 3  # of a step, in which messages may be on their way


def message_seconds(size: int, hosts: int, bandwidth: float, latency: float) -> float:
    """Of a sum over hosts in a ring, in 2 (hosts - 1) rounds of size / hosts bytes each.

    Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms".

    Args:
        size: bytes.
        bandwidth: of each host, bytes per second.
        latency: seconds of a message.
    """
    return 2 * (hosts - 1) * (size / hosts / bandwidth + latency)


def step_seconds(
    planned: Planned, hosts: int, bandwidth: float, *, overlaps: bool, latency: float = LATENCY
) -> float:
    """Of a step of all hosts.

    Args:
        overlaps: whether gradients are sent while the backward pass goes on.
    """
    sent = message_seconds(4 * planned.parameters, hosts, bandwidth, latency)
    if not overlaps:
        return planned.seconds + sent
    return planned.seconds * (1 - BACKWARD) + max(planned.seconds * BACKWARD, sent)


def planned_tables() -> list[str]:
    """Lines of Markdown: shares of ideal over hosts and bandwidths."""
    lines = []
    for planned in CARDS:
        megabytes, own = 4 * planned.parameters / 1e6, 1000 * planned.seconds
        of = f"{megabytes:.0f} MB of gradients, {own:.0f} ms per step on one host"
        lines += ["", f"**{planned.name}** ({of})", ""]
        lines += ["| Gbit/s | " + " | ".join(f"{n} hosts" for n in HOSTS[1:]) + " |"]
        lines += ["| ---: |" + " ---: |" * len(HOSTS[1:])]
        for gigabits in BANDWIDTHS:
            cells = []
            for hosts in HOSTS[1:]:
                sides = (False, True)
                bandwidth = gigabits * GIGABIT
                plain, best = (step_seconds(planned, hosts, bandwidth, overlaps=o) for o in sides)
                shares = f"{planned.seconds / plain:.0%} to {planned.seconds / best:.0%}"
                cells.append(f"{1000 * plain:.0f} ms, {shares}")
            lines.append(f"| {gigabits} | " + " | ".join(cells) + " |")
    return lines


def measured(
    what: str, processes: int, cores: int, batch: int, hold: str = "free", more: tuple = ()
) -> dict:
    """What the worker finds in some processes, each on its own cores."""
    words = [str(WORKER), what, str(cores), str(batch), hold, *map(str, more)]
    command = [sys.executable, "-m", "cutaway", "launch", "--processes", str(processes), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def weak(rounds: int, hold: str) -> None:
    """Print the weak scaling of both networks, beside what computing and messages add up to."""
    print("| network | processes x cores | batch size | ms per step | messages | predicted |")
    print("| --- | --- | ---: | --- | ---: | ---: |", flush=True)
    for what, batch in BATCH.items():
        sides = {"1 x 1": (1, 1, batch), "1 x 2": (1, 2, 2 * batch), "2 x 1": (2, 1, 2 * batch)}
        sides["4 x 1, two on each core"] = (4, 1, 4 * batch)
        found: dict[str, list] = {side: [] for side in sides}
        for _ in range(rounds):
            for side, given in sides.items():
                found[side].append(measured(what, *given, hold))
        alone = [one["seconds"] for one in found["1 x 1"]]
        for side, (processes, _, rows) in sides.items():
            seconds = [one["seconds"] for one in found[side]]
            told = f"{1000 * statistics.median(seconds):.2f}"
            if side != "1 x 1":  # the machine has two cores
                shares = [rows / s / (2 * batch / o) for s, o in zip(seconds, alone, strict=True)]
                told += f", {statistics.median(shares):.0%} of ideal "
                told += f"({min(shares):.0%} to {max(shares):.0%})"
            print(f"| {what} | {side} | {rows} | {told} |", end=" ")
            if processes == 1:
                print("| |", flush=True)
                continue
            sizes = (*found[side][0]["bytes"], 4)  # and the loss
            sent = sum(measured("messages", processes, 1, 1, hold, sizes)["seconds"])
            predicted = statistics.median(alone) * max(1, processes / 2) + sent
            print(f"{1000 * sent:.2f} | {1000 * predicted:.2f} |", flush=True)


def messages() -> None:
    """Print the time of sums over processes, beside latency and bandwidth that explain it."""
    print("| processes | " + " | ".join(f"{size:,} B" for size in MESSAGES) + " |")
    print("| --- |" + " ---: |" * len(MESSAGES))
    for processes in (2, 4):
        seconds = measured("messages", processes, 1, 1, more=MESSAGES)["seconds"]
        cells = [f"{1e3 * s:.3f} ms" for s in seconds]
        print(f"| {processes} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=("weak", "messages", "planned"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pinned", action="store_true", help="each process on cores of its own")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    if given.part == "weak":
        weak(given.rounds, "pinned" if given.pinned else "free")
    elif given.part == "messages":
        messages()
    else:
        print("\n".join(planned_tables()))


if __name__ == "__main__":
    main()
