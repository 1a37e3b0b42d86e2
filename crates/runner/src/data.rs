//! Finding, preparing and opening datasets.

use crate::config::RunConfig;
use crate::environment;
use crate::streamed::Shards;
use crate::suggest::did_you_mean;
use anyhow::{Context, Result, bail};
use ctr_core::{Dataset, FileLock, Part, Protocol, ShardReaders};
use ctr_dataset_prep::{
    KnownDataset, Manifest, PrepOptions, Prepared, SimulateOptions, ads_dataset_id, ads_scale,
    catalog, is_simulation_of, open_streamed, presets, read_manifest, simulate_ads,
    simulate_ads_in_shards,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Seed of negatives and simulations: the authors' code says 1234.
pub const DATA_SEED: u64 = 1234;
/// Where raw files lie unless told otherwise.
pub const RAW_FOLDER: &str = "datasets/raw";
/// Where prepared datasets lie unless told otherwise.
pub const PREPARED_FOLDER: &str = "datasets/prepared";

/// The dataset of one's own files.
const CUSTOM: &str = "custom";

/// The folders to look for raw files in: the given one, which must exist, then [`RAW_FOLDER`].
pub fn raw_folders(data_dir: Option<&Path>) -> Result<Vec<PathBuf>> {
    // An empty DATA_DIR in the environment is none.
    let given = data_dir.filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = given.filter(|folder| !folder.is_dir()) {
        bail!("the data folder {} does not exist", folder.display());
    }
    Ok(given.into_iter().map(Path::to_path_buf).chain([PathBuf::from(RAW_FOLDER)]).collect())
}

/// A dataset of the catalog. The simulated log of ads may have a scale in its name, which no published
/// count belongs to.
pub fn known(id: &str) -> Result<KnownDataset> {
    let all = catalog()?;
    let names: Vec<String> = all.iter().map(|dataset| dataset.id.clone()).collect();
    let listed = ads_scale(id).map_or_else(|| id.to_string(), |_| ads_dataset_id(1.0));
    let mut found = all.into_iter().find(|dataset| dataset.id == listed).with_context(|| {
        format!(
            "unknown dataset {id:?}: expected one of {}, or custom with --raw DIR{}",
            names.join(", "),
            did_you_mean(id, names.iter().map(String::as_str))
        )
    })?;
    if found.id != id {
        found.id = id.into();
        found.expected.clear();
    }
    Ok(found)
}

/// Prepares a dataset from raw files, or simulates it. `options.raw` is found where `raw` is none.
pub fn make(
    mut options: PrepOptions,
    raw: Option<&Path>,
    data_dir: Option<&Path>,
) -> Result<Prepared> {
    let id = options.id.clone();
    if presets().contains(&id.as_str()) {
        return simulate(&id, options.seed, 1.0, options.protocol);
    }
    options.raw = raw_folder(&id, raw, data_dir)?;
    Ok(ctr_dataset_prep::prepare(&options)?)
}

/// The folder with a dataset's raw files.
pub fn raw_folder(id: &str, raw: Option<&Path>, data_dir: Option<&Path>) -> Result<PathBuf> {
    Ok(match raw {
        Some(folder) => folder.to_path_buf(),
        None if id == CUSTOM => bail!(
            "custom needs --raw DIR with dataset.toml, or with the pair interactions.* (user, item, \
             order or timestamp) and items.* (item, cate)"
        ),
        None => {
            let dataset = known(id)?;
            let folders = raw_folders(data_dir)?;
            dataset.locate(&folders).with_context(|| {
                let looked: Vec<String> =
                    folders.iter().map(|folder| folder.display().to_string()).collect();
                format!("no files of {id} in {}; {}", looked.join(" or "), dataset.where_to_get())
            })?
        }
    })
}

/// Runs the simulator.
pub fn simulate(preset: &str, seed: u64, scale: f64, protocol: Protocol) -> Result<Prepared> {
    let known = presets();
    if !known.contains(&preset) {
        bail!(
            "unknown simulation {preset:?}: expected one of {}{}",
            known.join(", "),
            did_you_mean(preset, known.iter().copied())
        );
    }
    Ok(ctr_dataset_prep::simulate(&SimulateOptions {
        preset: preset.into(),
        seed,
        scale,
        protocol,
    })?)
}

/// Simulates the log of ads into a folder.
pub fn simulate_log(
    scale: f64,
    seed: u64,
    protocol: Protocol,
    shards: Option<u32>,
    out: &Path,
) -> Result<Manifest> {
    let options = log_options(scale, seed, protocol);
    Ok(match shards {
        None => simulate_ads(&options, out)?,
        Some(shards) => simulate_ads_in_shards(&options, shards, out)?,
    })
}

fn log_options(scale: f64, seed: u64, protocol: Protocol) -> SimulateOptions {
    SimulateOptions { preset: ads_dataset_id(1.0), seed, scale, protocol }
}

/// Opens a prepared dataset, with a hint when there is none.
pub fn open(dir: &Path, protocol: Option<Protocol>) -> Result<Dataset> {
    needs_manifest(dir)?;
    Ok(ctr_dataset_prep::open(dir, protocol)?)
}

fn needs_manifest(dir: &Path) -> Result<()> {
    if !dir.join("manifest.json").exists() {
        bail!(
            "{} holds no prepared dataset (no manifest.json): make one with `din-repro prep DATASET \
             --out {0}` or `din-repro simulate tiny --out {0}`",
            dir.display()
        );
    }
    Ok(())
}

/// Says which of several processes could not open what it needs.
fn as_rank<T>(readers: &dyn ShardReaders, opened: Result<T>, needs: &str) -> Result<T> {
    match readers.part() {
        Part::WHOLE => opened,
        Part { index, of } => opened.with_context(|| format!("rank {index} of {of} {needs}")),
    }
}

/// Opens a prepared dataset for runs of a configuration: the training rows stay in their shards where it streams
/// them, of which each of the readers reads some. Gives the configuration with what the data decides about it.
pub fn open_for(
    dir: &Path,
    protocol: Option<Protocol>,
    mut config: RunConfig,
    readers: &dyn ShardReaders,
) -> Result<(Dataset, Shards, RunConfig)> {
    let train = &mut config.train;
    if train.shuffle_buffer == 0 {
        return Ok((open(dir, protocol)?, None, config));
    }
    needs_manifest(dir)?;
    let manifest = read_manifest(dir)?;
    if let Some(sharding) = &manifest.shards {
        let rows = sharding.train_rows(protocol.unwrap_or(manifest.protocol));
        if rows.iter().sum::<u64>() <= train.shuffle_buffer {
            // The same bits as without the settings, so it is the same run.
            tracing::info!(
                "a shuffle buffer of {} holds all {} training rows: they are all in memory, as without it",
                train.shuffle_buffer,
                rows.iter().sum::<u64>()
            );
            (train.shuffle_buffer, train.shards) = (0, 0);
            let needs = "needs all shards, for the shuffle buffer holds all rows";
            let dataset = as_rank(readers, open(dir, protocol), needs)?;
            return Ok((dataset, None, config));
        }
        if ![0, rows.len() as u64].contains(&train.shards) {
            bail!(
                "{} has {} shards, the settings say train.shards={}: another number is another order of \
                 rows; prepare the data with --shards {2}, or leave train.shards out",
                dir.display(),
                rows.len(),
                train.shards
            );
        }
        train.shards = rows.len() as u64;
    }
    let opened = open_streamed(dir, protocol, readers).map_err(anyhow::Error::from);
    let needs = "reads the shards whose numbers leave its own when divided by the number of ranks";
    let (dataset, shards) = as_rank(readers, opened, needs)?;
    Ok((dataset, Some(Arc::new(shards)), config))
}

/// Where [`provide`] finds things, and what it may do.
#[derive(Clone, Copy, Debug)]
pub struct Places<'p> {
    /// Folder with raw files, looked at before [`RAW_FOLDER`].
    pub raw: Option<&'p Path>,
    /// Folder of prepared datasets.
    pub prepared: &'p Path,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

/// Prepares a known dataset, writes it below `prepared` when nothing is there or something else than what
/// the raw files give now, and gives it under each protocol, of which the first is the files' default. None
/// when there are no raw files, and no dataset at all when only writing would tell.
pub fn provide(
    id: &str,
    places: Places<'_>,
    protocols: &[Protocol],
) -> Result<Option<Vec<Dataset>>> {
    let folder = places.prepared.join(id);
    let _lock = if places.dry_run { None } else { Some(lock(id, places.prepared)?) };
    let protocol = protocols.first().copied().unwrap_or(Protocol::HeldOut);
    if let Some(scale) = ads_scale(id) {
        // Its content follows from what the manifest says, and it is larger than memory may be: it is
        // not drawn again to be compared.
        let options = log_options(scale, DATA_SEED, protocol);
        if !read_manifest(&folder).is_ok_and(|manifest| is_simulation_of(&manifest, &options)) {
            if places.dry_run {
                tracing::info!("{id}: would be simulated first; its runs are not listed");
                return Ok(Some(Vec::new()));
            }
            simulate_ads(&options, &folder).with_context(|| format!("simulating {id}"))?;
            tracing::info!("simulated {id} in {}", folder.display());
        }
        let open = |&protocol: &Protocol| open(&folder, Some(protocol));
        return Ok(Some(protocols.iter().map(open).collect::<Result<_>>()?));
    }
    let simulated = presets().contains(&id);
    if !simulated && known(id)?.locate(&raw_folders(places.raw)?).is_none() {
        return Ok(None);
    }
    let options = PrepOptions {
        seed: DATA_SEED,
        memory_limit: environment::half_of_memory(),
        ..PrepOptions::new(id, Path::new(""), protocol)
    };
    let fresh = make(options, None, places.raw).with_context(|| format!("preparing {id}"))?;
    let same = read_manifest(&folder)
        .is_ok_and(|manifest| manifest.content_sha256 == fresh.manifest().content_sha256);
    if !same && !places.dry_run {
        fresh.write(&folder)?;
        tracing::info!("prepared {id} in {}", folder.display());
    }
    let dataset = |&protocol: &Protocol| Ok(fresh.dataset(protocol)?);
    Ok(Some(protocols.iter().map(dataset).collect::<Result<_>>()?))
}

/// Two processes would do the same work, and one would read while the other replaces.
fn lock(id: &str, prepared: &Path) -> Result<FileLock> {
    std::fs::create_dir_all(prepared)
        .with_context(|| format!("cannot make the folder {}", prepared.display()))?;
    Ok(FileLock::wait(&prepared.join(format!(".{id}.lock")), || {
        tracing::info!("another process prepares {id}; waiting for it");
    })?)
}
