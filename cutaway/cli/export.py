"""cutaway export."""

from pathlib import Path

from cutaway.cli.show import console, escape, print_json
from cutaway.errors import OptionError


def export_command(folder, out, *, onnx, safetensors, as_json) -> None:
    from cutaway.runs import Run
    from cutaway.runs.export import export_run_onnx, export_run_weights, interface

    if onnx == safetensors:
        raise OptionError(
            "export needs to know the form of the file"
            if not onnx
            else "one FILE cannot be both ONNX and safetensors",
            expected="--onnx or --safetensors",
            fix="for other programs --onnx; for the weights alone --safetensors",
        )
    run = Run.open(folder)
    path = Path(out) if out is not None else Path(folder) / f"network.{_suffix(onnx)}"
    about = export_run_onnx(run, path) if onnx else export_run_weights(run, path)
    form = interface(run)
    if as_json:
        says = {"inputs_say": form.inputs, "outputs_say": form.outputs}
        print_json({"out": str(path), "task": run.config["task"], **about, **says})
        return
    size = path.stat().st_size
    console.print(f"[bold]{escape(path)}[/]: {about['parameters']:,} parameters, {size:,} bytes")
    if not onnx:
        console.print(f"{about['tensors']} tensors, as `ct.load_weights(net, path)` reads them")
        return
    rows = about["rows"]
    many = "any number of rows" if rows is None else f"rows at a time: {rows}"
    console.print(f"ONNX, opset {about['opset']}, {about['nodes']} nodes; {many}")
    shape = ", ".join(map(str, ["rows" if rows is None else rows, *form.shape]))
    console.print(f"\n[bold]Input[/] {form.name}: ({shape}), {form.dtype}", markup=True)
    for sentence in form.inputs:
        console.print(f"  {escape(sentence)}")
    console.print("[bold]Output[/]")
    for sentence in form.outputs:
        console.print(f"  {escape(sentence)}")
    console.print("\nThe same stands in the file's metadata, with the preprocessing as JSON.")


def _suffix(onnx: bool) -> str:
    return "onnx" if onnx else "safetensors"
