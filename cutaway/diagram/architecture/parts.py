"""A network as connected parts: the tracer writes them, the drawing reads them."""

import dataclasses

from cutaway import nn

INPUT = -1  # index of a source that is an input of the scope


@dataclasses.dataclass
class Part:
    """One element of the drawing.

    Attributes:
        kind: a key of svg.KINDS, or "operation", "end", "repeat", "closed" (as an
            earlier block), "cut" (further inside than is shown).
        title: its class, or the name of the operation.
        name: its name in the enclosing module.
        detail: its options.
        paths: of the modules that it stands for; several if repeats were folded.
        shape: of its output without the batch; None if unknown.
        changes: whether the shape differs from that of its input.
        parameters, frozen: number of parameters, and whether all of them are frozen.
        shared: whether all of them already belong to an earlier part.
        sources: [(index of a part in the scope or INPUT, number of its output)], in order.
        guessed: whether the sources are only guessed from the order of definition or of calls.
        inner: the Scope inside; None for a leaf.
        times: number of repeats in a row.
        tied: whether the repeats are calls of one module.
        is_sequential: whether it is a Sequential.
        is_wrapper: whether a Sequential inside it is drawn without its own frame.
    """

    kind: str
    title: str
    name: str = ""
    detail: str = ""
    paths: tuple = ()
    shape: tuple | None = None
    changes: bool = True
    parameters: int = 0
    frozen: bool = False
    shared: bool = False
    sources: list = dataclasses.field(default_factory=list)
    guessed: bool = False
    inner: "Scope | None" = None
    times: int = 1
    tied: bool = False
    is_sequential: bool = False
    is_wrapper: bool = False


@dataclasses.dataclass
class Scope:
    """Connected parts in topological order: each comes after its sources.

    Attributes:
        parts: list of Part.
        outputs: the sources of its outputs, as in Part.
        inputs: number of inputs.
        output_keys: for each output the keys that lead to it in what the network returned; [] if
            they are not known.
    """

    parts: list
    outputs: list
    inputs: int = 1
    output_keys: list = dataclasses.field(default_factory=list)


def unique_sources(part: Part, sources) -> list:
    """The sources without duplicates, unless the inside of the part distinguishes them."""
    return list(sources) if part.inner is not None else list(dict.fromkeys(sources))


def kind_of(module) -> str:
    """The kind of layer of a module, a key of svg.KINDS."""
    return module.layer_kind


def is_leaf(module) -> bool:
    """Whether a module is drawn as one block."""
    return kind_of(module) != "module" or len(module.modules()) == 1


def part_of(module, path: str, parent: str) -> Part:
    """A module as a Part, without its connections.

    Args:
        parent: path of the enclosing module.
    """
    parameters = module.parameters()
    return Part(
        kind=kind_of(module),
        title=type(module).__name__,
        is_sequential=isinstance(module, nn.Sequential),
        is_wrapper=module.is_wrapper,
        name=path.removeprefix(f"{parent}.") if parent else path,
        detail=module.describe() if is_leaf(module) else "",
        paths=(path,),
        parameters=sum(p.size for p in parameters),
        frozen=bool(parameters) and not any(p.requires_grad for p in parameters),
    )


def shape_text(shape) -> str:
    """A shape without the batch, formatted.

    Example:
        >>> from cutaway.diagram.architecture.parts import shape_text
        >>> shape_text((32, 32, 3)), shape_text(())
        ('32×32×3', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"
