"""Each trial of a search is a run of its own in every logger, with its parameters."""

import csv
import json

import pytest

import cutaway as ct
from cutaway.errors import OptionError

FIXED = {"epochs": 2, "layers": (4,), "seed": 0}


def searched(out, log, trials=2):
    return ct.tune(None, trials=trials, out=out, log=log, **FIXED)


@pytest.mark.slow
def test_each_trial_is_a_folder_of_csv_and_of_tensorboard_with_its_parameters(tmp_path):
    pytest.importorskip("tensorboard", reason='pip install -e ".[tensorboard]"')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    found = searched(tmp_path / "search", ("csv", "tensorboard"))
    drawn = {trial["trial"]: trial for trial in found.summary["trials"]}
    for number, trial in drawn.items():
        folder = found.path / "csv" / f"{number:03d}"
        config = json.loads((folder / "config.json").read_text())
        assert (config["search"], config["trial"]) == ("search", number)
        assert config["hyperparameters"]["optimizer"] == trial["optimizer"]
        with (folder / "epochs.csv").open() as file:
            assert len(list(csv.DictReader(file))) == trial["epochs"]
        scores = json.loads((folder / "scores.json").read_text())
        assert scores["objective/val_loss"] == trial["value"]
        assert (folder / "texts" / "trial.txt").read_text() == "complete\n"
        events = EventAccumulator(str(found.path / "tensorboard" / f"{number:03d}")).Reload()
        about = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG)
        start = metadata.parse_session_start_info_plugin_data(about.plugin_data.content)
        assert start.hparams["optimizer"].string_value == trial["optimizer"]
        assert start.hparams["batch_size"].number_value == trial["batch_size"]
        (value,) = events.Scalars("scores/objective/val_loss")
        assert value.value == pytest.approx(trial["value"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the packages themselves
def test_trials_are_runs_of_one_group_of_wandb_and_one_experiment_of_mlflow(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason='pip install -e ".[wandb]"')
    pytest.importorskip("mlflow", reason='pip install -e ".[mlflow]"')
    import wandb
    from mlflow.tracking import MlflowClient

    begun = []
    real = wandb.init
    monkeypatch.setattr(wandb, "init", lambda **given: begun.append(given) or real(**given))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    found = searched(tmp_path / "search", ("wandb", "mlflow"))
    assert [(one["name"], one["group"]) for one in begun] == [
        ("search-001", "search"),
        ("search-002", "search"),
    ]
    client = MlflowClient()
    group = client.get_experiment_by_name("search")
    runs = client.search_runs([group.experiment_id], order_by=["attributes.start_time"])
    assert sorted(run.info.run_name for run in runs) == ["001", "002"]
    drawn = {f"{t['trial']:03d}": t for t in found.summary["trials"]}
    for run in runs:
        trial = drawn[run.info.run_name]
        assert run.data.params["hyperparameters.optimizer"] == trial["optimizer"]
        assert run.data.metrics["scores/objective/val_loss"] == pytest.approx(trial["value"])


def test_an_unknown_logger_is_refused_before_data_are_read(tmp_path):
    with pytest.raises(OptionError, match="logger"):
        searched(tmp_path / "search", ("tensorbord",))
    assert not (tmp_path / "search").exists()
