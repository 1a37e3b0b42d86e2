"""AUC by scikit-learn, and gAUC by pandas and scikit-learn as it is commonly written: seconds and values, as
a line of JSON. The rows are those that the example `peers` wrote with its command `gauc`.

`roc_auc_score` is called for each user with both classes, and users are weighted by their rows. That takes
minutes for some millions of rows, so that gAUC can be computed on the first rows only.
"""
import argparse
import json
import pathlib
import time

import pandas
from sklearn.metrics import roc_auc_score

import exported


def gauc(frame):
    def of_user(rows):
        if rows["label"].nunique() < 2:
            return None
        return roc_auc_score(rows["label"], rows["score"])

    users = frame.groupby("user")
    values = users[["label", "score"]].apply(of_user).astype(float).dropna()
    weights = users.size()[values.index]
    return (values * weights).sum() / weights.sum()


def timed(work, *arguments):
    begun = time.perf_counter()
    value = work(*arguments)
    return float(value), time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--gauc-rows", type=int, help="gAUC of these first rows; else of all")
    options = parser.parse_args()
    tensors, _ = exported.read_tensors(options.folder / "gauc.safetensors")
    columns = {name: values.numpy() for name, values in tensors.items()}
    labels, scores = columns["labels"].astype("int8"), columns["scores"]
    pooled, auc_seconds = timed(roc_auc_score, labels, scores)
    frame = pandas.DataFrame({"user": columns["users"], "label": labels, "score": scores})
    frame = frame[: options.gauc_rows]
    by_user, gauc_seconds = timed(gauc, frame)
    result = {
        "rows": len(labels),
        "gauc_rows": len(frame),
        "gauc": by_user,
        "gauc_seconds": gauc_seconds,
        "auc": pooled,
        "auc_seconds": auc_seconds,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
