//! Figure 6: embeddings of goods on a map (paper, section 6.8).

use super::Look;
use super::goods::Goods;
use crate::environment;
use anyhow::{Context, Result, bail};
use bhtsne::tSNE;
use ctr_core::{Batch, EmbeddedGood, EmbeddingFigure, FieldReference, SeedStreams, Split};
use ctr_nn::{EmbeddingTable, ScoringMemory, TableSource, sigmoid};

/// Categories shown: as many as there are marks that people tell apart.
const CATEGORIES: usize = 6;
/// Goods of each, as in the paper.
const GOODS: usize = 100;
/// No map is drawn of categories with fewer goods.
const LEAST_GOODS: usize = 10;
/// Neighbors that purity looks at.
const NEIGHBORS: usize = 10;
/// Events of the history of the user whose probabilities are shown.
const HISTORY: usize = 8;
/// Steps of t-SNE, and how coarse its tree looks at far points: the usual values.
const STEPS: usize = 1000;
const THETA: f32 = 0.5;

/// What the map depends on, beside the run.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingOptions {
    /// Seed of the places that the map begins with.
    pub seed: u64,
    /// Neighbors that a point is to keep, roughly.
    pub perplexity: f32,
}

impl Default for EmbeddingOptions {
    fn default() -> Self {
        Self { seed: 1, perplexity: 30.0 }
    }
}

/// A map of embeddings of goods.
///
/// # Errors
/// When the data has too few goods or categories, or no user with a history.
pub fn embedding(look: &Look<'_>, options: &EmbeddingOptions) -> Result<EmbeddingFigure> {
    let goods = Goods::new(look.dataset)?;
    let (categories, each) = categories(&goods)?;
    let table = table(look)?;
    let points: Vec<(u32, u32)> = (0u32..)
        .zip(&categories)
        .flat_map(|(place, (_, of))| of[..each].iter().map(move |&good| (place, good)))
        .collect();
    let vectors: Vec<&[f32]> = points.iter().map(|&(_, good)| table.row(good)).collect();
    let map = map(&vectors, options)?;
    let row = viewer(look, &goods)?;
    let wanted: Vec<u32> = points.iter().map(|&(_, good)| good).collect();
    let (probabilities, history) = probabilities(look, &goods, row, &wanted)?;
    let labels: Vec<u32> = points.iter().map(|&(category, _)| category).collect();
    let places: Vec<&[f32]> = map.iter().map(|place| &place[..]).collect();
    let size = if each == GOODS {
        format!("with at least {GOODS} goods, {CATEGORIES} at most")
    } else {
        format!("with most goods, for fewer than two have {GOODS}")
    };
    let rule = format!(
        "Categories: the {} largest {size}; goods count that have no other category and at least one click in training. \
         Goods: the {each} of each with most clicks. User: the first of the test rows, in their order, with a click and \
         at least {HISTORY} events.",
        categories.len()
    );
    let name = |vocabulary: usize, id| look.names[vocabulary].name(id).to_string();
    Ok(EmbeddingFigure {
        source: look.source(rule),
        dim: table.dim as u32,
        seed: options.seed,
        perplexity: f64::from(perplexity(options, points.len())),
        neighbors: NEIGHBORS as u32,
        purity: purity(&vectors, &labels),
        map_purity: purity(&places, &labels),
        chance: (each - 1) as f64 / (points.len() - 1) as f64,
        user: look.dataset.test.users[row as usize],
        history,
        categories: categories
            .iter()
            .map(|&(category, _)| name(goods.category_vocabulary, category))
            .collect(),
        points: points
            .iter()
            .zip(&map)
            .zip(probabilities)
            .map(|((&(category, good), place), probability)| EmbeddedGood {
                name: name(goods.vocabulary, good),
                category,
                probability,
                place: place.map(f64::from),
            })
            .collect(),
    })
}

/// A category and its goods.
type Category = (u32, Vec<u32>);

/// The largest categories, each with its goods, most clicked first; and how many goods all of them have.
fn categories(goods: &Goods<'_>) -> Result<(Vec<Category>, usize)> {
    let mut of: std::collections::BTreeMap<u32, Vec<u32>> = std::collections::BTreeMap::new();
    for good in goods.by_clicks() {
        if let ([category], true) = (goods.categories(good), goods.clicks[good as usize] > 0) {
            of.entry(*category).or_default().push(good);
        }
    }
    let mut largest: Vec<Category> = of.into_iter().collect();
    largest.sort_by_key(|(_, goods)| std::cmp::Reverse(goods.len()));
    largest.truncate(CATEGORIES);
    // As many categories as have the paper's number of goods; when fewer than two have, the three largest.
    let large = largest.iter().filter(|(_, goods)| goods.len() >= GOODS).count();
    largest.truncate(if large >= 2 { large } else { 3 });
    let each = largest.iter().map(|(_, goods)| goods.len()).min().unwrap_or(0).min(GOODS);
    if largest.len() < 2 || each < LEAST_GOODS {
        bail!("the data has no two categories with {LEAST_GOODS} goods of their own");
    }
    Ok((largest, each))
}

