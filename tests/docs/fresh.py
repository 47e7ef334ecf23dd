"""Run examples of docstrings, each where nothing of Cutaway was imported before.

python -m tests.docs.fresh MODULE:NAME [MODULE:NAME ...]

JAX is imported once, nothing of it is started, and every example runs in a fork of this process.
"""

import doctest
import importlib
import os
import sys
import traceback

import jax  # noqa: F401  for every fork


def failures(example: str) -> int:
    """How many lines of one docstring's example fail."""
    module_name, name = example.split(":")
    module = importlib.import_module(module_name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module, globs={})
    (test,) = [test for test in found if test.name == name]
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    return runner.run(test).failed


def fails(example: str) -> bool:
    """Whether the example fails in a fork of this process."""
    child = os.fork()
    if child == 0:
        try:
            status = min(failures(example), 1)
        except Exception:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def main(*examples: str) -> int:
    failed = [example for example in examples if fails(example)]
    print("failed:", *failed or ["nothing"], flush=True)
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
