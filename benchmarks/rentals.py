"""Hourly rentals with dates as text: the network beside scikit-learn's, which is given the hour.

    python -m benchmarks.rentals [--seeds 3]

The table is made from a formula: a profile of the hour that differs between working days and
weekends, the season, temperature and weather, and Poisson noise. Cutaway reads the table as a file
whose dates are texts such as 2011-01-01 05:00:00; scikit-learn's MLP gets hour, weekday, month and
day as numbers and the hour one-hot, standardized. Prints root mean squared errors on the same test
rows, and that of the formula itself.
"""

import argparse
import datetime
import tempfile
import warnings
from pathlib import Path

import numpy as np
import polars as pl

from cutaway.runs import Run, prepare

HOURS = 2 * 365 * 24
TEST = 0.2
PEAKS = {  # (hour, height, width) of normal curves over the day
    False: ((8, 1.0, 1.0), (17.5, 1.3, 1.6), (13, 0.45, 3.0)),
    True: ((14, 1.0, 3.5), (11, 0.35, 2.0)),
}
WEATHER = {"clear": 1.0, "mist": 0.85, "rain": 0.45, "storm": 0.15}


def rentals(seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """(the table, the mean of each count)."""
    rng = np.random.default_rng(seed)
    first = datetime.datetime(2011, 1, 1)
    times = [first + datetime.timedelta(hours=k) for k in range(HOURS)]
    hour = np.array([t.hour for t in times])
    weekend = np.array([t.weekday() > 4 for t in times])
    day = np.arange(HOURS) / 24
    summer = -np.cos(2 * np.pi * (day - 15) / 365.25)  # -1 in January
    temperature = 14 + 12 * summer + 4 * np.sin(2 * np.pi * (hour - 9) / 24)
    temperature += rng.normal(0, 3, HOURS)
    weather = rng.choice(list(WEATHER), HOURS, p=[0.62, 0.25, 0.12, 0.01])
    profile = np.zeros(HOURS)
    for rests, peaks in PEAKS.items():
        for center, height, width in peaks:
            part = height * np.exp(-0.5 * ((hour - center) / width) ** 2)
            profile += np.where(weekend == rests, part, 0)
    mean = 15 + 420 * profile * (0.75 + 0.25 * summer) * (1 + 0.15 * day / 365)
    mean *= np.vectorize(WEATHER.get)(weather) * np.clip(0.5 + temperature / 30, 0.3, 1.3)
    table = pl.DataFrame(
        {
            "datetime": [f"{t:%Y-%m-%d %H:%M:%S}" for t in times],
            "weather": weather,
            "temperature": temperature.round(1),
            "humidity": rng.integers(25, 100, HOURS),
            "count": rng.poisson(mean),
        }
    )
    return table, mean


def features_of(table: pl.DataFrame) -> np.ndarray:
    """What scikit-learn's network is given: (rows, features)."""
    times = table["datetime"].str.to_datetime()
    parts = [times.dt.hour(), times.dt.weekday(), times.dt.month(), times.dt.ordinal_day()]
    parts += [times.dt.year(), table["temperature"], table["humidity"]]
    numbers = np.stack([p.to_numpy().astype(float) for p in parts], axis=1)
    levels = np.stack([(table["weather"] == name).to_numpy() for name in WEATHER], axis=1)
    hours = (times.dt.hour().to_numpy()[:, None] == np.arange(24)).astype(float)
    weekend = (times.dt.weekday().to_numpy() > 5)[:, None]
    return np.concatenate([numbers, levels, hours, weekend], axis=1).astype(float)


def beside(seed: int) -> dict[str, float]:
    """{name: root mean squared error on the test rows}."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table, mean = rentals(seed)
    order = np.random.default_rng(seed).permutation(len(table))
    test, known = np.sort(order[: int(TEST * HOURS)]), np.sort(order[int(TEST * HOURS) :])
    truth = table["count"].to_numpy()

    def error(predicted):
        return float(np.sqrt(np.mean((predicted - truth[test]) ** 2)))

    with tempfile.TemporaryDirectory() as folder:
        table[known].write_csv(Path(folder, "rentals.csv"))
        table[test].drop("count").write_csv(Path(folder, "new.csv"))
        prepare(Path(folder, "rentals.csv"), "count", seed=seed).train(
            Path(folder, "run"), progress=False
        )
        predicted, _ = Run.open(Path(folder, "run")).predict(Path(folder, "new.csv"))
    x = features_of(table)
    scaler = StandardScaler().fit(truth[known, None])
    network = MLPRegressor(
        hidden_layer_sizes=(128, 128), early_stopping=True, max_iter=300, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = make_pipeline(StandardScaler(), network)
        network.fit(x[known], scaler.transform(truth[known, None])[:, 0])
    rival = scaler.inverse_transform(network.predict(x[test])[:, None])[:, 0]
    return {
        "cutaway": error(predicted["prediction"].to_numpy()),
        "scikit-learn": error(rival),
        "formula": error(mean[test]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    for seed in range(parser.parse_args().seeds):
        found = beside(seed)
        ratio = found["cutaway"] / found["scikit-learn"]
        shown = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
        print(f"seed {seed}: RMSE {shown}; {ratio:.3f} times scikit-learn's", flush=True)


if __name__ == "__main__":
    main()
