//! Weight matrices in the forms that products read: computed once a step, shared by all lanes.

use crate::Parameter;
use crate::kernels::{subtract_into, sum_into, transpose};

/// Which forms a parameter needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// None.
    Plain,
    /// A dense layer's weight: the transposed matrix for the backward pass.
    Dense,
    /// The first layer of an activation unit on [q, k, q − k, q ⊙ k], or without q − k: the matrices of
    /// its split form, and these transposed.
    ActivationUnit {
        /// Whether q − k is among the inputs.
        difference: bool,
    },
}

/// The forms. Those that a rule does not need are empty.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    /// `Rule::Dense`: columns × rows.
    pub transposed: Vec<f32>,
    /// `Rule::ActivationUnit`: what multiplies q, k and q ⊙ k (the last is the parameter's own last block).
    pub query: Vec<f32>,
    pub key: Vec<f32>,
    /// The same three, transposed.
    pub query_transposed: Vec<f32>,
    pub key_transposed: Vec<f32>,
    pub product_transposed: Vec<f32>,
}

impl Rule {
    /// The forms of `parameter`, in the memory of `to`.
    pub fn derive(self, parameter: &Parameter, mut to: Derived) -> Derived {
        let (rows, columns, values) = (parameter.rows, parameter.columns, parameter.values());
        match self {
            Self::Plain => {}
            Self::Dense => transposed(values, rows, columns, &mut to.transposed),
            Self::ActivationUnit { difference } => {
                let dim = rows / if difference { 4 } else { 3 };
                let mut blocks = values.chunks_exact(dim * columns);
                let (Some(query), Some(key), Some(product)) =
                    (blocks.next(), blocks.next(), blocks.next_back())
                else {
                    return to;
                };
                to.query.resize(query.len(), 0.0);
                to.key.resize(key.len(), 0.0);
                match blocks.next() {
                    Some(difference) => {
                        sum_into(query, difference, &mut to.query);
                        subtract_into(key, difference, &mut to.key);
                    }
                    None => {
                        to.query.copy_from_slice(query);
                        to.key.copy_from_slice(key);
                    }
                }
                transposed(&to.query, dim, columns, &mut to.query_transposed);
                transposed(&to.key, dim, columns, &mut to.key_transposed);
                transposed(product, dim, columns, &mut to.product_transposed);
            }
        }
        to
    }
}

fn transposed(from: &[f32], rows: usize, columns: usize, to: &mut Vec<f32>) {
    to.resize(from.len(), 0.0);
    transpose(from, rows, columns, to);
}
