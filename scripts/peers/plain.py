"""DIN and BaseModel as one would write them down, for comparison of results: padded, masked, dense autograd.

Shares nothing with `models.py`: the attention unit sees [q, k, q - k, q * k] as one vector, and SGD subtracts
the gradient of every weight.
"""
import math

import torch
import torch.nn.functional as F


def dense(w, name, x):
    return x @ w[name + "/weight"] + w[name + "/bias"][0]


def frozen_normalization(w, name, x):
    """TensorFlow 1's batch normalization that never trains: mean 0, variance 1, epsilon 0.001."""
    gamma, beta = w[name + "/normalization/gamma"][0], w[name + "/normalization/beta"][0]
    return gamma * x / math.sqrt(1.001) + beta


def embed(w, goods, cates):
    return torch.cat([w["embedding/goods_id"][goods], w["embedding/cate_id"][cates]], -1)


def padded_history(rows):
    """Goods and categories as rows x longest history, and which of them are real."""
    lengths = rows.offsets.diff()
    longest = max(1, int(lengths.max()))
    goods, cates = (
        torch.stack([F.pad(row, (0, longest - len(row))) for row in ids.split(lengths.tolist())])
        for ids in (rows.goods, rows.cates)
    )
    return goods, cates, torch.arange(longest) < lengths[:, None]


def attention(w, behaviors, real, candidate):
    q = candidate[:, None, :].expand_as(behaviors)
    x = torch.cat([q, behaviors, q - behaviors, q * behaviors], -1)
    x = torch.sigmoid(dense(w, "activation_unit/first", x))
    x = torch.sigmoid(dense(w, "activation_unit/rest/0", x))
    scores = dense(w, "activation_unit/rest/output", x)[..., 0] / math.sqrt(candidate.shape[-1])
    # Times `real` once more for rows without any behavior.
    shares = torch.softmax(scores.masked_fill(~real, -1e30), 1) * real
    return (shares[..., None] * behaviors).sum(1)


def logits(model, w, rows):
    goods, cates, real = padded_history(rows)
    behaviors = embed(w, goods, cates)
    candidate = embed(w, rows.candidate_goods, rows.candidate_cates)
    if model == "din":
        user = attention(w, behaviors, real, candidate)
    else:
        counts = real.sum(1, keepdim=True).clamp(min=1)
        user = (behaviors * real[..., None]).sum(1) / counts
    user = dense(w, "user/projection", frozen_normalization(w, "user", user))
    blocks = [user, candidate] + ([user * candidate] if model == "din" else [])
    x = frozen_normalization(w, "mlp", torch.cat(blocks, 1))
    x = torch.sigmoid(dense(w, "mlp/0", x))
    x = torch.sigmoid(dense(w, "mlp/1", x))
    return dense(w, "mlp/output", x)[:, 0] + w["item_bias"][rows.candidate_goods, 0]


def train(model, weights, batches, rate, steps):
    """Logits of each batch before its step; the batches come round again."""
    w = {name: values.clone().requires_grad_() for name, values in weights.items()}
    result = []
    for step in range(steps):
        rows = batches[step % len(batches)]
        found = logits(model, w, rows)
        labels = rows.labels.to(found.dtype)
        loss = F.binary_cross_entropy_with_logits(found, labels)
        gradients = torch.autograd.grad(loss, list(w.values()))
        with torch.no_grad():
            for values, gradient in zip(w.values(), gradients):
                values -= rate * gradient
        result.append(found.detach())
    return result
