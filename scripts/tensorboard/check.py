"""Compares event files, as TensorBoard reads them, with record.json and losses.f64."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

INTERVAL = 100
SETTINGS = [
    "train.evaluate_every_steps=90",
    "train.checkpoint_every_steps=35",
    "train.patience=0",
    "train.evaluations_per_epoch=0",
]


def command(program, out, *more):
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return [
        *(program, "train", "--model", "din", "--data", "tiny", "--out", out, "--quiet"),
        *("--batch-size", "8", "--epochs", "1000", "--max-steps", "1250", "--threads", "1"),
        *settings,
        *more,
    ]


def compare(desk, run):
    record = json.loads((desk / run / "record.json").read_text())
    losses = np.fromfile(desk / run / "losses.f64")
    events = EventAccumulator(str(desk / run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    expected = {}
    for point in record["curve"]:
        for tag, value in point.items():
            if tag != "step" and value is not None:
                expected.setdefault(tag, []).append((point["step"], np.float32(value)))
    means = losses[: len(losses) // INTERVAL * INTERVAL].reshape(-1, INTERVAL).mean(axis=1)
    steps = range(INTERVAL, len(losses) + 1, INTERVAL)
    expected[f"train_loss_{INTERVAL}_steps"] = list(zip(steps, means.astype(np.float32)))
    tags = set(events.Tags()["scalars"])
    assert tags == set(expected), f"{run}: charts {sorted(tags)}, expected {sorted(expected)}"
    for tag, values in expected.items():
        found = [(event.step, np.float32(event.value)) for event in events.Scalars(tag)]
        assert [step for step, _ in found] == [step for step, _ in values], f"{run} {tag}: steps {found}"
        # Sums of an interval may be taken in another order than numpy's.
        bound = 1e-6 if tag.startswith("train_loss_") else 0
        for (step, one), (_, other) in zip(found, values):
            assert abs(one - other) <= bound, f"{run} {tag} at {step}: {one}, expected {other}"
    (text,) = events.Tensors("run/text_summary")
    text = text.tensor_proto.string_val[0].decode()
    config = json.loads(text.split("\n\n", 1)[1])
    assert config == record["config"], f"{run}: another configuration"
    count = sum(map(len, expected.values()))
    print(f"ok   {run}: {len(expected)} charts, {count} numbers as in record.json and losses.f64")
    return record["result_sha256"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    program = parser.parse_args().program
    with tempfile.TemporaryDirectory() as desk:
        desk = Path(desk)

        def run(*arguments):
            subprocess.run(arguments, cwd=desk, check=True, stdout=subprocess.DEVNULL)

        run(program, "simulate", "tiny", "--out", "tiny", "--quiet")
        run(*command(program, "plain"))
        plain = json.loads((desk / "plain" / "record.json").read_text())["result_sha256"]
        run(*command(program, "whole", "--tensorboard"))
        hashes = {"plain": plain, "whole": compare(desk, "whole")}

        # Killed again and again, at places that no checkpoint knows.
        kills = 0
        while not (desk / "killed" / "record.json").exists():
            child = subprocess.Popen(
                command(program, "killed", "--tensorboard", "--resume"),
                cwd=desk,
                stdout=subprocess.DEVNULL,
            )
            losses = desk / "killed" / "losses.f64"
            begun = losses.stat().st_size if losses.exists() else 0
            while child.poll() is None:
                grown = losses.stat().st_size - begun if losses.exists() else 0
                if kills < 4 and grown > 8 * 200:
                    child.kill()
                    kills += 1
                time.sleep(0.001)
            child.wait()
            if child.returncode not in (0, -9):
                print(f"FAIL the program ended with {child.returncode}")
                return 1
        hashes["killed"] = compare(desk, "killed")
        print(f"     after {kills} kills")

        # A run without events gets them afterward.
        run(*command(program, "plain", "--tensorboard"))
        compare(desk, "plain")
        assert kills > 0 and len(set(hashes.values())) == 1, f"results differ: {hashes}"
        print("ok   the results are the same bits with events, without, and after kills")
    return 0


if __name__ == "__main__":
    sys.exit(main())
