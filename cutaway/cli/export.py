"""cutaway export."""

from pathlib import Path

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json
from cutaway.errors import OptionError


def export_command(folder, out, *, onnx, safetensors, nms, force, as_json) -> None:
    from cutaway.runs.export import export_run_onnx, export_run_weights, interface
    from cutaway.runs.published_detector import is_published, open_detector_or_run

    if onnx == safetensors:
        raise OptionError(
            "no file format was given"
            if not onnx
            else "one FILE cannot be both ONNX and safetensors",
            expected="--onnx or --safetensors",
            fix="use --onnx for the network, --safetensors for the weights only",
        )
    run = open_detector_or_run(folder)
    usual = Path(folder, "network")
    if is_published(folder):
        usual = Path(str(folder).partition(":")[0])
    path = Path(out) if out is not None else usual.with_name(f"{usual.name}.{_suffix(onnx)}")
    with product(path, "FILE", force=force):
        about = (
            export_run_onnx(run, path, suppressed=nms) if onnx else export_run_weights(run, path)
        )
    form = interface(run)
    if as_json:
        described = {"input_description": form.inputs, "output_description": form.outputs}
        print_json({"out": str(path), "task": run.config["task"], **about, **described})
        return
    size = path.stat().st_size
    console.print(f"[bold]{escape(path)}[/]: {about['parameters']:,} parameters, {size:,} bytes")
    if "source" in run.config["network"]:
        console.print(escape(run.config["network"]["source"]))
    if not onnx:
        console.print(f"{about['tensors']} tensors; load them with `ct.load_weights(net, path)`")
        return
    rows = about["rows"]
    batch = "any batch size" if rows is None else f"batch size {rows}"
    console.print(f"ONNX, opset {about['opset']}, {about['nodes']} nodes, {batch}")
    for one in form.network_inputs:
        sizes = about["inputs"][one.name]["shape"][1:]
        shape = ", ".join(map(str, ["rows" if rows is None else rows, *sizes]))
        console.print(f"\n[bold]Input[/] {one.name}: ({shape}), {one.dtype}", markup=True)
        for sentence in one.sentences:
            console.print(f"  {escape(sentence)}")
    console.print("[bold]Output[/]")
    for sentence in form.outputs:
        console.print(f"  {escape(sentence)}")
    console.print("\nThe file's metadata holds this description and the preprocessing as JSON.")


def _suffix(onnx: bool) -> str:
    return "onnx" if onnx else "safetensors"
