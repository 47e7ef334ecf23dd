"""Weights & Biases, also offline: WANDB_MODE=offline writes into a folder, `wandb sync` uploads."""

import os
from typing import Any, ClassVar

from cutaway.train.loggers.contract import EPOCH, STEP, Logger


class WandB(Logger):
    """Writes a run of Weights & Biases.

    Who is logged in and where runs are kept is what `wandb login` and the variables WANDB_* say.

    Args:
        project: in which the run appears.
        title: of the run; None: the name of the run's folder, or one that W&B makes up.
        group: of runs that belong together, as those of a search; None: none.
        mode: "online", "offline" or "disabled"; None: WANDB_MODE, otherwise online.
        folder: for its files; None: WANDB_DIR, otherwise the current one.
    """

    name: ClassVar[str] = "wandb"
    modules: ClassVar[tuple[str, ...]] = ("wandb",)

    def __init__(
        self,
        project: str = "cutaway",
        *,
        title: str | None = None,
        group: str | None = None,
        mode: str | None = None,
        folder=None,
    ):
        super().__init__()
        self.project = project
        self.title = title
        self.group = group
        self.mode = mode
        self.given = folder
        self._run: Any = None
        self._over_steps: set[str] = set()

    @classmethod
    def for_trial(cls, search, trial):
        return cls(title=f"{search.name}-{trial}", group=search.name)

    def open(self, folder):
        import wandb

        title = self.title if self.title is not None or folder is None else folder.name
        self._run = wandb.init(
            project=self.project,
            name=title,
            group=self.group,
            id=self.run,
            resume=None if self.run is None else "allow",
            mode=self.mode,  # pyright: ignore[reportArgumentType]
            dir=None if self.given is None else os.fspath(self.given),
            settings=wandb.Settings(console="off"),  # a progress bar is thousands of lines
        )
        self.run = self._run.id
        # what is drawn over steps, such as probes, has another axis than the epochs
        self._run.define_metric(EPOCH, hidden=True)
        self._run.define_metric(STEP, hidden=True)
        self._run.define_metric("*", step_metric=EPOCH)
        self._run.define_metric("probes/*", step_metric=STEP)
        self._over_steps.clear()

    def write(self, axis, place, values):
        if axis == STEP:
            for name in values.keys() - self._over_steps:
                if not name.startswith("probes/"):
                    self._run.define_metric(name, step_metric=STEP)
            self._over_steps |= values.keys()
        self._run.log({axis: place, **values})

    def write_histogram(self, step, name, counts, edges):
        import wandb

        self._run.log({STEP: step, name: wandb.Histogram(np_histogram=(counts, edges))})

    def write_config(self, config):
        self._run.config.update(config, allow_val_change=True)

    def write_scores(self, place, values):
        self._run.summary.update({f"scores/{name}": value for name, value in values.items()})

    def write_text(self, name, text):
        self._run.summary[name] = text

    def write_file(self, path, name):
        import wandb

        kind = "model" if path.suffix == ".safetensors" else "file"
        artifact = wandb.Artifact(f"{self.run}-{name}", type=kind)
        artifact.add_file(os.fspath(path), name=name)
        self._run.log_artifact(artifact)

    def end(self, status):
        self._run.finish(exit_code=0 if status == "finished" else 1)
        self._run = None

    def remedy(self, error):
        return "Log in with `wandb login`, or set WANDB_MODE=offline and `wandb sync` later."
