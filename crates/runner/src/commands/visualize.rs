//! `visualize`: figures 5 and 6 of one run.

use super::evaluate;
use super::reproduce::lock_report;
use crate::cli::{Figure, VisualizeArguments};
use crate::output;
use crate::visualize::{self, EmbeddingOptions, Look, file};
use anyhow::{Result, bail};
use ctr_core::{ACTIVATION_FILES, EMBEDDING_FILES};
use ctr_report::{write_activation, write_embedding};

pub fn visualize(arguments: &VisualizeArguments) -> Result<()> {
    let perplexity = arguments.perplexity;
    if !(perplexity >= 1.0 && perplexity.is_finite()) {
        bail!("--perplexity {perplexity}: expected a number from 1");
    }
    let stored = evaluate::load_from(&arguments.run, arguments.data.as_deref())?;
    let look = Look::new(&stored.directory, &stored.dataset, &stored.folder)?;
    let _lock = lock_report(&arguments.out)?;
    match arguments.figure {
        Figure::Activation => {
            let figure = visualize::activation(&look)?;
            visualize::store(&figure, &file(&arguments.out, ACTIVATION_FILES, &stored.dataset.id))?;
            let files = write_activation(&figure, &arguments.out)?;
            output::formatted(arguments.format, &figure, || {
                format!(
                    "events of the candidate's category weigh {:.3}, others {:.3}{}, over {} test rows\n{}\n{}",
                    figure.same_category,
                    figure.other_categories,
                    if figure.relative { " (1: all alike)" } else { "" },
                    figure.rows,
                    figure.source.rule,
                    told(&files)
                )
            })
        }
        Figure::Embedding => {
            let options = EmbeddingOptions { seed: arguments.seed, perplexity };
            let figure = visualize::embedding(&look, &options)?;
            visualize::store(&figure, &file(&arguments.out, EMBEDDING_FILES, &stored.dataset.id))?;
            let files = write_embedding(&figure, &arguments.out)?;
            output::formatted(arguments.format, &figure, || {
                format!(
                    "of the {} nearest neighbors of a good {:.1}% are of its category ({:.1}% on the map, {:.1}% by \
                     chance)\n{}\n{}",
                    figure.neighbors,
                    100.0 * figure.purity,
                    100.0 * figure.map_purity,
                    100.0 * figure.chance,
                    figure.source.rule,
                    told(&files)
                )
            })
        }
    }
}

fn told(files: &[std::path::PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    format!("written: {}\n", names.join(", "))
}
