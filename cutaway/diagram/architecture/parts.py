"""A network as connected parts: the tracer writes them, the drawing reads them."""

import dataclasses

from cutaway import nn

INPUT = -1  # as the index of a source: what comes into the scope


@dataclasses.dataclass
class Part:
    """One element of the drawing.

    Attributes:
        kind: a key of svg.KINDS, or "operation", "end", "repeat".
        title: its class, or what the operation is called.
        name: what it is called in the module around it.
        detail: its options.
        paths: the paths of the modules that it stands for; several where repeats were folded.
        shape: of its output without the batch, None if it is not known.
        changes: whether that is another shape than that of its input.
        parameters, frozen: how many numbers it holds, and whether none of them is trained.
        shared: whether all of them were met before.
        sources: (index of a part in the scope or INPUT, which of its outputs) in order.
        guessed: the sources are not known, only what was defined or called before.
        inner: what is inside, None for a leaf.
        times: how many of it there are in a row.
        tied: whether those are one module, run again and again.
        is_sequential: whether it is a Sequential.
        is_wrapper: whether a Sequential in it needs no frame of its own.
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
    """Parts in an order in which each comes after its sources.

    Attributes:
        parts: list of Part.
        outputs: the sources of what leaves.
        inputs: how many tensors come in.
    """

    parts: list
    outputs: list
    inputs: int = 1


def once(part: Part, sources) -> list:
    """Sources of a part: what it reads twice is one line, unless its inside tells them apart."""
    return list(sources) if part.inner is not None else list(dict.fromkeys(sources))


def kind_of(module) -> str:
    """The kind of layer of a module, a key of svg.KINDS."""
    return module.layer_kind


def is_leaf(module) -> bool:
    """Whether a module is drawn as one block."""
    return kind_of(module) != "module" or len(module.modules()) == 1


def part_of(module, path: str, around: str) -> Part:
    """A module as a Part, without its connections.

    Args:
        around: path of the module around it.
    """
    parameters = module.parameters()
    return Part(
        kind=kind_of(module),
        title=type(module).__name__,
        is_sequential=isinstance(module, nn.Sequential),
        is_wrapper=module.is_wrapper,
        name=path.removeprefix(f"{around}.") if around else path,
        detail=module.describe() if is_leaf(module) else "",
        paths=(path,),
        parameters=sum(p.size for p in parameters),
        frozen=bool(parameters) and not any(p.requires_grad for p in parameters),
    )


def shape_text(shape) -> str:
    """A shape without the batch, formatted.

    Example:
        >>> shape_text((32, 32, 3)), shape_text(())
        ('32×32×3', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"
