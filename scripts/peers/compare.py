"""Throughput of our crates beside PyTorch's, measured in alternation, as a table and a report.

A round measures every case on each side, never two at a time, and which side begins changes from round to
round. We run with as many threads as there are cores. PyTorch runs with every number of threads (and of
processes, in scoring) that makes sense, and each round counts its best: with two threads it is usually
faster, but falls to a small part of its speed as soon as anything else wants a core.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import report

HERE = pathlib.Path(__file__).parent
# The rows of a measurement, whatever the batch: more than the caches hold.
TOTAL_ROWS = 65_536
# Load of the machine from which on the numbers are worth little.
BUSY = 0.5


@dataclass
class Case:
    """One line of the table."""

    model: str
    rows: int
    score: bool = False
    deepctr: bool = False
    ours: list = field(default_factory=list)
    theirs: list = field(default_factory=list)
    # What each of `theirs` was measured with, such as "2 threads".
    settings: list = field(default_factory=list)

    @property
    def name(self):
        peer = "deepctr-" if self.deepctr else ""
        return f"{peer}{self.model}-{'score' if self.score else 'train'}-{self.rows}"

    @property
    def batches(self):
        return str(max(1, TOTAL_ROWS // self.rows))

    def ratios(self):
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs)]


def all_cases():
    cases = [Case("din", rows) for rows in (32, 256, 1024)]
    for model in ("base_model", "pnn", "deepfm", "wide_deep"):
        cases += [Case(model, rows) for rows in (32, 256)]
    cases.append(Case("din", 512, score=True))
    return cases + [Case("din", rows, deepctr=True) for rows in (32, 256)]


def rate(command):
    """Rows a second, the last line of what a measuring process prints."""
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        sys.exit(f"a measurement failed: {command[1:3]}\n{done.stderr}")
    return json.loads(lines[-1])["samples_per_second"]


def our_rate(case, binary, threads, seconds):
    command = [binary, "time", case.model, "--rows", str(case.rows), "--batches", case.batches]
    command += ["--threads", str(threads), "--seconds", str(seconds)]
    return rate(command + (["--score"] if case.score else []))


def their_rate(case, folder, options, seconds):
    if case.deepctr:
        command = [sys.executable, HERE / "deepctr_din.py", folder / str(case.rows)]
    else:
        command = [sys.executable, HERE / "worker.py", case.model, folder / str(case.rows)]
    command += ["--seconds", str(seconds), *options]
    return rate(command + (["--score"] if case.score else []))


def settings(case, threads):
    """Powers of two up to the number of cores, and that number."""
    counts = sorted({2**power for power in range(threads.bit_length())} | {threads})
    found = {f"{count} thread{'s' * (count > 1)}": ["--threads", str(count)] for count in counts}
    if case.score and threads > 1:
        found[f"{threads} processes"] = ["--processes", str(threads)]
    return found


def measure_theirs(case, folder, threads, seconds):
    rates = {
        name: their_rate(case, folder, options, seconds)
        for name, options in settings(case, threads).items()
    }
    best = max(rates, key=rates.get)
    case.theirs.append(rates[best])
    case.settings.append(best)


def measure(cases, binary, folder, threads, rounds, seconds):
    for number in range(rounds):
        for case in cases:
            if number % 2 == 0:
                case.ours.append(our_rate(case, binary, threads, seconds))
            measure_theirs(case, folder, threads, seconds)
            if number % 2 == 1:
                case.ours.append(our_rate(case, binary, threads, seconds))
            print(
                f"round {number + 1}, {case.name}: ours {case.ours[-1]:,.0f}, "
                f"theirs {case.theirs[-1]:,.0f} ({case.settings[-1]}), ratio {case.ratios()[-1]:.2f}",
                flush=True,
            )


def chosen(only):
    cases = all_cases()
    wanted = only.split(",") if only else []
    for part in wanted:
        if not any(part in case.name for case in cases):
            names = ", ".join(case.name for case in cases)
            sys.exit(f"no case has {part!r} in its name; there are {names}")
    return [case for case in cases if not wanted or any(part in case.name for part in wanted)]


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="the example `peers`")
    parser.add_argument("--rounds", type=at_least_one, default=5)
    parser.add_argument("--seconds", type=float, default=2.5, help="of each measurement")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("reports/peers.md"))
    parser.add_argument("--only", help="parts of names of cases, with commas: din-train,score")
    options = parser.parse_args()
    cases = chosen(options.only)
    threads = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"the machine is busy (load {load:.1f}): numbers will be worth little", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for rows in sorted({case.rows for case in cases}):
            batches = str(max(1, TOTAL_ROWS // rows))
            command = [options.binary, "export", folder / str(rows)]
            subprocess.run(command + ["--rows", str(rows), "--batches", batches], check=True)
        measure(cases, options.binary, folder, threads, options.rounds, options.seconds)
    text = report.report(cases, threads, load, options.rounds, options.seconds)
    print("\n" + text)
    report.write_atomic(options.out, text)


if __name__ == "__main__":
    main()
