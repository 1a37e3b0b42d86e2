"""Measures one of our PyTorch models: rows a second of training steps, or of scoring, as a line of JSON."""
import argparse
import json
import multiprocessing
import pathlib
import time
import warnings

import torch

import autograd
import exported
import models

RATE = 0.1
WARMUP_SHARE = 0.25
# Where a model's backward pass comes from.
KINDS = {"written": models.MODELS, "autograd": autograd.MODELS}


def rate_of(work, batches, rows, seconds):
    """Rows a second of `work` on one batch after the other, after a warmup."""
    done, rate = 0, 0.0
    for limit in (WARMUP_SHARE * seconds, seconds):
        begun, steps, elapsed = time.perf_counter(), 0, 0.0
        while elapsed < limit:
            work(*batches[done % len(batches)])
            done, steps = done + 1, steps + 1
            elapsed = time.perf_counter() - begun
        rate = steps * rows / elapsed
    return rate


def mode(kind):
    """What everything of a kind must happen under: without autograd, PyTorch does less for an operation."""
    return torch.inference_mode(kind == "written")


def prepare(name, folder, kind):
    """The model and its batches, assembled before anything is measured."""
    weights = exported.read_weights(folder, name)
    model = KINDS[kind][name]
    goods = len(weights["embedding/goods_id"])
    batches = [model.batch_of(rows, goods) for rows in exported.read_batches(folder)]
    return model(weights, RATE), batches


def compiled(model, batch):
    """The interpreter of TorchScript runs the operations with less overhead than Python does. Measured
    against it, `torch.compile` was slower in every mode: what it fuses is a small part of the work."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript calls itself deprecated.
        return torch.jit.trace_module(model, {"step": batch, "score": batch}, check_trace=False)


def measure(name, folder, kind, threads, seconds, score=False, eager=False, barrier=None):
    torch.set_num_threads(threads)
    with mode(kind):
        model, batches = prepare(name, folder, kind)
        # With autograd the interpreter is no faster.
        if kind == "written" and not eager:
            model = compiled(model, batches[0])
        work = model.score if score else model.step
        if barrier:
            barrier.wait()
        return rate_of(work, batches, len(batches[0].labels), seconds)


def child(sender, *arguments):
    sender.send(measure(*arguments))


def measure_in_processes(name, folder, processes, seconds):
    """Scoring with one process a core, each on one thread."""
    barrier = multiprocessing.Barrier(processes)
    children = []
    for _ in range(processes):
        receiver, sender = multiprocessing.Pipe(duplex=False)
        arguments = (sender, name, folder, "written", 1, seconds, True, False, barrier)
        process = multiprocessing.Process(target=child, args=arguments)
        process.start()
        children.append((process, receiver))
    rate = sum(receiver.recv() for _, receiver in children)
    for process, _ in children:
        process.join()
    return rate


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=models.MODELS)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--kind", choices=KINDS, default="written", help="of the backward pass")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--score", action="store_true")
    parser.add_argument("--processes", type=int, default=1, help="with --score, one thread each")
    parser.add_argument("--eager", action="store_true", help="without TorchScript")
    options = parser.parse_args()
    if options.score and options.kind != "written":
        parser.error("--score needs --kind written: only training has a backward pass")
    if options.processes > 1:
        if not options.score:
            parser.error("--processes needs --score")
        rate = measure_in_processes(
            options.model, options.folder, options.processes, options.seconds
        )
    else:
        rate = measure(
            options.model,
            options.folder,
            options.kind,
            options.threads,
            options.seconds,
            options.score,
            options.eager,
        )
    print(json.dumps({"samples_per_second": rate}))


if __name__ == "__main__":
    main()
