"""cutaway bench."""

from cutaway.cli.show import console, escape, print_device, print_json, table
from cutaway.runs import prepare
from cutaway.runs.bench import bench
from cutaway.runtime import device


def bench_command(data, target, kind, given, *, seconds, explain, as_json) -> None:
    experiment = prepare(data, target, kind=kind, **given)
    found = bench(experiment, seconds=seconds)
    if as_json:
        print_json({"network": experiment.spec["model"], **found})
        return
    console.print(
        f"[bold]{escape(experiment.spec['model'])}[/], {found['parameters']:,} parameters, batches "
        f"of {found['batch_size']} {experiment.preprocessing.examples}"
    )
    print_device(device(), found["precision"])
    print()
    rows = [
        ("training steps a second", f"{found['steps_per_second']:,.1f}"),
        (f"{experiment.preprocessing.examples} a second", f"{found['rows_per_second']:,.0f}"),
        ("seconds to the first step", f"{found['first_step_seconds']:.2f}"),
        ("working memory of a step, MB", f"{found['megabytes']:,.1f}"),
    ]
    console.print(table(["", ""], rows, right=(1,)))
    if explain:
        console.print(f"\nCompiled: {escape(found['why'])}.")
        for name, value in (found["plan"] or {}).items():
            console.print(f"  {escape(name)}={escape(value)}", soft_wrap=True)
        if found["convolutions"]:
            console.print(table(["layer", "", "computed as"], found["convolutions"]))
