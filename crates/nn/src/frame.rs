//! What the paper's models share: embeddings of all groups, the MLP on top, and the linear part.

use crate::{
    Activation, Dense, Error, Graph, Init, Matrix, Mlp, Normalization, NormalizationLayer,
    ParameterId, Pooling, Result, TableId, TableSource, Tape, WeightsBuilder,
};
use ctr_core::{FieldReference, Role, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings of the Embedding&MLP frame ("Base Model", section 4.1 and figure 2 left).
///
/// | name | default | source |
/// |---|---|---|
/// | `embedding_dim` | 64 | authors' code for Amazon (64 goods + 64 category); 12 in the paper's Alibaba setting |
/// | `embedding_init` | glorot_uniform | TensorFlow 1's default, so the authors' code |
/// | `hidden_units` | [80, 40] | authors' code; 200, 80 in the paper's Alibaba setting |
/// | `activation` | sigmoid | authors' code; the paper says PReLU (or Dice) |
/// | `normalization` | frozen | authors' code, on the user vector and on the MLP's input; the paper has none |
/// | `user_projection` | true | authors' code: a linear layer of equal width on the user vector |
/// | `item_bias` | true | authors' code: a learned number per good, added to the logit |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingMlpConfig {
    /// Numbers a table row, for every vocabulary.
    pub embedding_dim: usize,
    /// How tables begin.
    pub embedding_init: Init,
    /// Widths of the MLP's hidden layers.
    pub hidden_units: Vec<usize>,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// Normalization of the user vector and of the MLP's input.
    pub normalization: Normalization,
    /// A linear layer on the user vector.
    pub user_projection: bool,
    /// A bias per id of the candidate's first field.
    pub item_bias: bool,
}

impl Default for EmbeddingMlpConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 64,
            embedding_init: Init::GlorotUniform,
            hidden_units: vec![80, 40],
            activation: Activation::Sigmoid,
            normalization: Normalization::Frozen,
            user_projection: true,
            item_bias: true,
        }
    }
}

/// Table and column of each embedded field.
pub type FieldTables = BTreeMap<FieldReference, (TableId, usize)>;

/// One table for each vocabulary of the schema, shared by all fields of that vocabulary.
pub fn table_per_vocabulary(
    builder: &mut WeightsBuilder<'_>,
    schema: &Schema,
    dim: usize,
    init: Init,
) -> FieldTables {
    let all: Vec<FieldReference> =
        (0..schema.groups.len()).flat_map(|group| schema.fields_of(group)).collect();
    let mut tables = FieldTables::new();
    for (index, vocabulary) in schema.vocabularies.iter().enumerate() {
        let fields: Vec<FieldReference> =
            all.iter().copied().filter(|&field| schema.field(field).vocabulary == index).collect();
        if fields.is_empty() {
            continue;
        }
        let source = TableSource::Fields(fields.clone());
        let table = builder.table(&vocabulary.name, vocabulary.size as usize, dim, init, source);
        tables
            .extend(fields.into_iter().enumerate().map(|(column, field)| (field, (table, column))));
    }
    tables
}

/// The embeddings of some fields side by side: one row an event of their group.
///
/// # Errors
/// When a field has no table or the fields have different numbers of events.
pub fn embed_group<T: Tape>(
    graph: &mut Graph<'_, T>,
    tables: &FieldTables,
    fields: &[FieldReference],
) -> Result<Matrix> {
    let parts = fields
        .iter()
        .map(|field| {
            tables.get(field).copied().ok_or_else(|| {
                Error::Config(format!(
                    "field {} of group {} has no table",
                    field.field, field.group
                ))
            })
        })
        .collect::<Result<Vec<_>>>()?;
    graph.embed(&parts)
}

