"""One fit of RealMLP, by an interpreter that has pytabkit; needs nothing of Cutaway.

python realmlp_fit.py GIVEN.npz FOUND.npz
"""

import json
import re
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor


def frame_of(x, is_category, levels):
    """A pandas frame; the levels of categories are texts, "-1" for a missing one."""
    columns = {}
    for k in range(x.shape[1]):
        if not is_category[k]:
            columns[f"x{k}"] = x[:, k].astype(np.float32)
            continue
        codes = np.nan_to_num(x[:, k], nan=-1).astype(int)
        known = np.where(np.isin(codes, levels[k]), codes, -1)
        columns[f"x{k}"] = pd.Categorical(known.astype(str))
    return pd.DataFrame(columns)


def main(given, found):
    with np.load(given) as arrays:
        x, y, x_new = arrays["x"], arrays["y"], arrays["x_new"]
        is_category, asked = arrays["is_category"], json.loads(str(arrays["asked"]))
    levels = [np.unique(np.nan_to_num(column, nan=-1).astype(int)) for column in x.T]
    frame, new = frame_of(x, is_category, levels), frame_of(x_new, is_category, levels)
    kind = RealMLP_TD_Regressor if asked["is_regression"] else RealMLP_TD_Classifier
    model = kind(random_state=asked["seed"], **asked["options"])
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, y)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if asked["is_regression"]:
            outputs, classes = np.ravel(model.predict(new)), np.zeros(0)
        else:
            outputs, classes = model.predict_proba(new), np.asarray(model.classes_)
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    peak = int(match[1]) * 1024 if match else 0
    np.savez(found, outputs=outputs, classes=classes, cost=np.array([wall, cpu, peak]))


if __name__ == "__main__":
    main(*sys.argv[1:3])
