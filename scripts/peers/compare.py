"""Throughput of our crates beside PyTorch's, measured in alternation, as a table and a report.

A round measures every case on each side, never two at a time, and which side begins changes from round to
round. In training there are two opponents in PyTorch: one with autograd, and one with its backward pass
written by hand. We run with as many threads as there are cores. PyTorch runs with every number of threads (and of
processes, in scoring) that makes sense, and each round counts its best: with two threads it is usually
faster, but falls to a small part of its speed as soon as anything else wants a core.

gAUC and AUC beside pandas and scikit-learn are measured once, on the same rows.
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
# The name of the comparison of metrics, beside those of the cases.
GAUC = "gauc"
# Two values of a metric this near to each other are the same.
SAME_VALUE = 1e-9


@dataclass
class Peer:
    """Whom we are compared with in a case: `written` and `autograd` are kinds of `worker.py`."""

    kind: str
    rates: list = field(default_factory=list)
    # What each of `rates` was measured with, such as "2 threads".
    settings: list = field(default_factory=list)


@dataclass
class Case:
    """Some work of ours, and the same work of others."""

    model: str
    rows: int
    kinds: tuple = ("autograd", "written")
    score: bool = False
    ours: list = field(default_factory=list)

    def __post_init__(self):
        self.peers = [Peer(kind) for kind in self.kinds]

    @property
    def name(self):
        peer = "deepctr-" if "deepctr" in self.kinds else ""
        return f"{peer}{self.model}-{'score' if self.score else 'train'}-{self.rows}"

    @property
    def batches(self):
        return str(max(1, TOTAL_ROWS // self.rows))

    def ratios(self, peer):
        return [ours / theirs for ours, theirs in zip(self.ours, peer.rates)]


def all_cases():
    cases = [Case("din", rows) for rows in (32, 256, 1024)]
    for model in ("base_model", "pnn", "deepfm", "wide_deep"):
        cases += [Case(model, rows) for rows in (32, 256)]
    cases.append(Case("din", 512, ("written",), score=True))
    return cases + [Case("din", rows, ("deepctr",)) for rows in (32, 256)]


def output(command):
    """The last line of what a measuring process prints."""
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        sys.exit(f"a measurement failed: {command[1:3]}\n{done.stderr}")
    return json.loads(lines[-1])


def rate(command):
    """Rows a second."""
    return output(command)["samples_per_second"]


def our_rate(case, binary, threads, seconds):
    command = [binary, "time", case.model, "--rows", str(case.rows), "--batches", case.batches]
    command += ["--threads", str(threads), "--seconds", str(seconds)]
    return rate(command + (["--score"] if case.score else []))


def their_rate(case, kind, folder, options, seconds):
    rows = folder / str(case.rows)
    if kind == "deepctr":
        command = [sys.executable, HERE / "deepctr_din.py", rows]
    else:
        command = [sys.executable, HERE / "worker.py", case.model, rows, "--kind", kind]
    command += ["--seconds", str(seconds), *options]
    return rate(command + (["--score"] if case.score else []))


def settings(case, threads):
    """Powers of two up to the number of cores, and that number."""
    counts = sorted({2**power for power in range(threads.bit_length())} | {threads})
    found = {f"{count} thread{'s' * (count > 1)}": ["--threads", str(count)] for count in counts}
    if case.score and threads > 1:
        found[f"{threads} processes"] = ["--processes", str(threads)]
    return found


def measure_theirs(case, peer, folder, threads, seconds):
    rates = {
        name: their_rate(case, peer.kind, folder, options, seconds)
        for name, options in settings(case, threads).items()
    }
    best = max(rates, key=rates.get)
    peer.rates.append(rates[best])
    peer.settings.append(best)


def measure(cases, binary, folder, threads, rounds, seconds):
    for number in range(rounds):
        for case in cases:
            sides = [None, *case.peers]
            for peer in sides if number % 2 == 0 else reversed(sides):
                if peer:
                    measure_theirs(case, peer, folder, threads, seconds)
                else:
                    case.ours.append(our_rate(case, binary, threads, seconds))
            found = "; ".join(
                f"{peer.kind} {peer.rates[-1]:,.0f} ({peer.settings[-1]}), "
                f"ratio {case.ratios(peer)[-1]:.2f}"
                for peer in case.peers
            )
            print(f"round {number + 1}, {case.name}: ours {case.ours[-1]:,.0f}; {found}", flush=True)


def measure_gauc(binary, folder, rows, grouped_rows):
    """Ours on all rows and theirs, which does gAUC on the first rows only."""
    grouped_rows = min(rows, grouped_rows)
    ours = output([binary, "gauc", "--rows", str(rows), "--folder", folder])
    first = output([binary, "gauc", "--rows", str(grouped_rows)])
    command = [sys.executable, HERE / "gauc.py", folder, "--gauc-rows", str(grouped_rows)]
    theirs = output(command)
    for name, expected in (("auc", ours), ("gauc", first)):
        print(f"{name}: ours {expected[name]!r}, theirs {theirs[name]!r}")
        # What is no number fails, too.
        if not abs(expected[name] - theirs[name]) <= SAME_VALUE:
            sys.exit(f"{name} is not the same: {expected[name]!r} and {theirs[name]!r}")
    return ours, theirs


def chosen(only):
    """Cases, and whether gAUC is to be measured."""
    cases = all_cases()
    names = [case.name for case in cases] + [GAUC]
    wanted = only.split(",") if only else []
    for part in wanted:
        if not any(part in name for name in names):
            sys.exit(f"no case has {part!r} in its name; there are {', '.join(names)}")
    found = [name for name in names if not wanted or any(part in name for part in wanted)]
    return [case for case in cases if case.name in found], GAUC in found


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
    parser.add_argument("--gauc-rows", type=at_least_one, default=10_000_000)
    parser.add_argument(
        "--gauc-rows-pandas", type=at_least_one, default=1_000_000, help="of those, the first"
    )
    options = parser.parse_args()
    cases, with_gauc = chosen(options.only)
    threads = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"the machine is busy (load {load:.1f}): numbers will be worth little", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        gauc = None
        if with_gauc:
            # First, because values that differ end everything.
            gauc = measure_gauc(options.binary, folder, options.gauc_rows, options.gauc_rows_pandas)
        for rows in sorted({case.rows for case in cases}):
            batches = str(max(1, TOTAL_ROWS // rows))
            command = [options.binary, "export", folder / str(rows)]
            subprocess.run(command + ["--rows", str(rows), "--batches", batches], check=True)
        measure(cases, options.binary, folder, threads, options.rounds, options.seconds)
    text = report.report(cases, gauc, threads, load, options.rounds, options.seconds)
    print("\n" + text)
    report.write_atomic(options.out, text)


if __name__ == "__main__":
    main()
