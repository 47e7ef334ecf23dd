"""Run the example of one docstring, in this interpreter and with nothing imported before.

python -m tests.docs.fresh MODULE NAME
"""

import doctest
import importlib
import sys


def main(module_name: str, name: str) -> int:
    module = importlib.import_module(module_name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module, globs={})
    (test,) = [test for test in found if test.name == name]
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    return runner.run(test).failed


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
