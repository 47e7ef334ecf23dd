"""cutaway bench."""

from cutaway.cli.show import console, escape, print_device, print_json, table
from cutaway.runs import prepare
from cutaway.runs.bench import bench
from cutaway.runtime import device


def bench_command(data, target, kind, given, *, seconds, explain, as_json) -> None:
    prepared = prepare(data, target, kind=kind, **given)
    found = bench(prepared, seconds=seconds)
    if as_json:
        print_json({"network": prepared.spec["model"], **found})
        return
    console.print(
        f"[bold]{escape(prepared.spec['model'])}[/], {found['parameters']:,} parameters, batches "
        f"of {found['batch_size']} {prepared.preprocessing.things}"
    )
    print_device(device(), found["precision"])
    print()
    rows = [
        ("training steps a second", f"{found['steps_per_second']:,.1f}"),
        (f"{prepared.preprocessing.things} a second", f"{found['rows_per_second']:,.0f}"),
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