/// The table of the goods' embeddings: the widest one that the candidate's first field reads.
fn table<'l>(look: &'l Look<'_>) -> Result<&'l EmbeddingTable> {
    let group = look.dataset.schema.candidate().context("the data has no candidates")?;
    let good = FieldReference { group, field: 0 };
    let tables = look.network.weights.tables.iter();
    let of_goods = tables.filter(
        |table| matches!(&table.source, TableSource::Fields(fields) if fields.contains(&good)),
    );
    let widest =
        of_goods.max_by_key(|table| table.dim).context("the model has no table of goods")?;
    if widest.dim < 2 {
        bail!(
            "the model has one weight a good, which is no embedding: take a run of another model"
        );
    }
    Ok(widest)
}

/// The test row whose user looks at the goods.
fn viewer(look: &Look<'_>, goods: &Goods<'_>) -> Result<u32> {
    let mut batch = Batch::default();
    let labels = &look.dataset.test.labels;
    for row in (0..labels.len() as u32).filter(|&row| labels[row as usize] == 1) {
        look.dataset.fill_batch(Split::Test, &[row], look.max_history(), &mut batch);
        if batch.groups[goods.behaviors].of_row(0).len() >= HISTORY {
            return Ok(row);
        }
    }
    bail!("no test row with a click has {HISTORY} events")
}

/// Probability that the row's user clicks on each of the goods, and the latest of the row's history.
fn probabilities(
    look: &Look<'_>,
    goods: &Goods<'_>,
    row: u32,
    wanted: &[u32],
) -> Result<(Vec<f64>, Vec<ctr_core::NamedGood>)> {
    let mut batch = Batch::default();
    let rows = vec![row; wanted.len()];
    look.dataset.fill_batch(Split::Test, &rows, look.max_history(), &mut batch);
    goods.set_candidates(&mut batch, wanted);
    let logits = look.network.score(&batch, &mut ScoringMemory::default())?;
    let events = batch.groups[goods.behaviors].of_row(0);
    let latest = events.end.saturating_sub(HISTORY).max(events.start)..events.end;
    let named = |event| {
        let (good, categories) = goods.of_event(&batch, event);
        goods.named(&look.names, good, categories)
    };
    Ok((
        logits.iter().map(|&logit| f64::from(sigmoid(logit))).collect(),
        latest.map(named).collect(),
    ))
}

/// The perplexity asked for, or as much of it as so few points allow.
fn perplexity(options: &EmbeddingOptions, points: usize) -> f32 {
    options.perplexity.min((points as f32 - 1.0) / 4.0)
}

/// t-SNE (Barnes-Hut) of the vectors. On one thread, so that sums have one order and the map the same bits.
fn map(vectors: &[&[f32]], options: &EmbeddingOptions) -> Result<Vec<[f32; 2]>> {
    let mut draws = SeedStreams::new(options.seed).stream("figure6/places");
    let places: Vec<f32> = (0..2 * vectors.len()).map(|_| 1e-4 * draws.normal() as f32).collect();
    let perplexity = perplexity(options, vectors.len());
    let flat = environment::pool(1)?.install(|| {
        let mut tsne: tSNE<'_, f32, &[f32]> = tSNE::new(vectors);
        tsne.perplexity(perplexity).epochs(STEPS).initial_embedding(places);
        tsne.barnes_hut(THETA, |one, other| distance(one, other).sqrt());
        tsne.embedding()
    });
    if flat.iter().any(|value| !value.is_finite()) {
        bail!("t-SNE gave no places: are all embeddings equal?");
    }
    Ok(flat.chunks_exact(2).map(|place| [place[0], place[1]]).collect())
}

/// Squared Euclidean distance.
fn distance(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Mean share of a point's nearest neighbors that have its label.
fn purity(points: &[&[f32]], labels: &[u32]) -> f64 {
    let mut sum = 0.0;
    for (index, point) in points.iter().enumerate() {
        let mut others: Vec<(f32, usize)> = (0..points.len())
            .filter(|&other| other != index)
            .map(|other| (distance(point, points[other]), other))
            .collect();
        others.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let nearest = &others[..NEIGHBORS.min(others.len())];
        let same = nearest.iter().filter(|(_, other)| labels[*other] == labels[index]).count();
        sum += same as f64 / nearest.len().max(1) as f64;
    }
    sum / points.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds of points in five dimensions.
    fn clouds() -> (Vec<Vec<f32>>, Vec<u32>) {
        let mut draws = SeedStreams::new(3).stream("clouds");
        let points = (0..80)
            .map(|point| {
                let middle = if point % 2 == 0 { 0.0 } else { 4.0 };
                (0..5).map(|_| middle + draws.normal() as f32).collect()
            })
            .collect();
        (points, (0..80).map(|point| point % 2).collect())
    }

    #[test]
    fn purity_tells_clouds_from_chance() {
        let (points, labels) = clouds();
        let points: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        assert_eq!(purity(&points, &labels), 1.0);
        let halves: Vec<u32> = (0..80).map(|point| point / 40).collect();
        let by_chance = purity(&points, &halves);
        assert!((by_chance - 39.0 / 79.0).abs() < 0.1, "{by_chance}");
    }

    #[test]
    fn maps_keep_clouds_apart_and_repeat() {
        let (points, labels) = clouds();
        let points: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let options = EmbeddingOptions { seed: 1, perplexity: 10.0 };
        let first = map(&points, &options).unwrap();
        assert_eq!(first, map(&points, &options).unwrap());
        assert_ne!(first, map(&points, &EmbeddingOptions { seed: 2, ..options }).unwrap());
        let places: Vec<&[f32]> = first.iter().map(|place| &place[..]).collect();
        assert!(purity(&places, &labels) > 0.95);
    }
}
