#![doc = include_str!("../README.md")]

mod activations;
mod builder;
mod derived;
mod distributed;
mod error;
mod exchange;
mod exhibits;
mod frame;
pub mod gradient_check;
mod graph;
mod init;
mod kernels;
mod layers;
mod lookup;
mod memory;
mod model;
pub mod model_checks;
mod ops;
mod optimizer;
mod persist;
mod rank;
mod regularizer;
mod shards;
mod step;
mod sums;
mod tasks;
mod trace;
mod weights;

pub use activations::Activations;
pub use builder::{ParameterId, StatisticsId, TableId, WeightsBuilder};
pub use distributed::{
    Alone, Communicator, FetchedRows, Parcels, Partition, ThreadRanks, Words, gather_bytes,
    read_metadata, read_spread, share_of, write_spread,
};
pub use error::{Error, Result};
pub use frame::{
    EmbeddingMlp, EmbeddingMlpConfig, FieldTables, LinearPart, embed_group, table_per_vocabulary,
};
pub use graph::{Graph, Matrix, Tape};
pub use init::Init;
pub use kernels::{View, Write, multiply, sigmoid};
pub use layers::{
    Activation, ActivationLayer, ActivationUnit, ActivationUnitConfig, AttentionNormalization,
    Dense, Gru, LayerNormalization, Mlp, Normalization, NormalizationLayer, TransformerBlock,
    TransformerConfig, UnitInputs,
};
pub use lookup::{CROSS_MIXING, Mixing, TableSource};
pub use model::{
    Architecture, BatchGradients, CtrModel, Network, RowGradients, ScoringMemory, StepReport,
};
pub use ops::{Pooling, Side};
pub use optimizer::{Optimizer, OptimizerConfig, OptimizerKind, Schedule};
pub use persist::{NamedTensors, StoredTensor};
pub use regularizer::{FeatureDropout, Occurrences, Penalty, PenaltyNorm, RowPenalties};
pub use trace::{Events, Operation, Step, Trace, Value};
pub use weights::{EmbeddingTable, Parameter, Statistics, Weights};

/// The tape of a training pass.
pub type Training = dfdx::tensor::OwnedTape<f32, dfdx::tensor::Cpu>;
/// The absent tape of a scoring pass.
pub type Scoring = dfdx::tensor::NoneTape;
