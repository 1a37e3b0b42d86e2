"""A small case with PyTorch's logits over ten steps, for the test `pytorch_steps` of `crates/train`."""
import json
import os
from types import SimpleNamespace

import torch

import plain

GOODS, CATEGORIES, DIM = 30, 5, 4
HIDDEN, UNIT_HIDDEN = [6, 4], [5, 3]
RATE, STEPS = 0.5, 10
# Three batches of eight rows; a row without behaviors in each, one of many in the second.
LENGTHS = [[3, 1, 0, 5, 2, 2, 4, 1], [1, 12, 0, 2, 3, 1, 6, 2], [2, 2, 1, 0, 4, 3, 1, 1]]


def shapes(model):
    width, blocks = 2 * DIM, 3 if model == "din" else 2
    layers = {"user/projection": (width, width)}
    layers |= chain("mlp", blocks * width, HIDDEN, ["0", "1", "output"])
    if model == "din":
        layers |= chain(
            "activation_unit", 4 * width, UNIT_HIDDEN, ["first", "rest/0", "rest/output"]
        )
    result = {
        "embedding/goods_id": (GOODS + 1, DIM),
        "embedding/cate_id": (CATEGORIES + 1, DIM),
        "item_bias": (GOODS + 1, 1),
    }
    for name, columns in (("user", width), ("mlp", blocks * width)):
        for part in ("gamma", "beta"):
            result[f"{name}/normalization/{part}"] = (1, columns)
    for name, (inputs, outputs) in layers.items():
        result[name + "/weight"], result[name + "/bias"] = (inputs, outputs), (1, outputs)
    return result


def chain(scope, inputs, hidden, names):
    widths = [inputs, *hidden, 1]
    return {f"{scope}/{name}": pair for name, pair in zip(names, zip(widths, widths[1:]))}


def rows_of(lengths, random):
    """Random rows; good g has category 1 + g % 5."""
    draw = lambda count: torch.randint(1, GOODS + 1, (count,), generator=random)
    goods, candidates = draw(sum(lengths)), draw(len(lengths))
    return SimpleNamespace(
        labels=torch.randint(0, 2, (len(lengths),), generator=random).float(),
        offsets=torch.tensor([0, *lengths]).cumsum(0),
        goods=goods,
        cates=1 + goods % CATEGORIES,
        candidate_goods=candidates,
        candidate_cates=1 + candidates % CATEGORIES,
    )


def initial(name, shape, random):
    """Large enough for every part to matter, with few digits."""
    values = torch.rand(shape, generator=random, dtype=torch.float64) * 2 - 1
    if name.endswith("gamma"):
        values = 1 + 0.5 * values
    elif name.startswith("activation_unit"):
        values = 3 * values
    # What the Rust side reads is the nearest float32.
    return torch.tensor([round(value, 3) for value in values.flatten().tolist()]).view(shape).double()


def compute():
    random = torch.Generator().manual_seed(1)
    batches = [rows_of(lengths, random) for lengths in LENGTHS]
    models = {}
    for model in ("din", "base_model"):
        weights = {name: initial(name, shape, random) for name, shape in shapes(model).items()}
        logits = plain.train(model, weights, batches, RATE, STEPS)
        models[model] = {
            "weights": {
                name: {"shape": list(values.shape), "values": rounded(values, 3)}
                for name, values in weights.items()
            },
            "logits": [rounded(values, 8) for values in logits],
        }
    return {
        "torch": torch.__version__.split("+")[0],
        "goods": GOODS,
        "categories": CATEGORIES,
        "embedding_dim": DIM,
        "hidden_units": HIDDEN,
        "unit_hidden_units": UNIT_HIDDEN,
        "rate": RATE,
        "batches": [{name: values.tolist() for name, values in vars(b).items()} for b in batches],
        "models": models,
    }


def rounded(values, digits):
    return [round(value, digits) for value in values.flatten().tolist()]


def write(path):
    """One line a list, so that a change can be read."""
    text, nested = json.dumps(compute(), indent=1), 0
    lines = []
    for line in text.splitlines():
        inner = line.strip()
        if nested == 0:
            lines.append(line)
        else:
            lines[-1] += ("" if inner[0] == "]" or lines[-1].endswith("[") else " ") + inner
        nested += inner.count("[") - inner.count("]")
    temporary = path.with_name("." + path.name + ".writing")
    temporary.write_text("\n".join(lines) + "\n")
    os.replace(temporary, path)
