"""Writes models.json beside this file: logits of every model, computed in float64 with numpy alone.

Written from the papers' equations and from what the authors' code does, not from the Rust: one row at a
time, no batching, no split of matrices. Run with `python3 models.py`.

Both sides fill every tensor with the same numbers: value k of the tensor called NAME is
A sin(0.7 k + 0.013 k^2 + FNV-1a(NAME) mod 1000), as float32; A is 1.2 in the activation unit, so that
attention is not nearly uniform, and 0.8 elsewhere. Running statistics called NAME have the means of the
tensor NAME/mean and the variances 0.3 + v^2 with v of the tensor NAME/variance, as float32 too.
"""
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
GOODS, CATEGORIES, DIM = 20, 5, 4
HIDDEN, UNIT_HIDDEN, BUCKETS = [7, 5], [6, 3], 97
# Repeated goods, an empty history, one behavior that is the candidate itself, a long one.
HISTORIES = [[3, 7, 3], [], [12], [1, 2, 4, 8, 16, 20, 19, 18], [20, 20], [5, 9, 11, 5]]
CANDIDATES = [7, 3, 12, 19, 20, 6]
# SplitMix64.
GOLDEN, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def category(good):
    return 1 + 3 * good % CATEGORIES


def single(values):
    """What is left of float64 numbers in a float32."""
    return values.astype(np.float32).astype(np.float64)


def filled(name, count):
    phase = 0x811C9DC5
    for byte in name.encode():
        phase = (phase ^ byte) * 0x01000193 % 2**32
    k = np.arange(count, dtype=np.float64)
    amplitude = 1.2 if name.startswith("activation_unit/") else 0.8
    return single(amplitude * np.sin(0.7 * k + 0.013 * k * k + phase % 1000))


class Weights:
    """Gives tensors by name and keeps a list of those that were asked for."""

    def __init__(self):
        self.tensors, self.statistics = {}, {}

    def tensor(self, name, rows, columns):
        assert self.tensors.setdefault(name, [rows, columns]) == [rows, columns]
        return filled(name, rows * columns).reshape(rows, columns)

    def vector(self, name, columns):
        return self.tensor(name, 1, columns)[0]

    def running(self, name, columns):
        self.statistics[name] = columns
        variance = single(0.3 + filled(name + "/variance", columns) ** 2)
        return filled(name + "/mean", columns), variance


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def activate(w, name, kind, s):
    if kind == "sigmoid":
        return sigmoid(s)
    if kind == "prelu":  # equation 8
        alpha = w.vector(name + "/prelu/alpha", len(s))
        return np.where(s > 0, s, alpha * s)
    alpha = w.vector(name + "/dice/alpha", len(s))
    if kind == "dice":  # equation 9 at test: moving averages
        mean, variance = w.running(name + "/dice/statistics", len(s))
        p = 1 / (1 + np.exp(-(s - mean) / np.sqrt(variance + 1e-8)))
    else:  # the authors' code: a batch normalization that never trains, without center
        p = sigmoid(w.vector(name + "/dice/beta", len(s)) * s / np.sqrt(1.001))
    return p * s + (1 - p) * alpha * s


def dense(w, name, x, units):
    return x @ w.tensor(name + "/weight", x.shape[-1], units) + w.vector(name + "/bias", units)


def normalize(w, name, kind, x):
    if kind == "none":
        return x
    gamma = w.vector(name + "/normalization/gamma", len(x))
    beta = w.vector(name + "/normalization/beta", len(x))
    if kind == "frozen":  # TensorFlow 1 with training=False: mean 0, variance 1, epsilon 0.001
        return gamma * x / np.sqrt(1.001) + beta
    mean, variance = w.running(name + "/normalization/statistics", len(x))
    return gamma * (x - mean) / np.sqrt(variance + 0.001) + beta


def embed(w, good):
    goods = w.tensor("embedding/goods_id", GOODS + 1, DIM)
    categories = w.tensor("embedding/cate_id", CATEGORIES + 1, DIM)
    return np.concatenate([goods[good], categories[category(good)]])


def pool(vectors, kind, width):
    """Equation 1; nothing to pool is zero."""
    total = np.zeros(width)
    for vector in vectors:
        total = total + vector
    return total / len(vectors) if kind == "mean" and len(vectors) else total


def linear(w, scope, history, good, pooling):
    """Logistic regression on the features of each field, first-order part of a factorization machine."""
    def of(group):
        goods = w.tensor(f"{scope}/{group}/goods_id", GOODS + 1, 1)[:, 0]
        return goods, w.tensor(f"{scope}/{group}/cate_id", CATEGORIES + 1, 1)[:, 0]

    goods, categories = of("candidate")
    logit = w.vector(scope + "/bias", 1)[0] + goods[good] + categories[category(good)]
    goods, categories = of("behaviors")
    logit += pool([goods[[b]] for b in history], pooling, 1)[0]
    return logit + pool([categories[[category(b)]] for b in history], pooling, 1)[0]


