"""A safe unpickler that can build tensors and plain containers, and nothing else.

A pickle is a program for a small stack machine; two of its instructions look up any function of
any module and call it. This machine has no such instruction: an unknown name is rejected
immediately, before anything after it is read, and the known names refer to functions of this file,
which only put their arguments into tuples. The bytes are split into instructions by the standard
library's disassembler, which executes nothing either.
"""

import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from cutaway.errors import RunError


class StorageKind(NamedTuple):
    """Element type of a storage, by PyTorch's name: "FloatStorage"."""

    name: str


class StorageRef(NamedTuple):
    """A storage that the pickle refers to; its bytes are elsewhere in the file."""

    kind: str
    key: str
    numel: int
    view: tuple | None = None


class TensorRef(NamedTuple):
    """A tensor as the pickle describes it: a view of a storage, strides in elements."""

    storage: StorageRef
    offset: int
    size: tuple
    stride: tuple
    dtype: str | None = None


class _Global(NamedTuple):
    """An allowed name, with the function that it is replaced by."""

    name: str
    build: Callable[..., Any]


def load(file) -> Any:
    """The object of the pickle at `file`'s position; advances the position to its end.

    Raises:
        RunError: it refers to something that is neither a tensor nor a plain container.
        ValueError, IndexError, KeyError, TypeError: it is corrupted.
    """
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.step(opcode.name, argument)
    raise ValueError("the pickle has no end")


class _Machine:
    def __init__(self):
        self.stack = []
        self.marks = []  # height of the stack at each mark
        self.memo = {}

    def step(self, name, argument):
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _CONTAINERS:
            self.stack.append(_CONTAINERS[name]())
        elif name not in _IGNORED:
            instruction = getattr(self, f"on_{name.lower()}", None)
            if instruction is None:
                _refuse(
                    f"the instruction {name}" + (f" of {_dotted(argument)}" if argument else "")
                )
            instruction(argument)

    def since_mark(self) -> list:
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def on_mark(self, _):
        self.marks.append(len(self.stack))

    def on_pop(self, _):
        # in the original machine, a mark is on the stack too
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def on_pop_mark(self, _):
        self.since_mark()

    def on_dup(self, _):
        self.stack.append(self.stack[-1])

    def on_put(self, index):
        self.memo[index] = self.stack[-1]

    on_binput = on_long_binput = on_put

    def on_memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def on_get(self, index):
        self.stack.append(self.memo[index])

    on_binget = on_long_binget = on_get

    def on_tuple(self, _):
        self.stack.append(tuple(self.since_mark()))

    def on_tuple1(self, _):
        self.stack[-1:] = [tuple(self.stack[-1:])]

    def on_tuple2(self, _):
        a, b = self.stack[-2:]
        self.stack[-2:] = [(a, b)]

    def on_tuple3(self, _):
        a, b, c = self.stack[-3:]
        self.stack[-3:] = [(a, b, c)]

    def on_list(self, _):
        self.stack.append(self.since_mark())

    def on_append(self, _):
        item = self.stack.pop()
        _expect(self.stack[-1], list).append(item)

    def on_appends(self, _):
        items = self.since_mark()
        _expect(self.stack[-1], list).extend(items)

    def on_dict(self, _):
        self.stack.append(_pairs(self.since_mark()))

    def on_setitem(self, _):
        value, key = self.stack.pop(), self.stack.pop()
        _expect(self.stack[-1], dict)[_key(key)] = value

    def on_setitems(self, _):
        items = self.since_mark()
        _expect(self.stack[-1], dict).update(_pairs(items))

    def on_additems(self, _):
        items = self.since_mark()
        _expect(self.stack[-1], set).update(map(_key, items))

    def on_frozenset(self, _):
        self.stack.append(frozenset(map(_key, self.since_mark())))

    def on_global(self, argument):
        self.stack.append(_allowed(argument.replace(" ", ".", 1)))

    def on_stack_global(self, _):
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_allowed(f"{_expect(module, str)}.{_expect(name, str)}"))

    def on_reduce(self, _):
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(_expect(function, _Global).build(*_expect(arguments, tuple)))

    on_newobj = on_reduce

    def on_build(self, _):
        # the state of an ordered dict is its metadata, that of a type its byte order
        state = self.stack.pop()
        built = self.stack[-1]
        if isinstance(built, np.dtype) and isinstance(state, tuple) and len(state) > 1:
            if state[1] in ("<", ">", "="):
                self.stack[-1] = built.newbyteorder(state[1])
        elif not isinstance(built, dict):
            _refuse(f"a state for a {type(built).__name__}")

    def on_binpersid(self, _):
        reference = _expect(self.stack.pop(), tuple)
        if _text(reference[0]) != "storage":
            _refuse("a whole module")
        _, kind, key, _, numel, *view = reference
        view = tuple(view[0]) if view and view[0] is not None else None
        self.stack.append(
            StorageRef(_expect(kind, StorageKind).name, _text(key), _expect(numel, int), view)
        )


