//! Rows from elsewhere, to be scored by a finished run: read, and written back with their scores, piece by
//! piece, so that a file may be larger than memory.
//!
//! A field has a column `<group>.<field>`, or only `<field>` where no other group has one of that name. In
//! text the events of a history are joined by `|` and the values of a field with several ids an event by `^`;
//! in Parquet either may be lists instead. All other columns pass through.

mod cells;
mod keys;
mod output;
mod reader;
mod rows;
mod sample;

pub use keys::{Keys, read_keys};
pub use output::TableWriter;
pub use rows::{FieldIds, ScoringPiece, ScoringRows, Unknown, UnknownIds};
pub use sample::write_sample_rows;

/// Joins the events of a history.
const EVENTS: char = '|';
/// Joins the ids of one event.
const IDS: char = '^';