def attention(w, o, behaviors, candidate):
    """The local activation unit and equation 3."""
    q, scores = candidate, []
    for k in behaviors:
        if o["inputs"] == "with_difference":  # authors' code
            x = np.concatenate([q, k, q - k, q * k])
        else:  # paper
            x = np.concatenate([q, k, q * k])
        for index, units in enumerate(UNIT_HIDDEN):
            name = "activation_unit/" + ("first" if index == 0 else f"rest/{index - 1}")
            x = activate(w, name, o["unit_activation"], dense(w, name, x, units))
        scores.append(dense(w, "activation_unit/rest/output", x, 1)[0])
    if not scores:
        return np.zeros(2 * DIM)
    scores = np.array(scores)
    if o["attention"] != "none":
        if o["attention"] == "scaled_softmax":
            scores = scores / np.sqrt(len(candidate))
        scores = np.exp(scores) / np.exp(scores).sum()
    return sum(weight * behavior for weight, behavior in zip(scores, behaviors))


def gru(w, o, behaviors):
    """Cho et al. (2014) in the form of PyTorch's nn.GRU, oldest behavior first.

    On these histories within 1.5e-7 of the operator GRU of ONNX Runtime 1.32 with linear_before_reset = 1.
    """
    units = o["units"]
    state, states = np.zeros(units), []
    for x in behaviors:
        given = dense(w, "gru/input", x, 3 * units).reshape(3, units)
        kept = (state @ w.tensor("gru/recurrent/weight", units, 3 * units)).reshape(3, units)
        reset, update = sigmoid(given[0] + kept[0]), sigmoid(given[1] + kept[1])
        new = np.tanh(given[2] + reset * (kept[2] + w.vector("gru/recurrent/bias", units)))
        state = (1 - update) * new + update * state
        states.append(state)
    if o["readout"] == "mean":
        state = pool(states, "mean", units)
    return state if units == 2 * DIM else dense(w, "gru/output", state, 2 * DIM)


def layer_normalize(w, name, x):
    gamma = w.vector(name + "/normalization/gamma", len(x))
    beta = w.vector(name + "/normalization/beta", len(x))
    return gamma * (x - x.mean()) / np.sqrt(x.var() + 1e-5) + beta


