"""Jobs over the suite, in parallel and resumable: each answer is written as soon as it is there."""

import functools
import json
import multiprocessing
import time
from pathlib import Path

import jax

from . import programs  # noqa: F401  (enters the cases)
from .case import FAULTS, HALVES, HEALTHY, Case


def chosen(only: str, half: str) -> list:
    """[(Case, half)] of the faults and healthy programs whose name has one of the parts in it.

    Args:
        only: parts of names, with commas between; "" for all.
        half: "set", "held" or "both".
    """
    parts = [part for part in only.split(",") if part]
    cases = [*FAULTS.values(), *HEALTHY.values()]
    cases = [c for c in cases if not parts or any(part in c.name for part in parts)]
    return [(c, h) for h in HALVES if half in (h, "both") for c in cases]


def case_of(name: str) -> Case:
    return (HEALTHY if name.startswith("healthy/") else FAULTS)[name]


def read(path: Path) -> dict:
    return json.loads(path.read_text()) if path.is_file() else {}


def answer(work, jobs: dict, path: Path, processes: int) -> dict:
    """{key: work(*arguments)} of {key: arguments}, with what the file at path already has."""
    found = read(path)
    jobs = {key: arguments for key, arguments in jobs.items() if key not in found}
    context = multiprocessing.get_context("spawn")
    # a Pool: concurrent.futures with max_tasks_per_child hangs in Python 3.11 (cpython#115634)
    with context.Pool(min(processes, 2), maxtasksperchild=20) as pool:
        began = time.perf_counter()
        work = functools.partial(_alone, work)
        for done, (key, value) in enumerate(pool.imap_unordered(work, jobs.items()), 1):
            found[key] = value
            path.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")
            seconds = time.perf_counter() - began
            print(f"{done}/{len(jobs)} {seconds:5.0f} s  {key}  {_short(value)}", flush=True)
    return found


def _alone(work, job):
    key, arguments = job
    try:
        return key, work(*arguments)
    finally:
        jax.clear_caches()  # programs differ, so that compiled ones would only pile up


def _short(value):
    shown = value.get("line", value) if isinstance(value, dict) else value
    return str(shown)[:90]
