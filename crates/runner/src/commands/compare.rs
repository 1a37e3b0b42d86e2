//! `compare`: is one model better than another, beyond users and seeds?

use crate::cli::CompareArguments;
use crate::job::{self, RECORD_FILE};
use crate::output;
use anyhow::{Context, Result, bail};
use ctr_core::{RunRecord, Signature, Status};
use ctr_metrics::{
    GaucVariant, PairedComparison, Resampling, SeededUsers, UserAuc, compare_paired, rela_impr,
    standard_error, user_aucs,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Runs that differ in their seed only.
struct Group {
    runs: Vec<(RunRecord, Vec<UserAuc>)>,
}

pub fn compare(arguments: &CompareArguments) -> Result<()> {
    let first = load(&arguments.first)?;
    let second = load(&arguments.second)?;
    let (one, other) = (first.record()?, second.record()?);
    if one.dataset.content_sha256 != other.dataset.content_sha256 || one.protocol != other.protocol
    {
        bail!(
            "{} ran on {} ({}, content {}), {} on {} ({}, content {}): only runs on the same rows can be \
             compared",
            arguments.first,
            one.dataset.id,
            one.protocol,
            one.dataset.content_sha256,
            arguments.second,
            other.dataset.id,
            other.protocol,
            other.dataset.content_sha256
        );
    }
    let resampling = Resampling { resamples: arguments.resamples as usize, seed: arguments.seed };
    let found = compare_paired(&first.seeded(), &second.seeded(), resampling)?;
    let percent = rela_impr(first.mean()?, second.mean()?)?;
    let value = json!({
        "first": first.value()?,
        "second": second.value()?,
        "effect": found.effect,
        "interval_95": [found.interval.0, found.interval.1],
        "p_bootstrap": found.p_bootstrap,
        "p_permutation": found.p_permutation,
        "standard_error_users": found.standard_error_users,
        "standard_error_seeds": found.standard_error_seeds,
        "users": found.users,
        "runs": [found.runs.0, found.runs.1],
        "paired_by_seed": found.paired_seeds,
        "rela_impr_percent": percent,
        "resamples": resampling.resamples,
        "seed": resampling.seed,
    });
    output::formatted(arguments.format, &value, || text(&first, &second, &found, percent))
}

fn text(first: &Group, second: &Group, found: &PairedComparison, percent: f64) -> String {
    let seeds = match found.standard_error_seeds {
        Some(error) => format!("{error:.5} from seeds"),
        None => "one seed: other seeds may say otherwise".into(),
    };
    let paired = if found.paired_seeds { "paired by seed" } else { "no seed in common" };
    format!(
        "A  {}\nB  {}\nA − B  {:+.5}  95% interval {:+.5} to {:+.5}  RelaImpr {percent:+.2}%\n\
         p  {:.5} by permutation of users, {:.5} by bootstrap over users and seeds\n\
         standard error  {:.5} from users, {seeds}\n\
         {} users, {} and {} runs ({paired}); {} resamples from seed {}",
        first.line(),
        second.line(),
        found.effect,
        found.interval.0,
        found.interval.1,
        found.p_permutation,
        found.p_bootstrap,
        found.standard_error_users,
        output::grouped(found.users as u64),
        found.runs.0,
        found.runs.1,
        output::grouped(found.resampling.resamples as u64),
        found.resampling.seed,
    )
}

/// All runs that a text names.
fn load(named: &str) -> Result<Group> {
    let folders = folders(named)?;
    let mut runs: Vec<(RunRecord, Vec<UserAuc>)> = Vec::new();
    for folder in &folders {
        let record = job::read_record(folder)?;
        if record.status == Status::Diverged {
            tracing::info!("{}: diverged, left out", folder.display());
            continue;
        }
        if let Some((one, _)) = runs.first()
            && (one.config_sha256 != record.config_sha256
                || one.dataset.content_sha256 != record.dataset.content_sha256
                || one.protocol != record.protocol)
        {
            bail!(
                "{named}: its runs are not of one configuration ({} seed {} and {} seed {} differ in \
                 more than the seed): narrow the pattern",
                one.model.id,
                one.seed,
                record.model.id,
                record.seed
            );
        }
        let path = folder.join(job::PREDICTIONS_FILE);
        let rows = ctr_dataset_prep::read_predictions(&path)?;
        let users = user_aucs(&rows.users, &rows.labels, &rows.scores, GaucVariant::Paper)
            .with_context(|| path.display().to_string())?;
        if !runs.iter().any(|(other, _)| other.seed == record.seed) {
            runs.push((record, users));
        }
    }
    if runs.is_empty() {
        bail!("{named}: no finished run there");
    }
    runs.sort_by_key(|(record, _)| record.seed);
    Ok(Group { runs })
}

/// A run directory, all runs of a folder, or all that fit a pattern whose last part has a *.
fn folders(named: &str) -> Result<Vec<PathBuf>> {
    let path = Path::new(named);
    if path.join(RECORD_FILE).is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let last = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (parent, pattern) = match last {
        Some(last) if last.contains('*') => {
            (path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf), last)
        }
        _ => (path.to_path_buf(), "*".into()),
    };
    let parent = if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent };
    let entries = std::fs::read_dir(&parent).with_context(|| {
        format!("{named} is no run (no {RECORD_FILE}) and {} cannot be read", parent.display())
    })?;
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if fits(&pattern, &name) && folder.join(RECORD_FILE).is_file() {
            found.push(folder);
        }
    }
    found.sort();
    if found.is_empty() {
        bail!("{named}: no finished run (a folder with {RECORD_FILE}) there");
    }
    Ok(found)
}

