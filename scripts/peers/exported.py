"""Reads what the example `peers` exports: tensors, and rows cut into batches ready for the models."""
import json
import struct
from types import SimpleNamespace

import numpy as np
import torch

FILE_KINDS = {"F32": np.dtype("<f4"), "U32": np.dtype("<u4")}
# PyTorch looks up by int64 only.
KINDS = {"F32": np.float32, "U32": np.int64}


def read_tensors(path):
    """All tensors of a safetensors file by name, and its metadata."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[start:end], FILE_KINDS[entry["dtype"]])
        values = values.astype(KINDS[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values)
    return tensors, metadata


def read_weights(folder, model):
    return read_tensors(folder / f"weights-{model}.safetensors")[0]


def read_batches(folder):
    """The rows, cut into batches: labels, offsets of the behaviors, and the ids of both groups."""
    tensors, metadata = read_tensors(folder / "batches.safetensors")
    rows = int(metadata["rows"])
    batches = []
    for start in range(0, len(tensors["labels"]), rows):
        offsets = tensors["offsets"][start : start + rows + 1]
        events = slice(int(offsets[0]), int(offsets[-1]))
        batches.append(
            SimpleNamespace(
                labels=tensors["labels"][start : start + rows],
                offsets=offsets - offsets[0],
                goods=tensors["goods"][events],
                cates=tensors["cates"][events],
                candidate_goods=tensors["candidate_goods"][start : start + rows],
                candidate_cates=tensors["candidate_cates"][start : start + rows],
            )
        )
    return batches


def write_tensors(path, tensors):
    """A safetensors file of float32 tensors."""
    header, end = {}, 0
    for name, values in tensors.items():
        start, end = end, end + 4 * values.numel()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(values.float().contiguous().numpy().tobytes())
