"""Loggers write what happened, each read back by its own package, and never end a training."""

import csv
import json
import re
import struct
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

import cutaway as ct
from cutaway.cli.app import app
from cutaway.cli.train import train_command
from cutaway.errors import OptionError
from cutaway.runs import prepare, write_report
from cutaway.train import loggers as loggers_package
from cutaway.train.loggers import LOGGERS, Logger
from cutaway.train.loggers.job_thread import JobThread

GRADS_AND_WEIGHTS = ("weight", "weight_grad")
PAGE = Path(__file__).parents[2] / "docs" / "loggers.md"
SPECIFIC = [name for name in LOGGERS if LOGGERS[name].modules]


def importable(name):
    """Skip where a user left the extra out."""
    for module in LOGGERS[name].modules:
        pytest.importorskip(module, reason=f'pip install -e ".[{name}]"')


def rows():
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    return x, x.sum(axis=1, keepdims=True)


def trainer_of():
    ct.seed(0)
    net = ct.Sequential(ct.Linear(3, 4), ct.ReLU(), ct.Linear(4, 1))
    return ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.Adam(net, lr=0.01))


def train(*callbacks, epochs=3, trainer=None, **options):
    trainer = trainer_of() if trainer is None else trainer
    options = {"batch_size": 16, "validation": 0.25, "seed": 0, **options}
    trainer.fit(*rows(), epochs=epochs, callbacks=callbacks, progress=False, **options)
    return trainer


def logged(logger):
    """A trained Trainer and its Probes, with a value, a text and a file of the user's own."""
    probes = ct.Probes(*rows())
    with logger:
        trainer = train(probes, logger)
        logger.log("largest/weight", np.float32(0.5), step=9)
        logger.log_text("findings/dead_units", "2 of 4 units are dead")
        logger.log_file(__file__, "report.html")
        logger.log_scores({"validation": {"r2": 0.75, "of": "a text"}}, 3)
    assert logger.failure is None
    return trainer, probes


def columns(trainer):
    names = trainer.history.rows[0].keys() - {"epoch"}
    return {name: [row[name] for row in trainer.history.rows] for name in names}


def of_first_layer(probes):
    return [row["grad"] for row in probes.rows if row["layer"] == "0"]


def test_csv_holds_the_history_to_the_last_digit(tmp_path):
    logger = ct.loggers.CSV(tmp_path)
    trainer, probes = logged(logger)
    with (tmp_path / "epochs.csv").open() as file:
        found = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert found == trainer.history.rows
    with (tmp_path / "values.csv").open() as file:
        values = [(r["axis"], r["name"], float(r["value"])) for r in csv.DictReader(file)]
    assert [v for _, name, v in values if name == "probes/0/grad"] == of_first_layer(probes)
    assert values[-1] == ("step", "largest/weight", 0.5)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["optimizer"], config["batch_size"], config["seed"]) == ("Adam", 16, 0)
    assert config["versions"]["cutaway"] == ct.__version__
    assert json.loads((tmp_path / "scores.json").read_text()) == {"validation/r2": 0.75}
    assert "dead" in (tmp_path / "texts" / "findings-dead_units.txt").read_text()
    assert (tmp_path / "files" / "report.html").read_bytes() == Path(__file__).read_bytes()


