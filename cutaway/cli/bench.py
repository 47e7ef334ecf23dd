"""cutaway bench."""

from cutaway.cli.show import console, escape, print_device, print_json, table
from cutaway.runs import prepare
from cutaway.runs.bench import bench
from cutaway.runtime import device


def bench_command(data, target, kind, given, *, seconds, explain, as_json) -> None:
    experiment = prepare(data, target, kind=kind, one_network=True, **given)
    measured = bench(experiment, seconds=seconds)
    if as_json:
        print_json({"network": experiment.spec["model"], **measured})
        return
    console.print(
        f"[bold]{escape(experiment.spec['model'])}[/], {measured['parameters']:,} parameters, "
        f"batch size {measured['batch_size']}"
    )
    print_device(device(), measured["precision"])
    print()
    rows = [
        ("training steps per second", f"{measured['steps_per_second']:,.1f}"),
        (f"{experiment.preprocessing.examples} per second", f"{measured['rows_per_second']:,.0f}"),
        ("first step, with compilation (s)", f"{measured['first_step_seconds']:.2f}"),
        ("working memory per step (MB)", f"{measured['megabytes']:,.1f}"),
    ]
    console.print(table(["", ""], rows, right=(1,)))
    if explain:
        console.print(f"\nCompilation: {escape(measured['why'])}.")
        for name, value in (measured["plan"] or {}).items():
            console.print(f"  {escape(name)}={escape(value)}", soft_wrap=True)
        if measured["convolutions"]:
            console.print(table(["layer", "", "algorithm"], measured["convolutions"]))
