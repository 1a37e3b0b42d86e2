//! The crate's error.

/// Why a metric has no value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Columns that must have one entry a row differ in length.
    #[error("{name} has {found} rows, labels have {expected}")]
    Length {
        /// The column that differs from the labels.
        name: &'static str,
        /// Its rows.
        found: usize,
        /// Rows of the labels.
        expected: usize,
    },
    /// No row at all.
    #[error("no rows: the metric has no value")]
    Empty,
    /// A label that is neither 0 nor 1.
    #[error("row {row}: label {label}, expected 0 or 1")]
    Label {
        /// The first such row.
        row: usize,
        /// Its label.
        label: u8,
    },
    /// A score that cannot be ordered. Infinities can.
    #[error("row {row}: the score is not a number")]
    Nan {
        /// The first such row.
        row: usize,
    },
    /// A probability outside `[0, 1]`.
    #[error("row {row}: probability {value} is outside [0, 1]; logits have their own function")]
    Probability {
        /// The first such row.
        row: usize,
        /// Its value.
        value: f32,
    },
    /// AUC compares positives with negatives and needs one of each.
    #[error("AUC needs both classes: {positives} positives, {negatives} negatives")]
    OneClass {
        /// Rows with label 1.
        positives: usize,
        /// Rows with label 0.
        negatives: usize,
    },
    /// No user has both classes.
    #[error("gAUC needs a user with both classes: all {users} users have one class only")]
    NoUser {
        /// Users seen.
        users: usize,
    },
    /// Runs to be compared were scored on different users or rows.
    #[error("the runs were not scored on the same test rows: {reason}")]
    OtherUsers {
        /// What differs first.
        reason: String,
    },
    /// A comparison needs a run on each side.
    #[error("nothing to compare: {side} has no run")]
    NoRuns {
        /// The side without.
        side: &'static str,
    },
    /// RelaImpr against a model that is exactly as good as chance, or against no number.
    #[error("RelaImpr is not defined for model {model} over base {base}")]
    RelaImpr {
        /// AUC of the model.
        model: f64,
        /// AUC of the base.
        base: f64,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
