"""Ctrl-C while a command is starting."""

import subprocess
import sys

import pytest

# the first import of numpy is interrupted; {raised} is what comes of it
PRESSED = """
import builtins, os, signal, sys
from cutaway.cli import main
found = builtins.__import__
def interrupted(name, *args, **kwargs):
    if name == "numpy":
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            {raised}
    return found(name, *args, **kwargs)
builtins.__import__ = interrupted
sys.argv = ["cutaway", "train"]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("raised", ["raise", 'raise ImportError("numpy._core failed to import")'])
def test_ctrl_c_while_libraries_are_imported_is_no_fault_whatever_they_make_of_it(tmp_path, raised):
    code = PRESSED.format(raised=raised)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")
    assert list(tmp_path.iterdir()) == []
