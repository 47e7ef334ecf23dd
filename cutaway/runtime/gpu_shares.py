"""Which GPUs of this machine each of several processes gets: its own, which no other one uses."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from cutaway.errors import OptionError, counted
from cutaway.runtime.devices import may_use_gpus

VISIBLE = "CUDA_VISIBLE_DEVICES"
SECONDS = 30  # to wait for nvidia-smi, which wakes sleeping GPUs


def gpus_of_machine() -> list[str]:
    """The GPUs that this process and those that it starts may use, as CUDA names them."""
    if not may_use_gpus():
        return []
    program = shutil.which("nvidia-smi")
    if program is None:
        return gpus_in(os.environ, "")
    command = [program, "-L"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return gpus_in(os.environ, found.stdout)


def gpus_in(environment: Mapping[str, str], listed: str) -> list[str]:
    """The GPUs that an environment allows, otherwise those that `nvidia-smi -L` has listed."""
    if VISIBLE in environment:
        names = [name.strip() for name in environment[VISIBLE].split(",")]
        ends = [i for i, name in enumerate(names) if name in ("", "-1")]  # CUDA reads up to there
        return names[: ends[0]] if ends else names
    return re.findall(r"^GPU (\d+):", listed, re.MULTILINE)


def shared_out(gpus: list[str], processes: int) -> list[dict[str, str]]:
    """What each process finds in its environment beside what all have: as many GPUs for each.

    Args:
        gpus: those of this machine; without any, and for one process, nothing is to be said.
        processes: number of them on this machine.

    Raises:
        OptionError: there are fewer GPUs than processes.
    """
    if not gpus or processes == 1:
        return [{} for _ in range(processes)]
    if processes > len(gpus):
        raise OptionError(
            f"{processes} processes for {counted(len(gpus), 'GPU')}",
            expected="a GPU for each of them",
            fix=f"start at most {len(gpus)}, or JAX_PLATFORMS=cpu to train on the CPU",
        )
    each = len(gpus) // processes
    parts = [gpus[i * each : (i + 1) * each] for i in range(processes)]
    return [{VISIBLE: ",".join(part)} for part in parts]
