"""Writes rows.csv and values.csv beside this file: the metrics as scikit-learn computes them.

Run with `python3 make.py`; needs numpy and scikit-learn. The output names the version.
"""
import csv
import pathlib

import numpy as np
import sklearn
from sklearn.metrics import log_loss, roc_auc_score

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(2018)
rows = 1000
users = rng.integers(0, 120, rows)
labels = (rng.random(rows) < 0.3).astype(int)
# Two decimals make many ties; every number below is exact in the file as float32.
logits = np.round(rng.normal(labels * 0.8 - 0.5, 1.0), 2).astype(np.float32)
# One user of each class only.
labels[users == 3] = 1
labels[users == 4] = 0
probabilities = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
probabilities[0], labels[0] = 0.0, 1  # clipped

per_user = []
for user in np.unique(users):
    mine = users == user
    y, s = labels[mine], logits[mine]
    if 0 < y.sum() < len(y):
        strict = np.mean([p > n for p in s[y == 1] for n in s[y == 0]])
        per_user.append((roc_auc_score(y, s), strict, len(y), y.sum()))
auc, strict, impressions, positives = map(np.array, zip(*per_user))
values = {
    "auc": roc_auc_score(labels, logits),
    "gauc_paper": np.average(auc, weights=impressions),
    "gauc_authors": np.mean(strict),
    "gauc_fuxictr": np.average(auc, weights=impressions),
    "gauc_recbole": np.average(auc, weights=positives),
    "log_loss_probabilities": log_loss(labels, probabilities),
    "log_loss_logits": log_loss(labels, 1 / (1 + np.exp(-logits.astype(np.float64)))),
    "users_counted": len(per_user),
    "rows_counted": impressions.sum(),
}
with open(HERE / "rows.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["user", "label", "logit", "probability"])
    for row in zip(users, labels, logits, probabilities):
        out.writerow([row[0], row[1], f"{row[2]:.9g}", f"{row[3]:.9g}"])
with open(HERE / "values.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["name", f"value with scikit-learn {sklearn.__version__}"])
    for name, value in values.items():
        out.writerow([name, repr(float(value))])
