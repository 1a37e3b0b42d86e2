//! Our side of `make peers`: hands rows and initial weights to other implementations, trains from the
//! same weights for comparison of the logits, and measures throughput. `scripts/peers` is the other side.
#![allow(clippy::print_stdout)]

use clap::{Parser, Subcommand};
use ctr_core::{
    Batch, Dataset, EventColumn, GroupEvents, Protocol, Samples, SeedStreams, Sequences, Split,
};
use ctr_metrics::{GaucVariant, auc, gauc};
use ctr_nn::{
    NamedTensors, Network, Optimizer, OptimizerConfig, OptimizerKind, Schedule, ScoringMemory,
    StoredTensor,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

#[path = "../benches/electronics_like/mod.rs"]
mod electronics_like;

/// As the command `din-repro` has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MODELS: [&str; 5] = ["base_model", "wide_deep", "pnn", "deepfm", "din"];
const BATCHES_FILE: &str = "batches.safetensors";

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write rows and each model's initial weights into a folder
    Export {
        folder: PathBuf,
        #[arg(long)]
        rows: usize,
        #[arg(long)]
        batches: usize,
    },
    /// Print rows a second of training, or of scoring
    Time {
        model: String,
        #[arg(long)]
        rows: usize,
        #[arg(long)]
        batches: usize,
        #[arg(long)]
        threads: usize,
        #[arg(long)]
        seconds: f64,
        #[arg(long)]
        score: bool,
    },
    /// Train on exported rows; write each batch's logits before its step
    Steps {
        model: String,
        folder: PathBuf,
        #[arg(long)]
        rate: f64,
        #[arg(long)]
        steps: usize,
    },
    /// Print seconds and values of gAUC (of the paper) and AUC on generated rows
    Gauc {
        /// Fewer are the first of more
        #[arg(long)]
        rows: usize,
        /// Write the rows there, as gauc.safetensors
        #[arg(long)]
        folder: Option<PathBuf>,
    },
}

fn main() -> Outcome<()> {
    match Arguments::parse().command {
        Command::Export { folder, rows, batches } => {
            let batches = generate(rows, batches)?;
            std::fs::create_dir_all(&folder)?;
            write_batches(&folder.join(BATCHES_FILE), &batches)?;
            for model in MODELS {
                let bytes = network(model)?.weights.export().to_bytes()?;
                std::fs::write(weights_file(&folder, model), bytes)?;
            }
            Ok(())
        }
        Command::Time { model, rows, batches, threads, seconds, score } => {
            let batches = generate(rows, batches)?;
            let seconds = Duration::try_from_secs_f64(seconds)?;
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let rate = pool.install(|| {
                let measured = if score { time_score } else { time_steps };
                // An error of a thread pool must be Send.
                measured(&model, rows, &batches, seconds).map_err(|error| error.to_string())
            })?;
            println!("{}", serde_json::json!({"samples_per_second": rate}));
            Ok(())
        }
        Command::Steps { model, folder, rate, steps } => write_steps(&model, &folder, rate, steps),
        Command::Gauc { rows, folder } => {
            let scored = ScoredRows::generate(rows);
            if let Some(folder) = folder {
                std::fs::create_dir_all(&folder)?;
                scored.write(&folder.join("gauc.safetensors"))?;
            }
            println!("{}", scored.measure()?);
            Ok(())
        }
    }
}

fn generate(rows: usize, batches: usize) -> Outcome<Vec<Batch>> {
    if rows == 0 || batches == 0 {
        return Err("rows and batches must be at least 1".into());
    }
    Ok(electronics_like::batches(rows, batches))
}

fn network(model: &str) -> Outcome<Network> {
    let built = electronics_like::network(model);
    Ok(built.ok_or_else(|| format!("no model {model:?}: expected one of {MODELS:?}"))??)
}

fn weights_file(folder: &Path, model: &str) -> PathBuf {
    folder.join(format!("weights-{model}.safetensors"))
}

/// Plain SGD: what every library understands alike.
fn optimizer(network: &Network, learning_rate: f64) -> Outcome<Optimizer> {
    let config = OptimizerConfig {
        kind: OptimizerKind::Sgd,
        learning_rate,
        schedule: Schedule::Constant,
        clip_norm: 0.0,
    };
    Ok(Optimizer::new(config, &network.weights)?)
}

/// Rows a second of training, batches put together included.
fn time_steps(model: &str, rows: usize, batches: &[Batch], seconds: Duration) -> Outcome<f64> {
    let (dataset, order) = dataset(batches);
    let mut network = network(model)?;
    let mut optimizer = optimizer(&network, 0.1)?;
    let mut batch = Batch::default();
    let mut parts = order.chunks(rows).cycle();
    repeat(seconds, || {
        let part = parts.next().unwrap_or_default();
        dataset.fill_batch(Split::Train, part, None, &mut batch);
        network.train_step(&batch, &mut optimizer)?;
        Ok(part.len())
    })
}

