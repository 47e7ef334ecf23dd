"""The command line in the process of the tests, where starting one would take most of the time."""

import contextlib
import io
import sys

from cutaway.cli.app import run


def cutaway(*arguments) -> tuple[object, str, str]:
    """(exit code, standard output, standard error) of a command; white space is single spaces."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = ["cutaway", *map(str, arguments)]
        try:
            run()
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.argv = before
    return code or 0, " ".join(out.getvalue().split()), " ".join(err.getvalue().split())
