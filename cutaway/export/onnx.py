"""export_onnx: writes a network as an ONNX file."""

from pathlib import Path

import jax
import numpy as np

import cutaway
from cutaway.engine import Operation
from cutaway.errors import CutawayError, OptionError, install_extra
from cutaway.export.graph import OPSET, OnnxGraph, Value
from cutaway.export.primitives import PRIMITIVES
from cutaway.export.trace import DependsOnBatchSize, Key, TracedProgram, trace
from cutaway.files import write_atomically
from cutaway.nn.trees import is_array, leaves, map_leaves, named_leaves


def export_onnx(
    net, path, inputs, *, outputs=None, metadata=None, rows: int | None = None, also=None
) -> dict:
    """Write `net` in evaluation mode to `path`.

    The inputs of the file are those of the network, channels last. The batch size is dynamic,
    unless the network requires a fixed one or `rows` sets it.

    Args:
        inputs: examples as the network takes them, of which only shapes and types are used: an
            array, a tuple or a dict. The names are then those of the tree: {"table": ..., "text":
            ...} has the inputs table and text; a tuple has input_0 and so on, an array has input.
            Or {name: (shape of one row, dtype)}, in the order of the network's forward.
        outputs: names of the outputs; None: those of the tree that the network returns, by the same
            rule: class and value, output_0 and so on, or output.
        metadata: {name: text} stored in the file.
        rows: fixed batch size; None: dynamic.
        also: the same inputs with other sizes, in the same form. If the network does the same to
            them, the sizes that differ are dynamic in the file, with the names size_1, size_2, ...;
            otherwise they are fixed.

    Returns:
        {"opset", "nodes", "parameters", "rows": None or the fixed size, "inputs", "outputs"}, of
        dynamic sizes the names

    Raises:
        OptionError: an operation of the network has no ONNX form; says which, and what to do. Or
            the inputs are neither examples nor shapes and types.

    Example:
        >>> from cutaway.export import export_onnx
        >>> from tempfile import TemporaryDirectory
        >>> from cutaway.models import mlp
        >>> with TemporaryDirectory() as folder:
        ...     about = export_onnx(mlp((4, 3, 1)), f"{folder}/mlp.onnx", {"x": ((4,), "float32")})
        >>> about["outputs"]
        {'output': {'shape': ['batch', 1], 'type': 'float32'}}
    """
    _expect_onnx()
    import onnx

    rows_of, names = _rows_and_names(inputs)
    program, rows = _traced(net, rows_of, rows)
    given = {name: (row.shape, row.dtype) for name, row in zip(names, leaves(rows_of), strict=True)}
    named_outputs = _output_names(program.output_keys, outputs, names)
    model = _model(program, given, named_outputs)
    if also is not None:
        others, _ = _rows_and_names(also)
        second, _ = _traced(net, others, rows)
        shapes = {
            name: (row.shape, row.dtype) for name, row in zip(names, leaves(others), strict=True)
        }
        _free_sizes(model, _model(second, shapes, named_outputs))
    for name, text in {"producer": f"cutaway {cutaway.__version__}", **(metadata or {})}.items():
        model.metadata_props.add(key=name, value=str(text))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CutawayError(
            f"the exported file is not valid ONNX ({str(error).splitlines()[0]})",
            expected="a valid file: this is a bug in Cutaway",
            fix="report it together with the network",
        ) from error
    write_atomically(Path(path), model.SerializeToString())
    return {
        "opset": OPSET,
        "nodes": len(model.graph.node),
        "parameters": sum(p.size for p in net.parameters()),
        "rows": rows,
        "inputs": _described(model.graph.input),
        "outputs": _described(model.graph.output),
    }


def _rows_and_names(inputs) -> tuple:
    """(tree of jax.ShapeDtypeStruct of one row of each input, the names of its leaves)."""
    if isinstance(inputs, dict) and inputs and all(map(_is_described, inputs.values())):
        rows = tuple(jax.ShapeDtypeStruct(*described) for described in inputs.values())
        return rows, list(inputs)
    for leaf in leaves(inputs) or [inputs]:
        if not is_array(leaf) or leaf.ndim == 0:
            raise OptionError(
                f"the inputs of the export contain a {type(leaf).__name__}",
                expected="examples with the batch as first axis, as the network takes them, or "
                "{name: (shape of one row, dtype)}",
                fix='for example x_train[:1], or {"x": ((4,), "float32")}',
            )

    def row(leaf):
        dtype = np.dtype(leaf.dtype)
        return jax.ShapeDtypeStruct(leaf.shape[1:], np.float32 if dtype == np.float64 else dtype)

    return map_leaves(row, inputs), [_name_of(keys, "input") for keys in named_leaves(inputs)]