/// Rows a second of scoring, as a run's evaluation does it.
fn time_score(model: &str, rows: usize, batches: &[Batch], seconds: Duration) -> Outcome<f64> {
    let (dataset, _) = dataset(batches);
    let network = network(model)?;
    let never = AtomicBool::new(false);
    repeat(seconds, || {
        Ok(ctr_train::score_split(&network, &dataset, Split::Test, rows, None, &never)?.len())
    })
}

/// Rows a second of `work`, which gives the rows it did, after a warmup of a quarter of the time.
fn repeat(seconds: Duration, mut work: impl FnMut() -> Outcome<usize>) -> Outcome<f64> {
    let mut rate = 0.0;
    for time in [seconds / 4, seconds] {
        let (begun, mut rows) = (Instant::now(), 0);
        while rows == 0 || begun.elapsed() < time {
            rows += work()?;
        }
        rate = rows as f64 / begun.elapsed().as_secs_f64();
    }
    Ok(rate)
}

/// The batches as a dataset in memory, each row a user of its own, and the order of its rows that gives
/// the batches again. Rows lie in random order, as in a run, where every epoch has another order.
fn dataset(batches: &[Batch]) -> (Dataset, Vec<u32>) {
    let mut places: Vec<(usize, usize)> = batches
        .iter()
        .enumerate()
        .flat_map(|(index, batch)| (0..batch.rows()).map(move |row| (index, row)))
        .collect();
    let mut order: Vec<u32> = (0..places.len() as u32).collect();
    SeedStreams::new(1).stream("order").shuffle(&mut order);
    let in_batches = places.clone();
    for (&to, place) in order.iter().zip(in_batches) {
        places[to as usize] = place;
    }
    let mut sequences = Sequences { offsets: vec![0], fields: vec![EventColumn::default(); 2] };
    let mut samples =
        Samples { groups: vec![Vec::new(), vec![EventColumn::default(); 2]], ..Samples::default() };
    for (user, &(index, row)) in places.iter().enumerate() {
        let (batch, behaviors) = (&batches[index], &batches[index].groups[0]);
        let (from, to) = (behaviors.offsets[row] as usize, behaviors.offsets[row + 1] as usize);
        for field in 0..2 {
            sequences.fields[field].extend_from(&behaviors.fields[field], from, to);
            samples.groups[1][field].extend_from(&batch.groups[1].fields[field], row, row + 1);
        }
        sequences.offsets.push(sequences.fields[0].ids.len() as u32);
        samples.users.push(user as u32);
        samples.history_lengths.push((to - from) as u32);
        samples.labels.push(batch.labels[row] as u8);
    }
    let dataset = Dataset {
        id: "electronics-like".into(),
        content_sha256: String::new(),
        protocol: Protocol::Authors,
        split_rule: "last-item".into(),
        negatives: "uniform-1".into(),
        history_limit: None,
        ceiling: None,
        simulated: true,
        statistics: Default::default(),
        schema: electronics_like::schema(),
        sequences,
        train: samples.clone(),
        validation: Samples::default(),
        test: samples,
    };
    (dataset, order)
}

fn write_batches(path: &Path, batches: &[Batch]) -> Outcome<()> {
    let column = |group: usize, field: usize| -> Vec<u32> {
        batches.iter().flat_map(|batch| batch.groups[group].fields[field].ids.clone()).collect()
    };
    let mut offsets = vec![0u32];
    for batch in batches {
        let start = offsets[offsets.len() - 1];
        offsets.extend(batch.groups[0].offsets[1..].iter().map(|offset| start + offset));
    }
    let labels = bytes_of(batches.iter().flat_map(|batch| &batch.labels).map(|y| y.to_le_bytes()));
    let ids = [
        ("offsets", offsets),
        ("goods", column(0, 0)),
        ("cates", column(0, 1)),
        ("candidate_goods", column(1, 0)),
        ("candidate_cates", column(1, 1)),
    ]
    .map(|(name, ids)| (name, bytes_of(ids.iter().map(|id| id.to_le_bytes()))));
    let mut views = vec![("labels", TensorView::new(Dtype::F32, vec![labels.len() / 4], &labels)?)];
    for (name, bytes) in &ids {
        views.push((name, TensorView::new(Dtype::U32, vec![bytes.len() / 4], bytes)?));
    }
    let metadata = HashMap::from([("rows".to_string(), batches[0].rows().to_string())]);
    Ok(std::fs::write(path, safetensors::serialize(views, Some(metadata))?)?)
}

fn bytes_of(words: impl Iterator<Item = [u8; 4]>) -> Vec<u8> {
    words.flatten().collect()
}