# instructions that push their argument onto the stack
_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_CONTAINERS = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_IGNORED = {"PROTO", "FRAME"}


def _tensor(storage, offset, size, stride, *_):
    return TensorRef(_expect(storage, StorageRef), offset, tuple(size), tuple(stride))


def _typed_tensor(storage, offset, size, stride, _grad, _hooks, dtype, *_):
    name = _expect(dtype, StorageKind).name
    return TensorRef(_expect(storage, StorageRef), offset, tuple(size), tuple(stride), name)


def _parameter(data, *_):
    return _expect(data, TensorRef)


def _ordered_dict(pairs=()):
    return {_key(key): value for key, value in pairs}


def _size(numbers=()):
    return tuple(numbers)


def _encoded(text, encoding="latin1"):
    if encoding not in ("latin1", "latin-1", "utf-8", "utf8", "ascii"):
        _refuse(f"the encoding {encoding!r}")
    return _expect(text, str).encode(encoding)


def _number_type(name, *_):
    if not (isinstance(name, str) and name[:1] in "fiub" and name[1:].isdigit()):
        _refuse(f"the type {name!r}")
    return np.dtype(name)


def _number(dtype, content):
    return np.frombuffer(_expect(content, bytes), _expect(dtype, np.dtype), count=1)[0]


_STORAGES = (
    "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool",
    "ComplexFloat", "ComplexDouble", "Untyped",
)  # fmt: skip
_DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
    "uint16", "uint32", "uint64", "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2",
)  # fmt: skip
_FUNCTIONS = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.Size": _size,
    "torch.device": lambda *names: names,
    "_codecs.encode": _encoded,
    "numpy.dtype": _number_type,
    "numpy.core.multiarray.scalar": _number,
    "numpy._core.multiarray.scalar": _number,
}
_KINDS = {
    **{f"torch.{name}Storage": f"{name}Storage" for name in _STORAGES},
    "torch.storage.UntypedStorage": "UntypedStorage",
    **{f"torch.{name}": name for name in _DTYPES},
}


def _allowed(name: str):
    if name in _FUNCTIONS:
        return _Global(name, _FUNCTIONS[name])
    if name in _KINDS:
        return StorageKind(_KINDS[name])
    _refuse(name)


def _refuse(what) -> NoReturn:
    raise RunError(
        f"refused to load it: it refers to {what}, which is neither a tensor nor a plain container",
        expected="tensors in dicts, lists and tuples, with numbers and strings; a pickle can run "
        "arbitrary code, so nothing else is allowed",
        fix="if you trust the file, load it with PyTorch elsewhere and save only the tensors: "
        "torch.save(model.state_dict(), path), or as safetensors",
    )


def _dotted(argument) -> str:
    return str(argument).replace(" ", ".", 1)


def _expect(value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} in place of {kind.__name__}")
    return value


def _pairs(items) -> dict:
    return dict(zip(map(_key, items[::2]), items[1::2], strict=True))


def _key(value):
    """A plain value: hashing deeply nested untrusted data could overflow the stack."""
    if not isinstance(value, str | int | float | bytes | None):
        raise TypeError(f"a {type(value).__name__} as a key")
    return value


def _text(value) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)