/// Embeddings of all groups, then an MLP. Models add what distinguishes them.
#[derive(Clone, Debug)]
pub struct EmbeddingMlp {
    tables: FieldTables,
    behaviors: Vec<FieldReference>,
    behaviors_group: usize,
    candidate: Vec<FieldReference>,
    others: Vec<FieldReference>,
    vector_dim: usize,
    user_normalization: NormalizationLayer,
    user_projection: Option<Dense>,
    input_normalization: NormalizationLayer,
    mlp: Mlp,
    item_bias: Option<TableId>,
}

impl EmbeddingMlp {
    /// The frame of a model whose MLP reads the user vector, the candidate, all other groups and
    /// `extra_blocks` further blocks as wide as the user vector.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        schema: &Schema,
        config: &EmbeddingMlpConfig,
        extra_blocks: usize,
    ) -> Result<Self> {
        let (Some(behaviors_group), Some(candidate_group)) =
            (schema.behaviors(), schema.candidate())
        else {
            return Err(Error::Config(
                "this model needs a behaviors group and a candidate group".into(),
            ));
        };
        if config.embedding_dim == 0 || config.hidden_units.contains(&0) {
            return Err(Error::Config("embedding_dim and hidden_units must be at least 1".into()));
        }
        let tables = table_per_vocabulary(
            &mut builder.scope("embedding"),
            schema,
            config.embedding_dim,
            config.embedding_init,
        );
        let behaviors = schema.fields_of(behaviors_group);
        let candidate = schema.candidate_like_behaviors();
        let others: Vec<FieldReference> = (0..schema.groups.len())
            .filter(|&group| schema.groups[group].role != Role::Behaviors)
            .flat_map(|group| schema.fields_of(group))
            .filter(|field| !candidate.contains(field))
            .collect();
        let vector_dim = behaviors.len() * config.embedding_dim;
        let inputs = (2 + extra_blocks) * vector_dim + others.len() * config.embedding_dim;
        let mut user = builder.scope("user");
        let user_normalization =
            NormalizationLayer::build(&mut user, config.normalization, vector_dim)?;
        let user_projection = config
            .user_projection
            .then(|| Dense::build(&mut user, "projection", vector_dim, vector_dim))
            .transpose()?;
        let mut mlp = builder.scope("mlp");
        let input_normalization =
            NormalizationLayer::build(&mut mlp, config.normalization, inputs)?;
        let mlp = Mlp::build(&mut mlp, inputs, &config.hidden_units, config.activation)?;
        let item_bias = config.item_bias.then(|| {
            let field = FieldReference { group: candidate_group, field: 0 };
            builder.table(
                "item_bias",
                schema.vocabulary(field).size as usize,
                1,
                Init::Constant(0.0),
                TableSource::Fields(vec![field]),
            )
        });
        Ok(Self {
            tables,
            behaviors,
            behaviors_group,
            candidate,
            others,
            vector_dim,
            user_normalization,
            user_projection,
            input_normalization,
            mlp,
            item_bias,
        })
    }

    /// Width of a behavior, of the candidate and of the user vector.
    pub fn vector_dim(&self) -> usize {
        self.vector_dim
    }

    /// Event boundaries of the behaviors, rows + 1 of them.
    pub fn offsets<T: Tape>(&self, graph: &Graph<'_, T>) -> Arc<Vec<u32>> {
        graph.offsets(self.behaviors_group)
    }

    /// Embedded behaviors: events × d.
    ///
    /// # Errors
    /// When the batch does not fit the schema.
    pub fn behaviors<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        embed_group(graph, &self.tables, &self.behaviors)
    }

    /// The candidate's fields that behaviors have too, embedded: rows × d.
    ///
    /// # Errors
    /// When the batch does not fit the schema.
    pub fn candidate<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        embed_group(graph, &self.tables, &self.candidate)
    }

    /// The user vector of the models without attention: behaviors pooled, then [`EmbeddingMlp::user`].
    ///
    /// # Errors
    /// When the batch does not fit the schema.
    pub fn pooled_user<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        pooling: Pooling,
    ) -> Result<Matrix> {
        let behaviors = self.behaviors(graph)?;
        let offsets = self.offsets(graph);
        let pooled = graph.pool(&behaviors, &offsets, pooling)?;
        let user = self.user(graph, pooled)?;
        if graph.shared_history { graph.repeat_first_row(&user) } else { Ok(user) }
    }

    /// Normalization and projection of a user vector, where configured.
    ///
    /// # Errors
    /// When the width is not d.
    pub fn user<T: Tape>(&self, graph: &mut Graph<'_, T>, interest: Matrix) -> Result<Matrix> {
        let normalized = self.user_normalization.forward(graph, interest)?;
        match &self.user_projection {
            Some(dense) => dense.forward(graph, &normalized),
            None => Ok(normalized),
        }
    }

    /// The MLP's logit (rows × 1) of the given blocks and all other groups, plus the item bias.
    ///
    /// # Errors
    /// When the blocks are not those promised to [`EmbeddingMlp::build`].
    pub fn logit<T: Tape>(&self, graph: &mut Graph<'_, T>, blocks: &[&Matrix]) -> Result<Matrix> {
        let others = if self.others.is_empty() {
            None
        } else {
            Some(embed_group(graph, &self.tables, &self.others)?)
        };
        let all: Vec<&Matrix> = blocks.iter().copied().chain(others.as_ref()).collect();
        let input = graph.concat(&all)?;
        let input = self.input_normalization.forward(graph, input)?;
        let logit = self.mlp.forward(graph, &input)?;
        match self.item_bias {
            Some(table) => {
                let bias = graph.embed(&[(table, 0)])?;
                graph.add(&logit, &bias)
            }
            None => Ok(logit),
        }
    }
}

