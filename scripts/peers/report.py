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


PEERS = {
    "autograd": "PyTorch, autograd",
    "written": "PyTorch, backward by hand",
    "deepctr": "DeepCTR-Torch",
}


def line(case, peer):
    ratios = case.ratios(peer)
    work = "scoring" if case.score else "training"
    name = "PyTorch" if case.score else PEERS[peer.kind]
    return (
        f"| {case.model} | {work} | {case.rows} | {statistics.median(case.ours):,.0f} | {name} "
        f"| {statistics.mode(peer.settings)} | {statistics.median(peer.rates):,.0f} "
        f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |"
    )


def throughput(cases, threads, rounds, seconds):
    plural = "s" if threads > 1 else ""
    head = f"""
Rows a second: medians of {rounds} round{"s" * (rounds > 1)}, {seconds:g} seconds each, the sides in alternation. The
ratio is ours to theirs, its median and range over the rounds.

| model | work | batch | ours | peer | peer's setting | peer's | ratio | range |
|---|---|---|---|---|---|---|---|---|
"""
    tail = f"""
Rows like those of Electronics (63,001 goods, 801 categories, 5.2 behaviors a row), the authors' shapes,
float32, plain SGD without clipping. Ours: {threads} thread{plural}, putting each batch together included.
PyTorch: without padding, its batches put together beforehand; each round counts its best number of threads,
and the commonest is named. Autograd is `scripts/peers/autograd.py`: what is looked up is a leaf, so that
gradients of tables are of rows. By hand is `scripts/peers/models.py`, its backward pass written out.
DeepCTR-Torch: its own DIN as it comes, which pads all histories to the longest one and has dense gradients
of its tables.
"""
    return head + "\n".join(line(case, peer) for case in cases for peer in case.peers) + "\n" + tail


def metric_line(name, ours, theirs, peer, rows):
    """Seconds a million rows, because the two sides may have done different numbers of them."""
    our_seconds, their_seconds = ours[name + "_seconds"], theirs[name + "_seconds"]
    our_share, their_share = 1e6 * our_seconds / ours["rows"], 1e6 * their_seconds / rows
    return (
        f"| {name.replace('auc', 'AUC')} | {ours['rows']:,} | {our_seconds:.3f} | {our_share:.4f} | {peer} "
        f"| {rows:,} | {their_seconds:.3f} | {their_share:.4f} | {their_share / our_share:,.1f} |"
    )


def metrics(ours, theirs, threads):
    head = f"""
# gAUC and AUC beside pandas and scikit-learn

scikit-learn {version("scikit-learn")}, pandas {version("pandas")}. Each computed once; the ratio is theirs to ours, by seconds per
million rows.

| metric | our rows | seconds | per million | peer | its rows | seconds | per million | ratio |
|---|---|---|---|---|---|---|---|---|
"""
    fewer = theirs["gauc_rows"] < ours["rows"]
    note = (
        f"**pandas did only the first {theirs['gauc_rows']:,} of the {ours['rows']:,} rows**, because it takes "
        "minutes for\nall of them. "
        if fewer
        else ""
    )
    tail = f"""
{note}gAUC: `roc_auc_score` of each user with both classes in a `groupby("user").apply`, weighted by the
user's rows. Generated rows, users of 1 to 20 rows, some ties. Ours: {threads} thread{"s" * (threads > 1)}. On the same rows both
sides' values agree within 1e-9.
"""
    lines = [
        metric_line("gauc", ours, theirs, "pandas, scikit-learn", theirs["gauc_rows"]),
        metric_line("auc", ours, theirs, "scikit-learn", theirs["rows"]),
    ]
    return head + "\n".join(lines) + "\n" + tail


def report(cases, gauc, threads, load, rounds, seconds):
    """`gauc` is what both sides printed about the metrics, or None."""
    text = f"""# Throughput beside PyTorch

{datetime.date.today()}, {cpu_model()}, {threads} core{"s" * (threads > 1)}; rustc {rustc_version()}, torch {version("torch")}, \
deepctr-torch {version("deepctr-torch")}. Load of the machine before: {load:.1f}. Written by `make peers`.
"""
    if cases:
        text += throughput(cases, threads, rounds, seconds)
    return text + (metrics(*gauc, threads) if gauc else "")


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
