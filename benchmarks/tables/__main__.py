"""Cutaway's network for tables against scikit-learn's models and RealMLP.

    python -m benchmarks.tables --half choice
    python -m benchmarks.tables --half test --markdown table.md
    python -m benchmarks.tables --half choice --only iris,xor --splits 1 --models cutaway,boosted

The data sets of the half "choice" are for choices; those of the half "test" are for the result, and
no choice is made after they were seen. A fifth of the rows is scored, five times, 200,000 rows
once; every fit runs in a process of its own. Finished fits are kept, and a run goes on from there;
a change of Cutaway's code or options, of a library's version or of the data fits anew.

A variant of Cutaway is another model: --variant plain:layers=64 adds "plain".
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.tables.datasets import ALL, HALVES, SPLITS
from benchmarks.tables.realmlp import RealMLPModel
from benchmarks.tables.report import blocks
from cutaway.cli.options import settings
from cutaway.errors import CutawayError, OptionError, did_you_mean
from cutaway.files import write_atomically
from cutaway.runs import TableOptions
from cutaway.runtime.cache import user_folder
from cutaway.search.table_models import CutawayModel, rival_models
from cutaway.search.table_protocol import FitStore


def main() -> int:
    given = _arguments()
    try:
        chosen, models = _data_sets(given), _models(given)
        return _run(given, chosen, models)
    except CutawayError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _run(given, chosen, models) -> int:
    folder = Path(given.folder) if given.folder else user_folder() / "benchmarks" / "tables"
    print(f"fits are kept in {folder}", flush=True)
    store, records, failed = FitStore(folder), [], []
    for data in chosen:
        problem = data.problem(given.data)
        for split in problem.splits(min(given.splits, data.most_splits)):
            for model in models:
                name = f"{data.name}, split {split.number}, {model.name}"
                found = store.read(problem, model, split)
                if found is None and not given.report:
                    began = time.perf_counter()
                    try:
                        found = store.fitted(problem, model, split)
                    except CutawayError as error:
                        failed.append(f"{name}: {error.came}")
                        print(f"failed: {failed[-1]}", file=sys.stderr, flush=True)
                        continue
                    scores = ", ".join(f"{k} {v:.4f}" for k, v in found.scores.items() if v)
                    took = time.perf_counter() - began
                    print(f"{name}: {scores} ({took:.0f} s)", file=sys.stderr, flush=True)
                if found is not None:
                    records.append(found)
    names = [model.name for model in models]
    shown = blocks(records, names, names[0])
    print("\n" + "\n\n\n".join(block.text() for block in shown))
    if failed:
        print("\nfailed fits, which a new run tries again:", *failed, sep="\n  ")
    if given.markdown:
        text = "\n".join(block.markdown() for block in shown)
        write_atomically(given.markdown, text.encode())
    return int(bool(failed))


def _data_sets(given):
    only = [name for name in given.only.split(",") if name]
    halves = {data.name: data.half for data in ALL}
    for name in only:
        if name not in halves:
            raise OptionError(
                f"no data set {name!r}", expected="one of them", fix=did_you_mean(name, halves)
            )
        if halves[name] != given.half:
            raise OptionError(
                f"the data set {name!r} belongs to the half {halves[name]!r}",
                expected=f"data sets of the half {given.half!r}",
                fix=f"--half {halves[name]}",
            )
    return [d for d in ALL if d.half == given.half and (not only or d.name in only)]


def _models(given) -> list:
    """The models that are asked for and installed; of the others a line says how to get them."""
    known = [CutawayModel(tag=given.tag)]
    for text in given.variant:
        name, sign, rest = text.partition(":")
        if not sign or not name:
            raise OptionError(
                f"the variant {text!r}",
                expected="a name, a colon and settings",
                fix="write for example --variant plain:layers=64,64;dropout=0",
            )
        options = TableOptions(**settings(rest.split(";")))
        known.append(CutawayModel(options, name, given.tag))
    known += [RealMLPModel(given.pytabkit), *rival_models()]
    wanted = [name.strip() for name in given.models.split(",") if name.strip()]
    names = [model.name for model in known]
    for name in wanted:
        if name not in names:
            raise OptionError(
                f"no model {name!r}",
                expected=f"some of {', '.join(names)}",
                fix=did_you_mean(name, names),
            )
    found = []
    for model in known:
        if wanted and model.name not in wanted:
            continue
        install = model.missing()
        if install is None:
            found.append(model)
        else:
            print(f"skipped {model.name}, which is not installed: {install}", file=sys.stderr)
    if not found:
        raise OptionError("none of the models is installed", expected="one at least")
    return found


def _arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--half", choices=HALVES, default="choice")
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--only", default="", metavar="NAME,...", help="data sets")
    parser.add_argument("--models", default="", metavar="NAME,...", help="default: all")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME:OPTION=VALUE;...",
        help="another model: Cutaway with these options; repeatable",
    )
    parser.add_argument(
        "--tag", default="", help="name of this version of Cutaway [the checksum of its sources]"
    )
    parser.add_argument("--folder", help="of the finished fits [the user's cache folder]")
    parser.add_argument("--data", default=str(Path(__file__).parents[3] / "shared" / "data"))
    parser.add_argument(
        "--pytabkit", default=sys.executable, metavar="PYTHON", help="interpreter that has it"
    )
    parser.add_argument("--report", action="store_true", help="only what is finished, no new fits")
    parser.add_argument("--markdown", metavar="FILE", help="to write the blocks to")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
