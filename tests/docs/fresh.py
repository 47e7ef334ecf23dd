"""Run the example of one docstring, in this interpreter and with nothing imported before.

    python -m tests.docs.fresh MODULE NAME

In its scope are `np`, `ct`, what the module itself has, and by their names what `ct.` offers.
"""

import doctest
import importlib
import re
import sys


def main(module_name: str, name: str) -> int:
    module = importlib.import_module(module_name)
    import numpy as np

    import cutaway as ct

    (test,) = [t for t in doctest.DocTestFinder(exclude_empty=True).find(module) if t.name == name]
    used = set(re.findall(r"[A-Za-z_]\w*", "\n".join(e.source for e in test.examples)))
    scope = {k: v for k, v in vars(module).items() if not k.startswith("__")}
    scope |= {name: getattr(ct, name) for name in used.intersection(dir(ct))}
    test.globs = {"np": np, "ct": ct, **scope}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    return runner.run(test).failed


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
