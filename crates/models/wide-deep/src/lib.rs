#![doc = include_str!("../README.md")]
//! ## The model
//!
//! Wide&Deep (Cheng et al., DLRS 2016; paper, section 6.2; authors' code `wide_deep/model.py`): BaseModel
//! plus a linear "wide" part on hand-made crosses.

use ctr_core::{FieldReference, Schema, SeedStreams};
use ctr_nn::{
    Architecture, Dense, EmbeddingMlp, EmbeddingMlpConfig, Error, Graph, Init, Matrix, Network,
    Pooling, Result, TableId, TableSource, Tape, Weights, WeightsBuilder,
};
use serde::{Deserialize, Serialize};

/// Which wide part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wide {
    /// The paper: cross-product features of the user's behaviors and the candidate. One weight for each
    /// pair (behavior's id, candidate's id) of each field that both have, hashed into `cross_buckets`.
    Crosses,
    /// The authors' code: a linear layer on three single coordinates of u ⊙ i, the first, the last and
    /// the middle one (0, 127 and 64 of 128).
    AuthorsProducts,
}

/// Settings.
///
/// | name | default | source |
/// |---|---|---|
/// | `pooling` | mean | authors' code |
/// | `wide` | authors_products | authors' code |
/// | `cross_buckets` | 1,048,576 | ours: hashing keeps the table bounded; at Amazon's size collisions are few among the pairs that occur in training |
/// | `network` | see [`EmbeddingMlpConfig`] | authors' code |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WideDeepConfig {
    /// How the history becomes one vector.
    pub pooling: Pooling,
    /// Which wide part.
    pub wide: Wide,
    /// Rows of each table of crosses.
    pub cross_buckets: usize,
    /// Embeddings and MLP.
    pub network: EmbeddingMlpConfig,
}

impl Default for WideDeepConfig {
    fn default() -> Self {
        Self {
            pooling: Pooling::Mean,
            wide: Wide::AuthorsProducts,
            cross_buckets: 1 << 20,
            network: EmbeddingMlpConfig::default(),
        }
    }
}

#[derive(Clone, Debug)]
enum WidePart {
    Crosses { tables: Vec<TableId> },
    AuthorsProducts { dense: Dense, coordinates: [usize; 3] },
}

/// Wide&Deep.
#[derive(Clone, Debug)]
pub struct WideDeep {
    frame: EmbeddingMlp,
    wide: WidePart,
    pooling: Pooling,
}

impl WideDeep {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(
        schema: &Schema,
        config: &WideDeepConfig,
        seeds: SeedStreams,
    ) -> Result<Network> {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, 0)?;
        let mut builder = builder.scope("wide");
        let wide = match config.wide {
            Wide::Crosses => {
                if config.cross_buckets < 2 || u32::try_from(config.cross_buckets).is_err() {
                    return Err(Error::Config(format!(
                        "cross_buckets is {}, expected 2 to 4294967295",
                        config.cross_buckets
                    )));
                }
                WidePart::Crosses { tables: cross_tables(&mut builder, schema, config) }
            }
            Wide::AuthorsProducts => {
                let width = frame.vector_dim();
                WidePart::AuthorsProducts {
                    dense: Dense::build(&mut builder, "dense", 3, 1)?,
                    coordinates: [0, width - 1, width / 2],
                }
            }
        };
        Ok(Network::new(Self { frame, wide, pooling: config.pooling }, weights))
    }
}

fn cross_tables(
    builder: &mut WeightsBuilder<'_>,
    schema: &Schema,
    config: &WideDeepConfig,
) -> Vec<TableId> {
    let behaviors: Vec<FieldReference> =
        schema.behaviors().map(|group| schema.fields_of(group)).unwrap_or_default();
    behaviors
        .into_iter()
        .zip(schema.candidate_like_behaviors())
        .map(|(behavior, candidate)| {
            builder.table(
                &format!("cross_{}", schema.field(behavior).name),
                config.cross_buckets,
                1,
                Init::Constant(0.0),
                TableSource::Crosses { behavior, candidate },
            )
        })
        .collect()
}

impl Architecture for WideDeep {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let user = self.frame.pooled_user(graph, self.pooling)?;
        let candidate = self.frame.candidate(graph)?;
        let deep = self.frame.logit(graph, &[&user, &candidate])?;
        let wide = match &self.wide {
            WidePart::Crosses { tables } => {
                let parts: Vec<(TableId, usize)> = tables.iter().map(|&table| (table, 0)).collect();
                let crosses = graph.embed(&parts)?;
                let offsets = self.frame.offsets(graph);
                let pooled = graph.pool(&crosses, &offsets, Pooling::Sum)?;
                graph.sum_columns(&pooled, None)?
            }
            WidePart::AuthorsProducts { dense, coordinates } => {
                let product = graph.multiply(&user, &candidate)?;
                let three = graph.columns(&product, coordinates)?;
                dense.forward(graph, &three)?
            }
        };
        graph.add(&deep, &wide)
    }
}
