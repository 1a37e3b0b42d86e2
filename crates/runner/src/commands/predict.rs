//! `predict`: scores of rows that no split has.

use super::evaluate::{self, Stored};
use super::pool;
use crate::cli::{IdForm, PredictArguments, UnknownId};
use crate::failure::Failure;
use crate::{interrupt, job, output};
use anyhow::Result;
use ctr_core::{Batch, Schema};
use ctr_dataset_prep::{FieldIds, ScoringRows, TableWriter, Unknown, UnknownIds, read_keys};
use ctr_nn::{Network, ScoringMemory, sigmoid};
use rayon::prelude::*;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

pub fn predict(arguments: &PredictArguments) -> Result<()> {
    let begun = Instant::now();
    if same_file(&arguments.input, &arguments.output) {
        let path = arguments.input.display();
        anyhow::bail!(
            "{path} is both --input and --output, which would lose the rows: write to another file"
        );
    }
    let stored = evaluate::load_from(&arguments.run, arguments.data.as_deref())?;
    let schema = stored.config.regularizer.features(&stored.dataset)?.schema.clone();
    let ids = ids(&stored, &schema, arguments.ids)?;
    let history = stored.history_limit();
    let Stored { directory, record, config, dataset, .. } = stored;
    let network = job::stored_network(&directory, &config, &schema, &record)?;
    // All else of it is known; new rows may need the memory.
    let whole = dataset.schema.clone();
    drop(dataset);
    let unknown = match arguments.unknown {
        UnknownId::Zero => Unknown::Reserved,
        UnknownId::Error => Unknown::Error,
    };
    let mut rows = ScoringRows::open(&arguments.input, (&schema, &whole), &ids, history, unknown)?;
    let mut table = TableWriter::new(&arguments.output)?;
    let threads = pool(arguments.threads)?;
    let mut count = 0;
    while let Some(piece) = rows.next_piece(arguments.batch_size as usize)? {
        let size = config.train.evaluation_batch_size;
        let scores = threads.install(|| score(&network, &piece.batch, size))?;
        let probabilities: Vec<f32> = scores.iter().map(|&score| sigmoid(score)).collect();
        table.append_scored(piece.passed, &scores, &probabilities)?;
        count += scores.len() as u64;
        if interrupt::flag().load(Ordering::Relaxed) {
            let reason = format!("{} was not written", arguments.output.display());
            return Err(Failure::Interrupted(reason).into());
        }
    }
    if count == 0 {
        anyhow::bail!("{} has no rows: give at least one", arguments.input.display());
    }
    table.finish()?;
    let seconds = begun.elapsed().as_secs_f64();
    let value = json!({
        "run_id": record.run_id,
        "rows": count,
        "unknown_ids": rows.unknown_ids,
        "seconds": seconds,
        "output": arguments.output,
    });
    output::formatted(arguments.format, &value, || {
        format!(
            "{} rows scored in {seconds:.1} s, {}\n{}",
            output::grouped(count),
            unknown_text(&rows.unknown_ids),
            arguments.output.display()
        )
    })
}

fn unknown_text(unknown: &UnknownIds) -> String {
    if unknown.is_empty() {
        return "no unknown ids".into();
    }
    let parts: Vec<String> = unknown
        .iter()
        .map(|(name, &count)| format!("{} in {name}", output::grouped(count)))
        .collect();
    format!("unknown ids, scored as the reserved id 0: {}", parts.join(", "))
}

/// How texts become ids, for each vocabulary of the run's schema.
fn ids(stored: &Stored, schema: &Schema, form: IdForm) -> Result<Vec<FieldIds>> {
    let keys = match form {
        IdForm::Keys => read_keys(&stored.folder)?,
        IdForm::Numbers => Vec::new(),
    };
    let of = |vocabulary: &ctr_core::Vocabulary| {
        let keys = keys.iter().find(|keys| keys.vocabulary == vocabulary.name);
        let ids = FieldIds::new(vocabulary.size, keys);
        let kept = stored.config.regularizer.kept_ids(&stored.dataset, &vocabulary.name)?;
        Ok(match kept {
            Some((kept, everywhere)) => ids.keep(kept, everywhere),
            None => ids,
        })
    };
    schema.vocabularies.iter().map(of).collect()
}

/// Logits of a batch, in parts of the size that evaluations have.
fn score(network: &Network, batch: &Batch, size: usize) -> Result<Vec<f32>> {
    let starts: Vec<usize> = (0..batch.rows()).step_by(size).collect();
    let parts: Vec<Vec<f32>> = starts
        .into_par_iter()
        .map_init(
            || (Batch::default(), ScoringMemory::default()),
            |(part, memory), start| {
                batch.copy_rows(start..(start + size).min(batch.rows()), part);
                network.score(part, memory)
            },
        )
        .collect::<ctr_nn::Result<_>>()?;
    Ok(parts.concat())
}

/// Whether two paths lead to one file.
fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}