def _is_described(value) -> bool:
    """Whether it is (shape of one row, dtype)."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], tuple | list)


def _name_of(keys: tuple, word: str) -> str:
    """The name of an input or output by its keys in the tree; `word` where it has none."""
    if not keys or not isinstance(keys[0], str):
        keys = ("_".join([word, *map(str, keys[:1])]), *keys[1:])
    return ".".join(map(str, keys))


def _output_names(keys, outputs, inputs) -> list:
    if outputs is None:
        found = [_name_of(one, "output") for one in keys]
        return [f"output_{name}" if name in inputs else name for name in found]
    if len(outputs) != len(keys):
        raise OptionError(
            f"{len(outputs)} names of outputs were given: {', '.join(outputs)}",
            expected=f"{len(keys)}, one for each that the network returns",
        )
    return list(outputs)


def _expect_onnx():
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise OptionError(
            "exporting to ONNX requires the package onnx, which is not installed",
            fix=install_extra("onnx"),
        ) from error


def _traced(net, inputs, rows) -> tuple[TracedProgram, int | None]:
    if rows is not None:
        return trace(net, inputs, fixed_batch=rows), rows
    try:
        return trace(net, inputs), None
    except DependsOnBatchSize:
        return trace(net, inputs, fixed_batch=1), 1


def _model(program, given, outputs):
    from onnx import helper, numpy_helper

    g = OnnxGraph()
    g.batch_of = next(iter(given))
    values = {}
    for key, (path, array) in program.constants.items():
        values[key] = Value(array.shape, array.dtype, array=array, hint=path)
    for (key, shape, dtype), (name, (_, asked)) in zip(program.inputs, given.items(), strict=True):
        # integers have 32 bits here, elsewhere often 64
        values[key] = Value(shape, dtype, last=name if asked == dtype else g.cast(name, dtype))
    for step in program.steps:
        _write(g, step, values)

    for (key, _, _), name in zip(program.outputs, outputs, strict=True):
        last = g.name(values[key])
        g.nodes.append(helper.make_node("Identity", [last], [name], name=name))

    def info(name, shape, dtype):
        sizes = [n if n >= 0 else "batch" if n == -1 else f"{-n} * batch" for n in shape]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), sizes)

    graph = helper.make_graph(
        g.nodes,
        "cutaway",
        [
            info(name, shape, asked)
            for (_, shape, _), (name, (_, asked)) in zip(program.inputs, given.items(), strict=True)
        ],
        [info(n, s, d) for n, (_, s, d) in zip(outputs, program.outputs, strict=True)],
        [numpy_helper.from_array(a, name) for name, a in g.initializers.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], producer_name="cutaway")
    model.ir_version = min(model.ir_version, helper.find_min_ir_version_for([opset]))
    return model


def _free_sizes(model, other) -> None:
    """Make the sizes dynamic in which two models differ, if they differ in nothing else."""
    for part in ("node", "initializer"):
        one, two = getattr(model.graph, part), getattr(other.graph, part)
        if [n.SerializeToString() for n in one] != [n.SerializeToString() for n in two]:
            return
    for part in ("input", "output"):
        pairs = zip(getattr(model.graph, part), getattr(other.graph, part), strict=True)
        for one, two in pairs:
            dims = zip(one.type.tensor_type.shape.dim, two.type.tensor_type.shape.dim, strict=True)
            for place, (dim, size) in enumerate(dims):
                if dim != size:
                    dim.dim_param = f"size_{place}"


def _write(g: OnnxGraph, step, values) -> None:
    g.shape, g.dtype = step.shapes[0], step.dtypes[0]
    g.shapes, g.dtypes = step.shapes, step.dtypes

    def value_of(x):
        if isinstance(x, Key):
            return values[x]
        if isinstance(x, tuple | list):
            return type(x)(value_of(item) for item in x)
        return x

    inputs = [value_of(x) for x in step.inputs]
    if isinstance(step.what, Operation):
        if step.what.written is None:
            raise _no_form(step.what)
        options = {name: value_of(x) for name, x in step.options.items()}
        result = step.what.written(g, *inputs, **options)
    else:
        if step.what not in PRIMITIVES:
            raise OptionError(
                f"a layer uses {step.what!r} directly on arrays, outside Cutaway's operations, "
                "which has no ONNX form yet",
                expected="an operation with its own ONNX form: @operation, and below it @name.onnx",
                fix="make that part of the layer an operation, or export without that layer",
            )
        result = PRIMITIVES[step.what](g, inputs, step.options)
    results = result if isinstance(result, tuple) else (result,)
    for out, value in zip(step.outs, results, strict=True):
        values[out] = value


def _no_form(operation: Operation) -> OptionError:
    name, inputs = operation.name, ", ".join(operation.input_names or ["*inputs"])
    return OptionError(
        f"the operation {name!r} has no ONNX form yet",
        expected=f"a function below it that defines its ONNX form:\n"
        f"      @{name}.onnx\n"
        f"      def {name}_onnx(g, {inputs}):\n"
        f'          return g.out("NameOfOnnxOperator", {inputs})',
        fix="write that function (see the operations in cutaway/ops/), or export without the layer",
    )


def _described(infos) -> dict:
    from onnx import helper

    return {
        info.name: {
            "shape": [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim],
            "type": str(helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)),
        }
        for info in infos
    }
