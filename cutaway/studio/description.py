"""What a lane's network is, for the page: its layers, what can be changed, and its optimizer."""

from typing import Any

from cutaway.diagram import draw
from cutaway.diagram.nodes import columns_of
from cutaway.errors import CutawayError
from cutaway.nn import Linear, Module, Sequential, in_mode
from cutaway.nn.recurrent import Recurrent
from cutaway.optim.hyperparameters import settings_of
from cutaway.studio.look import Look
from cutaway.studio.views import VIEWS
from cutaway.train.program import name_of


def described(lane, look: Look) -> dict[str, Any]:
    """The message `lane`.

    Args:
        lane: the Lane.
        look: the Look, for the layers that views can show.
    """
    net, program, scene = lane.program.net, lane.program, lane.scene(look)
    views = [view for view in VIEWS.values() if view.fits(scene)]
    shown_by = {view.name: set(view.layers(scene)) for view in views if view.has_layer}
    is_drawn = dense_layers(net) is not None and columns_of(net) is not None
    innermost, of_views = shown_modules(net), set().union(*shown_by.values())
    layers = [
        {**_layer(net, path, module), "views": [n for n, at in shown_by.items() if path in at]}
        for path, module in net.modules().items()
        if path in innermost or path in of_views  # such as attention, which has layers inside
    ]
    return {
        "type": "lane",
        "lane": lane.number,
        "title": lane.title,
        "parameters": sum(p.size for p in net.parameters()),
        "loss": name_of(program.loss if program.objective is None else program.objective),
        "layers": layers,
        "is_dense": is_drawn,
        "drawing": None if is_drawn else _drawing(net),
        "views": [
            {"name": v.name, "title": v.title, "has_layer": v.has_layer, "has_row": v.has_row}
            for v in views
        ],
        "optimizer": optimizer_of(program),
        "frozen": _frozen(program),
    }


def optimizer_of(program) -> dict[str, Any]:
    """{"name", "text", "numbers"} of its optimizer."""
    optimizer = program.optimizer
    numbers: dict[str, Any] = {"lr": float(optimizer.lr) if optimizer.schedule is None else None}
    for name, value in settings_of(optimizer).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers[name] = value
        elif isinstance(value, tuple) and all(isinstance(v, int | float) for v in value):
            numbers[name] = list(value)
    return {"name": type(optimizer).__name__, "text": repr(optimizer), "numbers": numbers}


def dense_layers(net) -> list[tuple[str, Module]] | None:
    """[(path, module)] of a chain of Linear layers, activations and the like; otherwise None."""
    if isinstance(net, Linear):
        return [("", net)]
    if not isinstance(net, Sequential):
        return None
    found = list(net.modules().items())[1:]
    if any(isinstance(module, Sequential) for _, module in found):
        return None
    linear = [module for _, module in found if isinstance(module, Linear)]
    others = [module for _, module in found if not isinstance(module, Linear)]
    is_chain = linear and all(
        module.activation_function is not None or not module.parameters() for module in others
    )
    keeps = all(
        module.activation_function is not None or getattr(module, "keeps_features", False)
        for module in others
    )
    return found if is_chain and keeps else None


def shown_modules(net) -> dict[str, Module]:
    """{path: module} of the innermost layers, in order; a recurrent layer is one."""
    modules = net.modules()
    found: dict[str, Module] = {}
    for path, module in modules.items():
        inside = any(f"{path}.".startswith(f"{outer}.") for outer in found if outer)
        if inside:
            continue
        below = [p for p in modules if p != path and (not path or p.startswith(f"{path}."))]
        if not below or isinstance(module, Recurrent):
            found[path] = module
    return found


def _layer(net, path: str, module: Module) -> dict[str, Any]:
    function = module.activation_function
    parameters = module.named_parameters()
    prefix = f"{path}." if path else ""
    last = _last_linear(net)
    units = module.weight.shape[1] if isinstance(module, Linear) else None
    is_hidden = isinstance(module, Linear) and path != last
    in_chain = dense_layers(net) is not None
    return {
        "path": path,
        "kind": type(module).__name__,
        "text": repr(module),
        "inputs": module.weight.shape[0] if isinstance(module, Linear) else None,
        "units": units,
        "activation": None if function is None else function.name,
        "parameters": [
            {"path": prefix + name, "shape": list(p.shape), "trained": p.requires_grad}
            for name, p in parameters.items()
        ],
        "can": {
            "units": in_chain and is_hidden,
            "activation": in_chain and function is not None,
            "remove": in_chain and is_hidden,
        },
    }


def _frozen(program) -> list[Any]:
    """Paths of frozen parameters, and {"path", "index"} of single frozen weights."""
    named = program.net.named_parameters().items()
    found: list[Any] = [path for path, parameter in named if not parameter.requires_grad]
    if program.frozen is not None:
        for path, parameter in named:
            indices = program.frozen.indices(parameter)
            found += [{"path": path, "index": list(index)} for index in indices]
    return found


def _last_linear(net) -> str | None:
    paths = [path for path, module in net.modules().items() if isinstance(module, Linear)]
    return paths[-1] if paths else None


def _drawing(net) -> str | None:
    try:
        with in_mode(net, False):
            return draw(net).svg
    except CutawayError:
        return None
