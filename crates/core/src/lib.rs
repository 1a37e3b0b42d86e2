#![doc = include_str!("../README.md")]

mod ab_test;
mod batch;
mod canonical;
mod dataset;
mod error;
mod exhibit;
mod features;
mod figures;
mod files;
mod lock;
mod panics;
mod record;
mod schema;
mod seed;
mod shards;
mod signature;
mod workshop;

pub use ab_test::{AB_TEST_SCHEMA_VERSION, AbArm, AbDay, AbTestRecord, Latency};
pub use batch::{Batch, EventColumn, GroupEvents};
pub use canonical::{Digest, canonical_json, sha256_hex, sha256_number, sha256_of_file};
pub use dataset::{Dataset, Protocol, Samples, Sequences, Split};
pub use error::{Error, Result};
pub use exhibit::{EXHIBIT_FILE, EXHIBIT_SCHEMA_VERSION, ExhibitRecord};
pub use features::TrainingCounts;
pub use figures::{
    ACTIVATION_FILES, ActivatedEvent, ActivatedUser, ActivationFigure, DataHistograms,
    DatasetHistograms, DoublingBuckets, EMBEDDING_FILES, EmbeddedGood, EmbeddingFigure,
    FIGURES_SCHEMA_VERSION, FigureSource, HISTOGRAMS_FILE, NamedGood,
};
pub use files::{AtomicFile, remove_half_written, write_atomic};
pub use lock::FileLock;
pub use panics::panic_text;
pub use record::{
    Best, Ceiling, CurvePoint, DatasetReference, Environment, FieldSummary, MetricValues,
    ModelInfo, RECORD_SCHEMA_VERSION, RunRecord, Status, Timing,
};
pub use schema::{Cardinality, Field, FieldReference, Group, Role, Schema, Vocabulary};
pub use seed::{RandomStream, SeedStreams};
pub use shards::{
    OneReader, Part, ShardError, ShardReaders, ShardRun, TrainShards, for_each_shard_of,
    read_shared, share_values,
};
pub use signature::Signature;
pub use workshop::{Workshop, remove_workshops};