/// One weight for each id of each field, summed over all fields of a row, plus a bias: logistic regression,
/// and the first-order part of a factorization machine.
///
/// Fields of one vocabulary share embeddings, but not these weights: the input is the groups' encodings one
/// after the other (section 4.1), so a good visited and the same good as the candidate are two features.
/// With one weight for both, what a history says of its user would move the popularity of its goods.
#[derive(Clone, Debug)]
pub struct LinearPart {
    tables: FieldTables,
    groups: Vec<(Role, usize, Vec<FieldReference>)>,
    bias: ParameterId,
    pooling: Pooling,
}

impl LinearPart {
    /// Weights for every field; all begin at 0. `pooling` says whether a history counts by the sum
    /// or the mean of its weights.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        schema: &Schema,
        pooling: Pooling,
    ) -> Result<Self> {
        let mut builder = builder.scope("linear");
        let mut tables = FieldTables::new();
        for (index, group) in schema.groups.iter().enumerate() {
            let mut builder = builder.scope(&group.name);
            for reference in schema.fields_of(index) {
                let table = builder.table(
                    &schema.field(reference).name,
                    schema.vocabulary(reference).size as usize,
                    1,
                    Init::Constant(0.0),
                    TableSource::Fields(vec![reference]),
                );
                tables.insert(reference, (table, 0));
            }
        }
        let groups = schema
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| (group.role, index, schema.fields_of(index)))
            .collect();
        let bias = builder.parameter("bias", 1, 1, Init::Constant(0.0))?;
        Ok(Self { tables, groups, bias, pooling })
    }

    /// Rows × 1.
    ///
    /// # Errors
    /// When the batch does not fit the schema.
    pub fn logit<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let mut parts = Vec::with_capacity(self.groups.len());
        for (role, index, fields) in &self.groups {
            let weights = embed_group(graph, &self.tables, fields)?;
            parts.push(if *role == Role::Behaviors {
                let offsets = graph.offsets(*index);
                graph.pool(&weights, &offsets, self.pooling)?
            } else {
                weights
            });
        }
        let weights = graph.concat(&parts.iter().collect::<Vec<_>>())?;
        graph.sum_columns(&weights, Some(self.bias))
    }
}
