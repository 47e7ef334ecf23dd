"""SLURM's side of a job: when it ends, and how it is put back into the queue."""

import os
import shutil
import subprocess

from cutaway.errors import RunError

REQUEUED = 75  # exit code of a training that was saved to be resumed by the same command
REQUEUE_SECONDS = 60  # for scontrol to answer


def job() -> str | None:
    """The job that this process belongs to, by the name that scontrol knows; None: none."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def end_time() -> float | None:
    """When its time limit ends, in seconds since 1970; None: not known."""
    text = os.environ.get("SLURM_JOB_END_TIME", "")
    return float(text) if text.isdecimal() else None


def requeue(name: str) -> None:
    """Put a job back into the queue; SLURM then ends what runs of it.

    Raises:
        RunError: there is no scontrol, or it refused.
    """
    fix = "start the same command again by hand: the checkpoint is written"
    program = shutil.which("scontrol")
    if program is None:
        raise RunError(
            f"job {name} cannot be requeued: there is no scontrol on PATH",
            expected="SLURM's scontrol where process 0 runs",
            fix=fix,
        )
    command = [program, "requeue", name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=REQUEUE_SECONDS, check=False
        )
        reason = f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()}"
    except (OSError, subprocess.TimeoutExpired) as error:
        done, reason = None, str(error)
    if done is None or done.returncode:
        raise RunError(
            f"scontrol requeue {name} failed, {reason}",
            expected="a job that may be requeued (sbatch --requeue)",
            fix=fix,
        )
