"""Batches for `models.py`, with all that can be put together before a step."""
from typing import NamedTuple

import torch
from torch import Tensor


class Bags(NamedTuple):
    """For the models that pool before they compute: each row's goods, its categories, and the candidate's
    two ids are bags of the table."""

    labels: Tensor
    candidates: Tensor
    ids: Tensor
    offsets: Tensor
    shares: Tensor
    # The same turned around: each distinct id, and the bags it is in.
    distinct: Tensor
    back_bags: Tensor
    back_offsets: Tensor
    back_shares: Tensor


class Events(NamedTuple):
    """For DIN: pairs of goods and category, all behaviors and then all candidates."""

    labels: Tensor
    candidates: Tensor
    pairs: Tensor
    # Bags of one id: `embedding_bag` prefetches and is therefore a faster lookup than `index_select`.
    single: Tensor
    # Each behavior's row, its own position, and where each row begins.
    row: Tensor
    places: Tensor
    offsets: Tensor


def from_zero(counts):
    return torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])


def table_ids(rows, goods_in_table):
    """Ids of behaviors and candidates in the one table of goods and, after them, categories."""
    behaviors = torch.stack([rows.goods, rows.cates + goods_in_table], 1)
    return behaviors, torch.stack([rows.candidate_goods, rows.candidate_cates + goods_in_table], 1)


def events(rows, goods_in_table):
    behaviors, candidates = table_ids(rows, goods_in_table)
    pairs = torch.cat([behaviors, candidates]).flatten()
    lengths = rows.offsets.diff()
    row = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    single, places = torch.arange(len(pairs) + 1), torch.arange(len(row))
    return Events(rows.labels, rows.candidate_goods, pairs, single, row, places, rows.offsets)


def bags(rows, goods_in_table):
    behaviors, candidates = table_ids(rows, goods_in_table)
    lengths = rows.offsets.diff()
    parts = behaviors.split(lengths.tolist())
    ids = torch.cat([part.t().flatten() for part in parts] + [candidates.flatten()])
    counts = torch.cat([lengths.repeat_interleave(2), torch.ones(candidates.numel(), dtype=torch.long)])
    bag = torch.repeat_interleave(torch.arange(len(counts)), counts)
    shares = 1 / counts[bag].float()
    distinct, position = ids.unique(return_inverse=True)
    order = position.argsort()
    return Bags(
        rows.labels,
        rows.candidate_goods,
        ids,
        from_zero(counts),
        shares,
        distinct,
        bag[order],
        from_zero(position.bincount()),
        shares[order],
    )