/// Whether a name fits a pattern in which * stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

impl Group {
    fn record(&self) -> Result<&RunRecord> {
        Ok(&self.runs.first().context("no run")?.0)
    }

    fn seeded(&self) -> Vec<SeededUsers<'_>> {
        self.runs.iter().map(|(record, users)| SeededUsers { seed: record.seed, users }).collect()
    }

    fn values(&self) -> Vec<f64> {
        self.runs.iter().filter_map(|(record, _)| record.metrics.test_gauc).collect()
    }

    fn mean(&self) -> Result<f64> {
        let values = self.values();
        if values.is_empty() {
            bail!("no run has a test gAUC");
        }
        Ok(values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Deviation over seeds; none for one.
    fn std(&self) -> Option<f64> {
        let (values, mean) = (self.values(), self.mean().ok()?);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
    }

    fn signature(&self) -> Result<String> {
        let record = self.record()?;
        let signature: Signature = record.signature.parse()?;
        Ok(signature.set("seeds", self.runs.len()).to_string())
    }

    /// The standard error from users, of the first run where there are several.
    fn users_error(&self) -> Option<f64> {
        standard_error(&self.runs.first()?.1)
    }

    fn value(&self) -> Result<Value> {
        let ids: Vec<&str> = self.runs.iter().map(|(record, _)| record.run_id.as_str()).collect();
        Ok(json!({
            "model": self.record()?.model.id,
            "test_gauc": self.mean()?,
            "std": self.std(),
            "n": self.runs.len(),
            "runs": ids,
            "signature": self.signature()?,
        }))
    }

    fn line(&self) -> String {
        let mean = self.mean().unwrap_or(f64::NAN);
        let spread = self.std().map_or(String::new(), |std| format!(" ± {std:.4}"));
        let users = self
            .users_error()
            .map_or(String::new(), |error| format!(", s.e. of a run from users {error:.4}"));
        let model = self.record().map_or("", |record| &record.model.id);
        let signature = self.signature().unwrap_or_default();
        format!("{model}: {mean:.4}{spread} (n={}{users})  {signature}", self.runs.len())
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_text() {
        assert!(fits("*", "anything") && fits("a*", "a") && fits("a*c*e", "abcde"));
        assert!(fits("din-seed*", "din-seed3-1a2b") && fits("a*b*b", "abbb"));
        assert!(!fits("din-seed*", "din_dice-seed3") && !fits("a*e", "abcd") && !fits("a", "ab"));
        assert!(!fits("a*bb", "ab"));
    }
}
