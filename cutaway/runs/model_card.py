"""push_to_hub: a network or a run as a repository of the Hub, with a model card."""

import json
import re
import tempfile
from pathlib import Path

import cutaway
from cutaway.errors import counted, expect_type
from cutaway.files import Manifest, write_atomically
from cutaway.nn import Module
from cutaway.runs.finished_run import Run
from cutaway.runs.run_folder import as_json
from cutaway.runs.validation_kind import scores_of_sets
from cutaway.weights import save_weights
from cutaway.weights.hub import HUB, hub_package, upload

LEFT_OUT = ("fingerprint", "skipped_files")  # of the config: what tells of the rows and their files


def push_to_hub(
    what,
    repo: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    license: str | None = None,
    message: str | None = None,
) -> str:
    """Upload a network or a run to the Hub of Hugging Face, with a model card.

    A run stays one, which `Run.open("hf://org/name")` opens. Neither rows of the data nor folders
    of this machine are uploaded; names of columns and classes, vocabularies, means and scores are.

    Args:
        what: a Module, or a Run.
        repo: "org/name"; made if there is none.
        private: whether a repository that is made is private; None: as the organization says.
        revision: branch; None: main.
        license: identifier for the card, such as "apache-2.0"; None: it names none.
        message: of the commit.

    Returns:
        the address with its commit: "hf://org/name@7b0f...", which `load_weights`, `load_into`
        and, of a run, `Run.open` take.

    Raises:
        OptionError: neither a Module nor a Run; not "org/name".
        RunError: huggingface_hub is not installed; not logged in, not allowed, or no connection.

    Example:
        >>> import cutaway as ct
        >>> ct.push_to_hub(ct.Run.open("runs/students"), "me/students")   # doctest: +SKIP
        'hf://me/students@7b0f...'
    """
    expect_type(what, Module | Run, what="push_to_hub", expected="a Module or a Run")
    hub_package()  # before anything is written
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_hub_folder(what, folder, repo, license=license)
        text = message or f"Upload by Cutaway {cutaway.__version__}"
        commit = upload(folder, repo, private=private, revision=revision, message=text)
    return f"{HUB}{repo}@{commit}"


def write_hub_folder(what, folder: Path, repo: str, *, license: str | None = None) -> None:
    """Write what `push_to_hub` uploads into an empty folder.

    Args:
        what, repo, license: see `push_to_hub`.
    """
    if isinstance(what, Run):
        config = _public_config(what)
        _write_run(what, config, folder)
        card = _card_of_run(config, what.metrics, repo, license)
    else:
        save_weights(what, folder / "model.safetensors")
        config = {
            "cutaway": cutaway.__version__,
            "network": type(what).__name__,
            "layers": {path: repr(module) for path, module in what.modules().items()},
        }
        write_atomically(folder / "config.json", as_json(config))
        card = _card_of_net(what, repo, license)
    write_atomically(folder / "README.md", card.encode("utf-8", "backslashreplace"))


def _public_config(run: Run) -> dict:
    """The config of a run without what tells of this machine and of single rows."""
    config = json.loads(run.folder.read(run.folder.config))
    config = {k: v for k, v in config.items() if k not in LEFT_OUT}
    config["data"] = Path(config["data"]).name
    config["options"] = {k: _without_folders(v) for k, v in config["options"].items()}
    return config


def _write_run(run: Run, config: dict, folder: Path) -> None:
    own = run.folder
    content = {own.config.name: as_json(config)}
    for path in (own.weights, own.preprocessing, own.metrics, own.history):
        content[path.name] = own.read(path)
    Manifest(folder).write(content)


def _without_folders(value):
    """Of a path, also of that in "NAME:/folder/file", only the file; what else it is stays."""
    if not isinstance(value, str):
        return value
    return re.sub(r"(^|:)(?!//)(/|~/|[A-Za-z]:[\\/]).*[/\\]", r"\1", value)


def _head(license: str | None, tags: tuple[str, ...]) -> str:
    lines = ["---", "library_name: cutaway", *([f"license: {license}"] if license else []), "tags:"]
    return "\n".join([*lines, *(f"- {tag}" for tag in ("cutaway", *tags)), "---"])


def _card_of_net(net: Module, repo: str, license: str | None) -> str:
    return f"""{_head(license, ())}

# {repo.partition("/")[2]}

A network of {net.summary().total:,} parameters, {type(net).__name__}, made with Cutaway
{cutaway.__version__}. The weights are in Cutaway's layout: features last.

```python
import cutaway as ct

ct.load_weights(net, "hf://{repo}")  # into a network of the same layers
```

```
{net.summary()}
```
"""


def _card_of_run(config: dict, metrics: dict, repo: str, license: str | None) -> str:
    found = scores_of_sets(metrics)
    names = list(dict.fromkeys(name for scores in found.values() for name in scores))
    table = [
        "| score | " + " | ".join(found) + " |",
        "| --- |" + " ---: |" * len(found),
        *(
            f"| {name.replace('_', ' ')} | "
            + " | ".join(_shown(scores.get(name)) for scores in found.values())
            + " |"
            for name in names
        ),
    ]
    options = {k: v for k, v in config["options"].items() if v not in (None, (), [], {}, "")}
    told = "\n".join(f"- {name.rstrip('_')}: {value}" for name, value in options.items())
    return f"""{_head(license, (config["task"], config["kind"]))}

# {repo.partition("/")[2]}

Predicts `{config["target"]}` ({config["task"]}, {config["kind"]}), trained on {config["data"]}:
{metrics["parameters"]:,} parameters, {counted(metrics["epochs"], "epoch")}, by Cutaway
{config["cutaway"]}.

{chr(10).join(table)}

```python
import cutaway as ct

run = ct.Run.open("hf://{repo}")
predictions, notes = run.predict("new_data")
```

Trained with

{told}
"""


def _shown(value) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value or "")
