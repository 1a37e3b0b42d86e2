"""Measures DeepCTR-Torch's DIN at our sizes: rows a second of training steps, as a line of JSON.

Used as its documentation shows, in a plain loop: the model's own forward, its loss, PyTorch's SGD. The
library wants all histories padded to one length, which is the longest of all rows.
"""
import argparse
import json
import pathlib

import torch
import torch.nn.functional as F
from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
from deepctr_torch.models import DIN

import exported
from worker import RATE, rate_of

DIM = 64


def columns(goods, cates, longest):
    history = dict(maxlen=longest, length_name="length")
    return [
        SparseFeat("goods", goods, DIM, embedding_name="goods"),
        SparseFeat("cates", cates, DIM, embedding_name="cates"),
        VarLenSparseFeat(SparseFeat("hist_goods", goods, DIM, embedding_name="goods"), **history),
        VarLenSparseFeat(SparseFeat("hist_cates", cates, DIM, embedding_name="cates"), **history),
    ]


def padded(ids, lengths, longest):
    rows = [F.pad(row, (0, longest - len(row))) for row in ids.split(lengths.tolist())]
    return torch.stack(rows)


def inputs(rows, model, longest):
    """One matrix of all features, in the model's own order."""
    lengths = rows.offsets.diff()
    parts = {
        "goods": rows.candidate_goods[:, None],
        "cates": rows.candidate_cates[:, None],
        "hist_goods": padded(rows.goods, lengths, longest),
        "hist_cates": padded(rows.cates, lengths, longest),
        "length": lengths[:, None],
    }
    x = torch.cat([parts[name] for name in model.feature_index], 1).float()
    return x, rows.labels[:, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    batches = exported.read_batches(options.folder)
    weights = exported.read_weights(options.folder, "din")
    goods, cates = (len(weights["embedding/" + name]) for name in ("goods_id", "cate_id"))
    longest = max(int(rows.offsets.diff().max()) for rows in batches)
    model = DIN(
        columns(goods, cates, longest),
        ["goods", "cates"],
        dnn_hidden_units=(80, 40),
        att_hidden_size=(80, 40),
        att_activation="sigmoid",
        att_weight_normalization=True,
        dnn_activation="sigmoid",
        device="cpu",
    )
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step(x, labels):
        optimizer.zero_grad()
        F.binary_cross_entropy(model(x), labels).backward()
        optimizer.step()

    prepared = [inputs(rows, model, longest) for rows in batches]
    rate = rate_of(step, prepared, len(batches[0].labels), options.seconds)
    print(json.dumps({"samples_per_second": rate, "padded_to": longest}))


if __name__ == "__main__":
    main()