fn read_batches(path: &Path) -> Outcome<Vec<Batch>> {
    let bytes = std::fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let words = |name: &str| -> Outcome<Vec<[u8; 4]>> {
        Ok(file.tensor(name)?.data().as_chunks::<4>().0.to_vec())
    };
    let ids = |name: &str| -> Outcome<Vec<u32>> {
        Ok(words(name)?.into_iter().map(u32::from_le_bytes).collect())
    };
    let (_, header) = SafeTensors::read_metadata(&bytes)?;
    let rows = header.metadata().as_ref().and_then(|entries| entries.get("rows"));
    let rows: usize = rows.ok_or("no number of rows in the file's metadata")?.parse()?;
    let labels: Vec<f32> = words("labels")?.into_iter().map(f32::from_le_bytes).collect();
    let offsets = ids("offsets")?;
    let (goods, cates) = (ids("goods")?, ids("cates")?);
    let (candidate_goods, candidate_cates) = (ids("candidate_goods")?, ids("candidate_cates")?);
    let single = |ids: &[u32]| EventColumn::single(ids.to_vec());
    Ok((0..labels.len() / rows)
        .map(|index| {
            let all = index * rows..(index + 1) * rows;
            let start = offsets[all.start];
            let events = start as usize..offsets[all.end] as usize;
            Batch {
                labels: labels[all.clone()].to_vec(),
                groups: vec![
                    GroupEvents {
                        offsets: offsets[all.start..=all.end].iter().map(|o| o - start).collect(),
                        fields: vec![single(&goods[events.clone()]), single(&cates[events])],
                    },
                    GroupEvents {
                        offsets: Vec::new(),
                        fields: vec![
                            single(&candidate_goods[all.clone()]),
                            single(&candidate_cates[all]),
                        ],
                    },
                ],
            }
        })
        .collect())
}

fn write_steps(model: &str, folder: &Path, rate: f64, steps: usize) -> Outcome<()> {
    let batches = read_batches(&folder.join(BATCHES_FILE))?;
    let mut network = network(model)?;
    let stored = NamedTensors::from_bytes(&std::fs::read(weights_file(folder, model))?)?;
    network.weights.import(&stored)?;
    let mut optimizer = optimizer(&network, rate)?;
    let (mut memory, mut logits) = (ScoringMemory::default(), NamedTensors::default());
    for (step, batch) in batches.iter().cycle().take(steps).enumerate() {
        let values = network.score(batch, &mut memory)?;
        logits.push(StoredTensor {
            name: format!("step-{step}"),
            shape: vec![values.len()],
            values,
        });
        network.train_step(batch, &mut optimizer)?;
    }
    let path = folder.join(format!("logits-{model}.safetensors"));
    Ok(std::fs::write(path, logits.to_bytes()?)?)
}

/// Rows with what gAUC is computed of.
#[derive(Default)]
struct ScoredRows {
    users: Vec<u32>,
    labels: Vec<u8>,
    scores: Vec<f32>,
}

impl ScoredRows {
    /// Users of 1 to 20 rows, one after the other, a fifth of them clicks; an eighth of the rows ties
    /// with the one before.
    fn generate(count: usize) -> Self {
        let mut random = SeedStreams::new(1).stream("gauc");
        let (mut rows, mut score) = (Self::default(), 0.5);
        for user in 0.. {
            for _ in 0..1 + random.below(20) {
                if rows.users.len() == count {
                    return rows;
                }
                let label = u8::from(random.below(5) == 0);
                if random.below(8) != 0 {
                    // A click scores higher by a little.
                    score = 0.9 * random.unit() as f32 + 0.1 * f32::from(label);
                }
                rows.users.push(user);
                rows.labels.push(label);
                rows.scores.push(score);
            }
        }
        rows
    }

    fn write(&self, path: &Path) -> Outcome<()> {
        let columns = [
            ("users", Dtype::U32, bytes_of(self.users.iter().map(|user| user.to_le_bytes()))),
            (
                "labels",
                Dtype::F32,
                bytes_of(self.labels.iter().map(|&label| f32::from(label).to_le_bytes())),
            ),
            ("scores", Dtype::F32, bytes_of(self.scores.iter().map(|score| score.to_le_bytes()))),
        ];
        let mut views = Vec::new();
        for (name, kind, bytes) in &columns {
            views.push((*name, TensorView::new(*kind, vec![self.users.len()], bytes)?));
        }
        Ok(std::fs::write(path, safetensors::serialize(views, None)?)?)
    }

    /// Each is computed once: so is the other side's.
    fn measure(&self) -> Outcome<serde_json::Value> {
        let begun = Instant::now();
        let by_user = gauc(&self.users, &self.labels, &self.scores, GaucVariant::Paper)?;
        let gauc_seconds = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let pooled = auc(&self.labels, &self.scores)?;
        let auc_seconds = begun.elapsed().as_secs_f64();
        Ok(serde_json::json!({
            "rows": self.users.len(),
            "gauc": by_user.value,
            "gauc_seconds": gauc_seconds,
            "auc": pooled,
            "auc_seconds": auc_seconds,
        }))
    }
}
