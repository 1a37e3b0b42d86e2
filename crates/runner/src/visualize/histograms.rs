//! What the rows of the datasets are like, for the report.

use super::goods::Goods;
use super::{read, store};
use anyhow::Result;
use ctr_core::{
    DataHistograms, Dataset, DatasetHistograms, DoublingBuckets, FIGURES_SCHEMA_VERSION,
    HISTOGRAMS_FILE,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes histograms of the datasets' training rows into a reports folder, beside those of other datasets there.
///
/// # Errors
/// When the file cannot be written.
pub fn write_histograms(datasets: &[Dataset], out: &Path) -> Result<()> {
    let path = out.join(HISTOGRAMS_FILE);
    let known = read::<DataHistograms>(&path)
        .filter(|known| known.schema_version == FIGURES_SCHEMA_VERSION);
    let mut all: Vec<DatasetHistograms> = known.map(|known| known.datasets).unwrap_or_default();
    for fresh in datasets.iter().map(histograms) {
        all.retain(|other| (&other.dataset, other.protocol) != (&fresh.dataset, fresh.protocol));
        all.push(fresh);
    }
    all.sort_by_cached_key(|of| (of.simulated, of.dataset.clone(), of.protocol.to_string()));
    let figure = DataHistograms { schema_version: FIGURES_SCHEMA_VERSION, datasets: all };
    store(&figure, &path)
}

fn histograms(dataset: &Dataset) -> DatasetHistograms {
    let train = &dataset.train;
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    for &user in &train.users {
        *rows.entry(user).or_default() += 1;
    }
    // Data without histories or categories has no goods to count.
    let goods = Goods::new(dataset);
    let clicks = goods.iter().flat_map(|goods| {
        let listed = goods.by_clicks().into_iter();
        listed.map(|good| u64::from(goods.clicks[good as usize])).collect::<Vec<_>>()
    });
    DatasetHistograms {
        dataset: dataset.id.clone(),
        content_sha256: dataset.content_sha256.clone(),
        protocol: dataset.protocol,
        simulated: dataset.simulated,
        history_lengths: DoublingBuckets::of(train.history_lengths.iter().map(|&n| u64::from(n))),
        clicks_of_goods: DoublingBuckets::of(clicks),
        rows_of_users: DoublingBuckets::of(rows.into_values()),
    }
}
