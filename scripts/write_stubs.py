"""Write the stubs (.pyi) of modules whose names are loaded lazily or found by being there.

    python scripts/write_stubs.py            # after adding an operation, a layer, an optimizer, ...
    python scripts/write_stubs.py --check    # exit code 1 if one is missing or out of date

An editor and a type checker do not run the package; the stubs tell them which names it has.
"""

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADER = "# Written by scripts/write_stubs.py: do not edit.\n"
# packages that list their own folders, and those whose names are loaded when first used
PACKAGES = (
    "cutaway.nn",
    "cutaway.ops",
    "cutaway.optim",
    "cutaway.losses",
    "cutaway.metrics",
    "cutaway.models",
    "cutaway.runs",
    "cutaway.runs.kinds",
    "cutaway.train.loggers",
)


def main() -> int:
    wanted = stubs()
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    for path in stale:
        print(f"{'out of date' if '--check' in sys.argv else 'written'}: {path.relative_to(ROOT)}")
        if "--check" not in sys.argv:
            path.write_text(wanted[path])
    return int("--check" in sys.argv and bool(stale))


def stubs() -> dict[Path, str]:
    """{path of a stub: its text}."""
    found = {_stub_of(name): package_stub(name) for name in PACKAGES}
    found[ROOT / "cutaway" / "nn" / "activations.pyi"] = activations_stub()
    found[ROOT / "cutaway" / "__init__.pyi"] = root_stub()
    return found


def package_stub(name: str) -> str:
    """The public names of a package, each from the module that defines it."""
    package = importlib.import_module(name)
    tree = _tree(package)
    imports = dict(_imported(tree))  # name -> module
    for public in getattr(package, "__all__", ()):
        if public not in imports and not _assigned(tree, public):
            imports[public] = _home(package, public)
    for public, value in vars(package).items():  # found by being there
        home = getattr(value, "__module__", None) or ""
        named = not public.startswith("_") and not _assigned(tree, public)
        if named and home.startswith(f"{name}."):
            imports.setdefault(public, home)
    public = getattr(package, "__all__", imports)
    assigned = [ast.unparse(node) for node in tree.body if _declared(node)]
    types = set(re.findall(r"\w+", "".join(line.partition(" = ")[0] for line in assigned)))
    wanted = {*public, *types}
    imports = {n: h for n, h in imports.items() if n in wanted or h.startswith(name)}
    lines = ["from collections.abc import Callable", ""] if "Callable" in "".join(assigned) else []
    lines += [*_import_lines(imports), "", *(line.partition(" = ")[0] for line in assigned)]
    shown = [n for n in imports if not n.startswith("_")]
    return _text(lines, [*shown, *(n for n in public if _assigned(tree, n))])


def activations_stub() -> str:
    """The layers that are made of the activation functions of ops."""
    from cutaway.nn.activations import LAYERS, ActivationLayer

    lines = [
        "from typing import Any",
        "",
        "from cutaway.engine import Operation, Tensor",
        "from cutaway.nn.module import Module",
        "from cutaway.nn.state import Parameter",
        "",
        "class ActivationLayer(Module):",
        "    activation_function: Operation",
        "    def __init__(self, *values: Any, **options: Any) -> None: ...",
        "    def forward(self, z: Any) -> Tensor: ...",
        "    def describe(self) -> str: ...",
    ]
    for title, layer in LAYERS.items():
        signature = inspect.signature(layer)
        made = issubclass(layer, ActivationLayer)
        lines += ["", f"class {title}({'ActivationLayer' if made else 'Module'}):"]
        members = [] if made else ["slope: Parameter", "activation_function: Operation"]
        options = []
        for option in signature.parameters.values():
            kind = type(option.default).__name__
            options.append(f"{option.name}: {kind} = {option.default!r}")
            members += [f"{option.name}: {kind}"] if made else []
        lines += [f"    {member}" for member in members]
        lines += [f"    def __init__({', '.join(['self', *options])}) -> None: ..."]
        lines += [] if made else ["    def forward(self, z: Any) -> Tensor: ..."]
    lines += ["", "Swish = SiLU", ""]
    lines += ["LAYERS: dict[str, type[Module]]", "ACTIVATIONS: dict[str, type[Module]]"]
    return HEADER + "\n".join(lines) + "\n"


def root_stub() -> str:
    """What `ct.` offers: public names, packages, and the packages that can be called."""
    import cutaway

    root = vars(cutaway)
    homes = dict(root["_HOME_OF"])
    for home in root["_OPEN"]:
        package = importlib.import_module(home)
        classes = [n for n, v in vars(package).items() if isinstance(v, type) and n[:1].isupper()]
        for name in classes:
            if vars(package)[name].__module__.startswith(home):
                homes.setdefault(name, home)
    plain = [name for name in root["_PACKAGES"] if name not in cutaway.CALLABLE_PACKAGES]
    lines = [*_import_lines(homes), *(f"from cutaway import {name} as {name}" for name in plain)]
    lines = ["from typing import Any", "", *lines]
    lines += ["", "__version__: str", "CALLABLE_PACKAGES: tuple[str, ...]"]
    for name in cutaway.CALLABLE_PACKAGES:
        lines += ["", *_callable_package(name)]
    return _text(lines, [*homes, *root["_PACKAGES"], "__version__"])


def _callable_package(name: str) -> list[str]:
    """A package that can be called, as a checker can see it: a class with `__new__`."""
    package = importlib.import_module(f"cutaway.{name}")
    function = package.__call__
    home = sys.modules[function.__module__]
    parts = _tree(home).body
    (source,) = [n for n in parts if isinstance(n, ast.FunctionDef) and n.name == function.__name__]
    arguments = ast.unparse(source.args)
    returned = "object" if source.returns is None else ast.unparse(source.returns).strip("'\"")
    lines = [f"class {name}:", f'    """{function.__doc__.splitlines()[0]}"""']
    for public in package.__all__:
        lines.append(f"    from {_home(package, public)} import {public} as {public}")
    lines.append(f"    def __new__(cls, {arguments}) -> {returned}: ...")
    return lines


def _tree(module) -> ast.Module:
    return ast.parse(Path(inspect.getfile(module)).read_text())


def _imported(tree):
    """(name, module) of all that a package's __init__ imports from the house."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cutaway."):
            for alias in node.names:
                yield alias.asname or alias.name, node.module


def _home(package, public: str) -> str:
    """The module that defines a public name of a package."""
    lazy = getattr(package, "_HOME_OF", {})
    if public in lazy:
        return f"{package.__name__}.{lazy[public]}"
    value = getattr(package, public)
    if inspect.ismodule(value):
        return package.__name__
    found = dict(_imported(_tree(package)))
    return found.get(public) or value.__module__


def _assigned(tree, name: str) -> bool:
    return any(_declared(node) == name for node in tree.body)


def _declared(node) -> str | None:
    """The public name that a statement declares with a type."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return None if node.target.id.startswith("_") else node.target.id
    return None


def _import_lines(homes: dict) -> list[str]:
    pairs = sorted((home, name) for name, home in homes.items() if not name.startswith("_"))
    return [f"from {home} import {name} as {name}" for home, name in pairs]


def _text(lines, public) -> str:
    names = "".join(f"    {name!r},\n".replace("'", '"') for name in sorted(set(public)))
    return HEADER + "\n".join(lines).rstrip() + f"\n\n__all__ = [\n{names}]\n"


def _stub_of(name: str) -> Path:
    return ROOT.joinpath(*name.split(".")) / "__init__.pyi"


if __name__ == "__main__":
    raise SystemExit(main())
