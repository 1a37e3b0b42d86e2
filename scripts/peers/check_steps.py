"""Ten steps of SGD by us and by PyTorch, from the same weights on the same rows: compares all logits.

Each model is compared twice: from its initial weights, and from weights with noise on top, because small
initial weights hide faults in parts that the logits hardly depend on yet. DIN and BaseModel are compared
with `plain.py`; all five also with `models.py` ("written") and `autograd.py`, so that what is measured is
known to do the same work.
Exits with 1 when any logit is further off than 1e-4.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch

import exported
import fixture
import models
import plain
import worker

TOLERANCE = 1e-4
# Few rows that come round again, so that what a step does to the tables shows in later logits.
ROWS, BATCHES = 8, 2
# The softmax divides scores by 11, which would leave attention nearly uniform.
NOISE = {"embedding/goods_id": 1.0, "embedding/cate_id": 1.0, "activation_unit/rest/output/weight": 10.0}
OTHER_NOISE = 0.3


def ours(binary, model, folder, rate, steps):
    command = [binary, "steps", model, folder, "--rate", str(rate), "--steps", str(steps)]
    subprocess.run(command, check=True)
    tensors, _ = exported.read_tensors(folder / f"logits-{model}.safetensors")
    return [tensors[f"step-{step}"] for step in range(steps)]


def fast(kind, model, weights, batches, rate, steps):
    with worker.mode(kind):
        built = worker.KINDS[kind][model](weights, rate)
        goods = len(weights["embedding/goods_id"])
        prepared = [built.batch_of(rows, goods) for rows in batches]
        return [built.step(*prepared[step % len(prepared)]) for step in range(steps)]


def worst(left, right):
    """The largest difference; infinite for what is no number."""
    differences = [(a - b).abs().max().item() for a, b in zip(left, right, strict=True)]
    return max(d if d == d else float("inf") for d in differences)


def compare(binary, folder, rate, steps):
    """Prints a line a model and returns the largest difference of all."""
    random, largest = torch.Generator().manual_seed(1), 0.0
    batches = exported.read_batches(folder)
    print(f"{'model':<12}{'weights':<10}{'plain':>10}{'written':>10}{'autograd':>10}   largest difference of a logit")
    for model in models.MODELS:
        weights = exported.read_weights(folder, model)
        for kind in ("initial", "noisy"):
            if kind == "noisy":
                for name, values in weights.items():
                    size = NOISE.get(name, OTHER_NOISE)
                    values += size * (2 * torch.rand(values.shape, generator=random) - 1)
                exported.write_tensors(folder / f"weights-{model}.safetensors", weights)
            expected = ours(binary, model, folder, rate, steps)
            found = {
                peer: worst(expected, fast(peer, model, weights, batches, rate, steps))
                for peer in worker.KINDS
            }
            if model in ("din", "base_model"):
                found["plain"] = worst(expected, plain.train(model, weights, batches, rate, steps))
            cells = [
                f"{found[peer]:.1e}" if peer in found else "-" for peer in ("plain", *worker.KINDS)
            ]
            print(f"{model:<12}{kind:<10}" + "".join(f"{cell:>10}" for cell in cells), flush=True)
            largest = max(largest, *found.values())
    return largest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, help="the example `peers`, built")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--write-fixture", type=pathlib.Path, metavar="PATH")
    options = parser.parse_args()
    if options.write_fixture:
        fixture.write(options.write_fixture)
        return
    if not options.binary:
        parser.error("--binary is needed")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sizes = ["--rows", str(ROWS), "--batches", str(BATCHES)]
        subprocess.run([options.binary, "export", folder, *sizes], check=True)
        largest = compare(options.binary, folder, options.rate, options.steps)
    print(f"worst deviation {largest:.1e}, allowed {TOLERANCE:.0e}")
    if largest > TOLERANCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
