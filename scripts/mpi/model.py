"""The model of docs/scale.md: fitted to four measurements of the smallest data, compared with all others, and carried
to the paper's log of Alibaba.

    python3 scripts/mpi/model.py FIGURES.csv      (written by scripts/mpi/measure)
"""

import csv
import sys
from collections import defaultdict

LANES = 8  # at most, in a batch of 512 rows and more; of models without statistics of the batch
# Of a step that clips no gradient: dense parts there and back; rows and their gradients.
EXCHANGES = {"whole": 2, "spread": 4}
# Table 2 and section 6.1: samples of training, goods; table 1: shops, categories, ids a sample; section 6.1: batch, width.
SAMPLES, BATCH, WIDTH = 2.0e9, 5000, 12
ROWS_OF_TABLES = 0.6e9 + 1e7 + 1e5
IDS_A_SAMPLE = 1000 + 1000 + 100 + 13
NETWORKS = {"10 Gbit/s": (1.25e9, 50e-6), "100 Gbit/s": (12.5e9, 10e-6)}


def lanes(batch):
    return max(1, min(LANES, max(2, batch // 64), batch // 16))


def share(batch, ranks):
    """The largest part of a batch that one rank computes."""
    count = lanes(batch)
    return -(-count // min(ranks, count)) / count


def read(path):
    best, exchange = {}, {}
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        tables = row["tables"] if row["threads"] == "1" else "2 threads"
        key = row["data"], float(row["scale"]), tables, int(row["ranks"]), int(row["batch"])
        values = {name: float(value or 0) for name, value in row.items() if name not in ("data", "tables")}
        if key not in best or values["rows_a_second"] > best[key]["rows_a_second"]:
            best[key] = values
    for line in lines:
        words = line.lstrip("# ").split()
        if line.startswith("#") and len(words) == 3 and words[0].isdigit():
            exchange[int(words[0])] = [float(word) * 1e-6 for word in words[1:]]
    return best, exchange


def step_seconds(measured):
    return measured["batch"] / measured["rows_a_second"]


class Model:
    """Seconds of a step: a + B ids (f share + g + e) + latency exchanges + bytes / bandwidth.

    f is what lanes share out, g what every rank does for all rows (with tables spread, for its part of them), both for
    an id that a row names. With tables spread every rank also finds out who has which row and who needs it."""

    def __init__(self, best, exchange, data, scale, batches):
        small, large = (step_seconds(best[data, scale, "whole", 1, batch]) for batch in batches)
        ids = best[data, scale, "whole", 1, batches[0]]["ids_a_row"]
        row = (large - small) / (batches[1] - batches[0])
        self.fixed = max(0.0, small - batches[0] * row)
        sizes = sorted(exchange)
        self.latency = exchange[sizes[0]][0]
        # Of messages as large as a step's.
        self.bandwidth = sizes[-1] / exchange[sizes[-1]][0]
        two = best[data, scale, "whole", 2, batches[1]]
        spent = step_seconds(two) - self.fixed - self.network(two["bytes_a_step"], "whole")
        # spent = B (f / 2 + g) and row = f + g
        replicated = min(max(2 * spent / batches[1] - row, 0.0), row)
        self.replicated, self.shared = replicated / ids, (row - replicated) / ids
        self.finding = 0.0
        spread = best[data, scale, "spread", 2, batches[1]]
        missing = step_seconds(spread) - self.seconds(batches[1], ids, 2, "spread", spread["bytes_a_step"])
        self.finding = max(0.0, missing / batches[1] / ids)

    def network(self, sent, tables):
        return EXCHANGES[tables] * self.latency + sent / self.bandwidth

    def seconds(self, batch, ids, ranks, tables, sent):
        replicated = self.replicated / (ranks if tables == "spread" else 1)
        finding = self.finding if tables == "spread" else 0
        compute = batch * ids * (self.shared * share(batch, ranks) + replicated + finding)
        return self.fixed + compute + (self.network(sent, tables) if ranks > 1 else 0)


def main():
    best, exchange = read(sys.argv[1])
    data, batches = "amazon-electronics-sim", (256, 1024)
    scales = sorted({key[1] for key in best if key[0] == data})
    model = Model(best, exchange, data, scales[0], batches)
    print(f"fixed {model.fixed * 1e6:.0f} us a step, {model.shared * 1e6:.3f} us an id shared out, "
          f"{model.replicated * 1e6:.3f} us an id on every rank, "
          f"{model.finding * 1e6:.3f} us an id to find rows that are spread, latency {model.latency * 1e6:.1f} us, "
          f"{model.bandwidth / 1e9:.2f} GB/s")
    fitted = {(scales[0], "whole", 1, 256), (scales[0], "whole", 1, 1024), (scales[0], "whole", 2, 1024),
              (scales[0], "spread", 2, 1024)}
    print("\n| data | rows | tables | ranks | batch | rows/s measured | predicted | error | MB sent a step | MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    errors = defaultdict(list)
    for (name, scale, tables, ranks, batch), measured in sorted(best.items(), key=lambda item: item[0][1:]):
        if name != data:
            continue
        if tables == "2 threads":
            print(f"| {scale / scales[0]:.0f}x | {measured['rows']:,.0f} | one process, 2 threads | | {batch} | "
                  f"{measured['rows_a_second']:,.0f} | | | | {measured['memory'] / 2**20:.0f} |")
            continue
        seconds = model.seconds(batch, measured["ids_a_row"], ranks, tables, measured["bytes_a_step"])
        predicted = batch / seconds
        error = predicted / measured["rows_a_second"] - 1
        known = (scale, tables, ranks, batch) in fitted
        if not known:
            errors[ranks].append(abs(error))
        print(f"| {scale / scales[0]:.0f}x | {measured['rows']:,.0f} | {tables} | {ranks} | {batch} | "
              f"{measured['rows_a_second']:,.0f} | {predicted:,.0f} | {'fitted' if known else f'{error:+.1%}'} | "
              f"{measured['bytes_a_step'] / 1e6:.2f} | {measured['memory'] / 2**20:.0f} |")
    for ranks, found in sorted(errors.items()):
        print(f"\n{ranks} ranks: mean error {sum(found) / len(found):.1%}, largest {max(found):.1%}, of {len(found)}")

    one = next(value for key, value in best.items() if key[0] == "alibaba-sim" and key[2:4] == ("whole", 1))
    spread = next(value for key, value in best.items() if key[0] == "alibaba-sim" and key[2] == "spread")
    whole = next(value for key, value in best.items() if key[0] == "alibaba-sim" and key[2:4] == ("whole", 2))
    use = 1 / one["rows_a_second"] / one["ids_a_row"]
    # What every rank does for all ids, beside its share of the work.
    rest = step_seconds(spread) - step_seconds(one) / 2 - model.network(spread["bytes_a_step"], "spread")
    finding = max(0.0, rest / spread["batch"] / one["ids_a_row"])
    print(f"\nalibaba-sim, width {WIDTH}: {one['rows_a_second']:,.0f} rows/s on 1 rank, {whole['rows_a_second']:,.0f} on 2 with "
          f"whole tables, {spread['rows_a_second']:,.0f} with spread ones; {one['ids_a_row']:.0f} ids a row, "
          f"{use * 1e6:.3f} us an id, "
          f"{finding * 1e6:.3f} of finding rows; {whole['bytes_a_step'] / 1e6:.1f} and {spread['bytes_a_step'] / 1e6:.1f} MB sent a step")
    table_bytes = ROWS_OF_TABLES * WIDTH * 4
    print(f"tables {table_bytes / 1e9:.1f} GB, with Adam's moments {3 * table_bytes / 1e9:.1f} GB")
    steps = SAMPLES / BATCH
    print(f"an epoch: {steps:,.0f} steps of {BATCH} rows with {IDS_A_SAMPLE} ids each")
    # Rows to each rank and gradients back, of ids that are all different: an upper bound.
    print("\n| ranks | GB of tables and moments a rank | MB sent a step by a rank | hours an epoch, " +
          " | hours, ".join(NETWORKS) + " |")
    print("|---|---|---|" + "---|" * len(NETWORKS))
    for ranks in (1, 2, 4, 8, 16):
        compute = BATCH * IDS_A_SAMPLE * (use * share(BATCH, ranks) + (finding if ranks > 1 else 0))
        sent = 2 * BATCH * IDS_A_SAMPLE * WIDTH * 4 * (ranks - 1) / ranks**2 + 3 * 4 * one["dense_numbers"] * (ranks > 1)
        # The ids of its share of the batch to all others: each reads its own shards.
        sent += BATCH * IDS_A_SAMPLE * 4 * (ranks - 1) / ranks
        hours = []
        for bandwidth, latency in NETWORKS.values():
            seconds = compute + (sent / bandwidth + (EXCHANGES["spread"] + 1) * latency if ranks > 1 else 0)
            hours.append(f"{steps * seconds / 3600:,.0f}")
        print(f"| {ranks} | {3 * table_bytes / ranks / 1e9:.1f} | {sent / 1e6:,.0f} | " + " | ".join(hours) + " |")


if __name__ == "__main__":
    main()