def transformer(w, o, behaviors, candidate):
    """BST, equations 2 to 6: all elements through all blocks, whatever is read of them."""
    sequence = np.array(behaviors + [candidate])
    if o["position_dim"]:
        table = w.tensor("transformer/positions", o["positions"] + 1, o["position_dim"])
        ranks = np.minimum(np.arange(len(sequence))[::-1], o["positions"])
        sequence = np.concatenate([sequence, table[ranks]], axis=1)
    width = sequence.shape[1]
    part = -(-width // o["heads"])
    for block in range(o["blocks"]):
        name = f"transformer/{block}/attention"
        query = dense(w, name + "/query", sequence, part * o["heads"])
        key = sequence @ w.tensor(name + "/key/weight", width, part * o["heads"])
        value = dense(w, name + "/value", sequence, part * o["heads"])
        heads = []
        for start in range(0, part * o["heads"], part):
            columns = slice(start, start + part)
            scores = np.exp(query[:, columns] @ key[:, columns].T / np.sqrt(part))
            heads.append(scores / scores.sum(axis=1, keepdims=True) @ value[:, columns])
        sequence = sequence + dense(w, name + "/output", np.concatenate(heads, axis=1), width)
        if o["layer_normalization"]:
            sequence = np.array([layer_normalize(w, name, row) for row in sequence])
        name = f"transformer/{block}/feed_forward"
        hidden = dense(w, name + "/inner", sequence, width)
        hidden = np.where(hidden > 0, hidden, 0.01 * hidden)
        sequence = sequence + dense(w, name + "/outer", hidden, width)
        if o["layer_normalization"]:
            sequence = np.array([layer_normalize(w, name, row) for row in sequence])
    read = sequence[-1] if o["readout"] == "candidate" else sequence.mean(axis=0)
    return dense(w, "transformer/output", read, 2 * DIM)


def cross(left, right):
    """One of the buckets 1 to BUCKETS - 1: SplitMix64 begun at the pair of ids."""
    z = ((left << 32 | right) + GOLDEN) % 2**64
    z = (z ^ z >> 30) * MIX_1 % 2**64
    z = (z ^ z >> 27) * MIX_2 % 2**64
    return 1 + (z ^ z >> 31) % (BUCKETS - 1)


def wide(w, kind, history, good, user, candidate):
    if kind == "authors_products":  # 0, 127 and 64 of 128
        product = user * candidate
        width = len(product)
        three = np.array([product[0], product[width - 1], product[width // 2]])
        return dense(w, "wide/dense", three, 1)[0]
    goods = w.tensor("wide/cross_goods_id", BUCKETS, 1)[:, 0]
    categories = w.tensor("wide/cross_cate_id", BUCKETS, 1)[:, 0]
    return sum(
        goods[cross(b, good)] + categories[cross(category(b), category(good))] for b in history
    )


def machine(w, kind, history, good, user, candidate, pooling):
    if kind == "authors":
        return dense(w, "fm/dense", np.array([user @ candidate, user[0] + candidate[0]]), 1)[0]
    fields = [vector[start:start + DIM] for vector in (user, candidate) for start in (0, DIM)]
    second = sum(fields[i] @ fields[j] for i in range(4) for j in range(i + 1, 4))
    return linear(w, "fm/linear", history, good, pooling) + second


def logit(w, o, history, good):
    if o["model"] == "lr":
        return linear(w, "linear", history, good, o["pooling"])
    behaviors, candidate = [embed(w, b) for b in history], embed(w, good)
    if o["model"] == "din":
        user = attention(w, o, behaviors, candidate)
    elif o["model"] == "gru":
        user = gru(w, o, behaviors)
    elif o["model"] == "bst":
        user = transformer(w, o, behaviors, candidate)
    else:
        user = pool(behaviors, o["pooling"], 2 * DIM)
    user = normalize(w, "user", o["normalization"], user)
    if o["user_projection"]:
        user = dense(w, "user/projection", user, 2 * DIM)
    blocks = [user, candidate] + ([user * candidate] if o["product"] else [])
    x = normalize(w, "mlp", o["normalization"], np.concatenate(blocks))
    for index, units in enumerate(HIDDEN):
        x = activate(w, f"mlp/{index}", o["activation"], dense(w, f"mlp/{index}", x, units))
    result = dense(w, "mlp/output", x, 1)[0]
    if o["item_bias"]:
        result += w.tensor("item_bias", GOODS + 1, 1)[good, 0]
    if "wide" in o:
        result += wide(w, o["wide"], history, good, user, candidate)
    if "machine" in o:
        result += machine(w, o["machine"], history, good, user, candidate, o["pooling"])
    return result


AUTHORS = dict(pooling="mean", activation="sigmoid", normalization="frozen", user_projection=True,
               item_bias=True, product=False)
PAPER = dict(pooling="sum", activation="prelu", normalization="none", user_projection=False,
             item_bias=False, product=False)
DIN = dict(AUTHORS, model="din", product=True, unit_activation="sigmoid", inputs="with_difference",
           attention="scaled_softmax")
GRU = dict(AUTHORS, model="gru", product=True, units=2 * DIM, readout="last")
BST = dict(AUTHORS, model="bst", product=True, blocks=1, heads=2, positions=5, position_dim=DIM,
           layer_normalization=True, readout="candidate")
CASES = {
    "lr_sum": dict(model="lr", pooling="sum"),
    "lr_mean": dict(model="lr", pooling="mean"),
    "base_model_authors": dict(AUTHORS, model="base_model"),
    "base_model_paper": dict(PAPER, model="base_model"),
    "wide_deep_authors": dict(AUTHORS, model="wide_deep", wide="authors_products"),
    "wide_deep_paper": dict(PAPER, model="wide_deep", wide="crosses"),
    "pnn_authors": dict(AUTHORS, model="pnn", product=True),
    "pnn_paper": dict(PAPER, model="pnn", product=True),
    "deepfm_authors": dict(AUTHORS, model="deepfm", machine="authors"),
    "deepfm_paper": dict(PAPER, model="deepfm", machine="paper"),
    "deepfm_mixed": dict(AUTHORS, model="deepfm", machine="paper"),
    "din_authors": DIN,
    "din_paper": dict(PAPER, model="din", unit_activation="prelu", inputs="paper",
                      attention="none"),
    "din_with_dice": dict(DIN, activation="dice"),
    "din_dice_everywhere": dict(DIN, activation="dice", unit_activation="dice",
                                attention="softmax"),
    "din_dice_authors": dict(DIN, activation="dice_authors", unit_activation="dice_authors"),
    "din_batch_normalization": dict(DIN, normalization="batch"),
    "gru_last": GRU,
    "gru_mean": dict(GRU | PAPER, units=5, readout="mean"),
    "bst_candidate": BST,
    "bst_bars": dict(BST, layer_normalization=False, product=False),
    "bst_mean": dict(BST | PAPER, blocks=2, heads=5, readout="mean"),
    "bst_unordered": dict(BST, position_dim=0),
}

cases = {}
for name, options in CASES.items():
    w = Weights()
    logits = [logit(w, options, *row) for row in zip(HISTORIES, CANDIDATES)]
    cases[name] = dict(logits=logits, tensors=w.tensors, statistics=w.statistics)
file = dict(
    numpy=np.__version__,
    histories=HISTORIES,
    candidates=CANDIDATES,
    categories=[0] + [category(good) for good in range(1, GOODS + 1)],
    cases=cases,
)
text = json.dumps(file, indent=1)
# One line a list: numbers next to each other, not below.
lines, depth = [], 0
for line in text.splitlines():
    inner = line.strip()
    gap = "" if not lines or inner[0] == "]" or lines[-1].endswith("[") else " "
    lines.append("\n" + line if depth == 0 else gap + inner)
    depth += inner.count("[") - inner.count("]")
HERE.joinpath("models.json").write_text("".join(lines).strip() + "\n")