def test_tensorboard_s_own_reader_finds_every_value(tmp_path):
    importable("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer, probes = logged(ct.loggers.TensorBoard(tmp_path))
    found = EventAccumulator(str(tmp_path)).Reload()
    for name, values in columns(trainer).items():
        events = found.Scalars(name)
        assert [event.step for event in events] == [1, 2, 3]
        assert [event.value for event in events] == [np.float32(value) for value in values]
    grads = [event.value for event in found.Scalars("probes/0/grad")]
    assert grads == [np.float32(value) for value in of_first_layer(probes)]
    assert [(e.step, e.value) for e in found.Scalars("largest/weight")] == [(9, 0.5)]
    assert [(e.step, e.value) for e in found.Scalars("scores/validation/r2")] == [(3, 0.75)]
    (text,) = found.Tensors("findings/dead_units")
    assert text.tensor_proto.string_val[0] == b"2 of 4 units are dead"
    assert b'"optimizer": "Adam"' in found.Tensors("config")[0].tensor_proto.string_val[0]


def wandb_records(path):
    """The records of a .wandb file: after 7 bytes, blocks of 32 KiB as LevelDB's log has them."""
    from wandb.proto import wandb_internal_pb2

    content, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 2**15 - place % 2**15 < 7:  # the rest of a block is filled
            place += 2**15 - place % 2**15
            continue
        _, size, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # the whole record, or its last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def finished_records(path):
    """All records, once the last is there, which W&B's own process writes a little later."""
    for _ in range(600):
        records = list(wandb_records(path))
        if any(record.HasField("exit") for record in records):
            return records
        time.sleep(0.1)
    raise AssertionError(f"{path} was not finished: {len(records)} records")


def test_tensorboard_s_own_reader_finds_histograms_of_weights_and_gradients(tmp_path):
    importable("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer, probes = logged(ct.loggers.TensorBoard(tmp_path))
    events = EventAccumulator(str(tmp_path), size_guidance={"histograms": 0}).Reload()
    names = {f"probes/{layer}/{name}/histogram" for layer in "02" for name in GRADS_AND_WEIGHTS}
    assert set(events.Tags()["histograms"]) == names
    found = events.Histograms("probes/0/weight/histogram")
    assert [one.step for one in found] == probes.steps
    last = found[-1].histogram_value
    weight = trainer.net[0].weight.numpy()
    assert (last.num, sum(last.bucket)) == (weight.size, weight.size)
    assert (last.min, last.max) == pytest.approx((weight.min(), weight.max()))
    counts, edges = np.histogram(weight, 30)
    assert list(last.bucket)[1:] == counts.tolist()
    np.testing.assert_allclose(list(last.bucket_limit), edges, rtol=1e-5)


def test_weights_and_biases_has_every_value_offline(tmp_path, monkeypatch):
    importable("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    logger = ct.loggers.WandB("trials", title="first", folder=tmp_path)
    trainer, probes = logged(logger)
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert logger.run in file.name
    records = finished_records(file)
    history = [
        {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in r.history.item}
        for r in records
        if r.HasField("history")
    ]
    epochs = [row for row in history if "loss" in row]
    for name, values in {"epoch": [1, 2, 3], **columns(trainer)}.items():
        assert [row[name] for row in epochs] == values
    grads = [row["probes/0/grad"] for row in history if "probes/0/grad" in row]
    assert grads == of_first_layer(probes)
    assert [row["step"] for row in history if "largest/weight" in row] == [9]
    drawn = [row for row in history if any(k.startswith("probes/0/weight/histogram") for k in row)]
    assert [row["step"] for row in drawn] == probes.steps
    (run,) = [r.run for r in records if r.HasField("run")]
    assert (run.project, run.display_name) == ("trials", "first")
    text = "".join(str(record.summary) for record in records)
    assert "2 of 4 units are dead" in text and "scores/validation/r2" in text
    (exit_code,) = [r.exit.exit_code for r in records if r.HasField("exit")]
    assert exit_code == 0


# of SQLAlchemy, about MLflow's own tables
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlflow_s_client_finds_every_value_in_sqlite(tmp_path, monkeypatch):
    importable("mlflow")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)  # its files are in the current folder
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path}/runs.db"
    logger = ct.loggers.MLflow(uri, experiment="trials", title="first")
    trainer, probes = logged(logger)
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("trials").experiment_id])
    assert (run.info.run_id, run.info.run_name) == (logger.run, "first")
    assert run.info.status == "FINISHED"
    for name, values in columns(trainer).items():
        found = client.get_metric_history(logger.run, name)
        assert [metric.step for metric in found] == [1, 2, 3]
        assert [metric.value for metric in found] == values
    grads = sorted(
        (m.step, m.value) for m in client.get_metric_history(logger.run, "probes/0/grad")
    )
    assert [value for _, value in grads] == of_first_layer(probes)
    assert run.data.metrics["largest/weight"] == 0.5
    assert run.data.metrics["scores/validation/r2"] == 0.75
    assert run.data.params["optimizer"] == "Adam"
    assert run.data.params["versions.cutaway"] == ct.__version__
    files = {file.path for file in client.list_artifacts(logger.run)}
    assert files == {"network.txt", "findings", "report.html"}
    logger.log("later", 2.0, step=10)  # after the end: it opens the run again, and closes it
    run = client.get_run(logger.run)
    assert (run.data.metrics["later"], run.info.status) == (2.0, "FINISHED")


