"""The report of `compare.py`: what was measured, on what machine, with which versions."""
import datetime
import importlib.metadata
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile


def cpu_model():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def rustc_version():
    try:
        done = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split()[1]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def line(case):
    ours, theirs = statistics.median(case.ours), statistics.median(case.theirs)
    ratios = case.ratios()
    peer = "DeepCTR-Torch" if case.deepctr else "PyTorch"
    work = "scoring" if case.score else "training"
    setting = statistics.mode(case.settings)
    return (
        f"| {case.model} | {work} | {case.rows} | {ours:,.0f} | {peer}, {setting} | {theirs:,.0f} "
        f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |"
    )


def report(cases, threads, load, rounds, seconds):
    plural = "s" if threads > 1 else ""
    head = f"""# Throughput beside PyTorch

{datetime.date.today()}, {cpu_model()}, {threads} core{plural}; rustc {rustc_version()}, torch {version("torch")}, \
deepctr-torch {version("deepctr-torch")}. Load of the machine before: {load:.1f}. Written by `make peers`.

Rows a second: medians of {rounds} round{"s" * (rounds > 1)}, {seconds:g} seconds each, the two sides in alternation. The
ratio is ours to theirs, its median and range over the rounds.

| model | work | batch | ours | peer | peer's | ratio | range |
|---|---|---|---|---|---|---|---|
"""
    tail = f"""
Rows like those of Electronics (63,001 goods, 801 categories, 5.2 behaviors a row), the authors' shapes,
float32, plain SGD without clipping. Ours: {threads} thread{plural}, putting each batch together included.
PyTorch: `scripts/peers/models.py`, without padding and with a backward pass written out, its batches put
together beforehand; each round counts its best number of threads, and the commonest is named.
DeepCTR-Torch: its own DIN as it comes, which pads all histories to the longest one and has dense gradients
of its tables.
"""
    return head + "\n".join(line(case) for case in cases) + "\n" + tail


def write_atomic(path, text):
    """The old report or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".writing-", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o666 & ~current_umask())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
