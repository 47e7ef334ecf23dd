"""Panics of libraries in Rust, which print a trace before anybody can catch them."""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

PANIC = re.compile(rb"\n?thread '[^\n]*' (?:\(\d+\) )?panicked at .*", re.DOTALL)
_lock = threading.RLock()
_depth = 0


@contextlib.contextmanager
def silent_panics() -> Iterator[None]:
    """Context in which a panic prints nothing; it still raises what it raises.

    What is written to standard error meanwhile appears at the end, without the panic's trace.
    """
    global _depth
    with _lock:
        is_first, _depth = _depth == 0, _depth + 1
    try:
        with _kept_back() if is_first else contextlib.nullcontext():
            yield
    finally:
        with _lock:
            _depth -= 1


@contextlib.contextmanager
def _kept_back() -> Iterator[None]:
    try:
        real = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    panicked = False
    with tempfile.TemporaryFile() as file:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException as error:
            panicked = type(error).__name__ == "PanicException"
            raise
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            file.seek(0)
            written = file.read()
            written = PANIC.sub(b"", written) if panicked else written
            if written:
                with contextlib.suppress(OSError):
                    os.write(2, written)