class Failing(Logger):
    """Opens and fails at the second epoch; counts what it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def open(self, folder):
        self.asked.append("open")

    def write(self, axis, place, values):
        self.asked.append(place)
        if place == 2:
            raise OSError(28, "No space left on device")

    def end(self, status):
        self.asked.append(status)


def test_a_logger_that_fails_says_so_once_and_the_training_goes_on():
    logger = Failing()
    with pytest.warns(UserWarning) as told:
        trainer = train(logger)
    (warning,) = told
    assert "Failing failed at writing epoch 2" in str(warning.message)
    assert "No space left on device" in str(warning.message)
    assert "Check that there is room" in str(warning.message)
    assert trainer.epoch == 3
    assert logger.asked == ["open", 1, 2, "failed"]
    assert "No space left" in repr(logger)


def test_what_cannot_be_reached_is_said_with_what_to_do(monkeypatch):
    importable("wandb")

    def refused(**options):
        raise ConnectionError("no API key")

    monkeypatch.setattr("wandb.init", refused)
    with pytest.warns(UserWarning, match=r"WandB failed at opening.*API key.*WANDB_MODE=offline"):
        assert train(ct.loggers.WandB()).epoch == 3


def test_weights_with_a_logger_are_those_without_one_bit_for_bit(tmp_path):
    plain, written = train(epochs=12), train(ct.loggers.CSV(tmp_path), epochs=12)
    for path, value in plain.weights().items():
        np.testing.assert_array_equal(written.weights()[path], value)


def test_short_epochs_still_run_several_in_one_program(tmp_path):
    assert ct.loggers.CSV(tmp_path).next_look(trainer_of()) == float("inf")


def test_only_the_first_of_several_processes_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("cutaway.runtime.distributed.joining.process_index", lambda: 1)
    logger = ct.loggers.CSV(tmp_path / "second")
    train(logger)
    assert not logger.writes
    assert not (tmp_path / "second").exists()


class Recorded(Logger):
    """Remembers how it was closed."""

    status = None

    def open(self, folder):
        pass

    def write(self, axis, place, values):
        pass

    def end(self, status):
        self.status = status


def raising(error):
    def at_second_epoch(trainer, row):
        if row["epoch"] == 2:
            raise error

    return at_second_epoch


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("mine"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_a_logger_is_closed_also_after_an_error(error, status):
    logger = Recorded()
    with pytest.raises(type(error)):
        train(logger, raising(error))
    assert (logger.status, logger.is_open) == (status, False)


def test_an_error_that_is_handled_around_the_fit_is_none_of_the_training():
    logger = Recorded()
    try:
        raise ValueError("before")
    except ValueError:
        train(logger)
    assert logger.status == "finished"


def test_what_is_logged_after_the_end_is_added_and_another_fit_begins_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logger = ct.loggers.CSV()
    train(logger)
    logger.log("later", 2.0, step=10)
    assert (logger.run, logger.is_open) == ("logs/1/csv", False)
    assert Path("logs/1/csv/values.csv").read_text().splitlines()[1:] == ["step,10,later,2.0"]
    assert len(Path("logs/1/csv/epochs.csv").read_text().splitlines()) == 4
    train(logger)
    assert logger.run == "logs/2/csv"


def test_a_resumed_training_goes_on_in_the_same_file_with_each_epoch_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="mine"):
        train(ct.Checkpoints("c", every_seconds=0), ct.loggers.CSV(), raising(ValueError("mine")))
    train(ct.Checkpoints("c", resume=True), ct.loggers.CSV(), lambda trainer, row: None)
    (file,) = Path("logs").glob("*/csv/epochs.csv")
    assert [line.split(",")[0] for line in file.read_text().splitlines()] == ["epoch", *"123"]


def test_a_logger_added_on_resume_gets_the_earlier_epochs_and_early_stopping_its_best(tmp_path):
    first = [ct.EarlyStopping(None), ct.Checkpoints(tmp_path / "c")]
    train(*first)
    stopping, logger = ct.EarlyStopping(None), ct.loggers.CSV(tmp_path / "log")
    train(logger, stopping, ct.Checkpoints(tmp_path / "c", resume=True))
    assert stopping.best_epoch == first[0].best_epoch
    lines = (tmp_path / "log" / "epochs.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", *"123"]


def command(*names):
    train_command("no-such-file.csv", None, None, {}, out=None, resume=False, before=False,
                  log=names, as_json=True)  # fmt: skip


@pytest.mark.parametrize("name", SPECIFIC)
def test_a_package_that_is_missing_is_said_before_anything_is_read(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    with pytest.raises(OptionError, match="not installed") as raised:
        command("csv", name)
    assert f"[{name}]" in raised.value.fix


def test_an_unknown_logger_is_an_error_that_names_the_near_one():
    with pytest.raises(OptionError, match="tensorbord") as raised:
        command("tensorbord")
    assert 'did you mean "tensorboard"' in str(raised.value)


@pytest.mark.parametrize("name", LOGGERS)
def test_every_logger_is_public_and_stands_in_the_help_and_on_the_page(name):
    kind = LOGGERS[name]
    assert getattr(loggers_package, kind.__name__) is kind
    assert kind.__doc__ and kind.__doc__ != Logger.__doc__
    (log,) = [p for p in get_command(app).commands["train"].params if p.name == "log"]
    assert name in log.help
    assert f"| `{name}` |" in PAGE.read_text()


def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0], {})
    assert Path("logs/first/texts/note.txt").read_text() == "a first try\n"


def test_a_run_writes_its_config_scores_report_and_weights(tmp_path):
    experiment = prepare(None, epochs=2)
    with ct.loggers.CSV() as logger:
        run = experiment.train(tmp_path / "run", callbacks=[logger], progress=False)
        write_report(experiment, run)
    assert logger.run == str(tmp_path / "run" / "csv")
    folder = Path(logger.run)
    config = json.loads((folder / "config.json").read_text())
    assert config["fingerprint"] == run.config["fingerprint"]
    assert config["options"]["epochs"] == 2
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["validation/accuracy"] == run.metrics["validation"]["accuracy"]
    for path in (run.folder.report, run.folder.weights):
        assert (folder / "files" / path.name).read_bytes() == path.read_bytes()
    ct.Run.open(run.path)  # what a logger wrote there does no harm


def test_nothing_is_left_of_a_run_that_failed_before_its_first_epoch(tmp_path):
    class Refusing(ct.Callback):
        def on_chunk(self, trainer, done, total, loss):
            raise OptionError("refused")

    with pytest.raises(OptionError, match="refused"):
        prepare(None, epochs=2).train(
            tmp_path / "run", callbacks=[ct.loggers.CSV(), Refusing()], progress=False
        )
    assert not (tmp_path / "run").exists()


def test_background_jobs_keep_their_order_and_an_error_comes_back_to_the_caller():
    done = []
    thread = JobThread(done.extend)
    for k in range(100):
        thread.put(k)
    thread.close(10.0)
    assert done == list(range(100))

    def fail(jobs):
        raise OSError("gone")

    thread = JobThread(fail)
    thread.put(1)
    with pytest.raises(OSError, match="gone"):
        thread.close(10.0)


def test_values_that_are_no_number_are_refused_where_they_are_logged(tmp_path):
    with warnings.catch_warnings(), pytest.raises(OptionError, match="one number"):
        ct.loggers.CSV(tmp_path).log("name", "text", step=1)
