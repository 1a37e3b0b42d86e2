//! `rows`: a prepared dataset's rows in the form that `predict` reads.

use crate::cli::{IdForm, RowsArguments, SplitName};
use crate::{data, output};
use anyhow::Result;
use ctr_core::Split;
use ctr_dataset_prep::{read_keys, write_sample_rows};

pub fn rows(arguments: &RowsArguments) -> Result<()> {
    let dataset = data::open(&arguments.data, arguments.protocol)?;
    let split = match arguments.split {
        SplitName::Train => Split::Train,
        SplitName::Validation => Split::Validation,
        SplitName::Test => Split::Test,
    };
    let keys = match arguments.ids {
        IdForm::Keys => Some(read_keys(&arguments.data)?),
        IdForm::Numbers => None,
    };
    write_sample_rows(&arguments.output, &dataset, split, keys.as_deref(), None)?;
    let count = output::grouped(dataset.split(split).rows() as u64);
    output::result(&format!("{count} {} rows in {}", split.name(), arguments.output.display()))
}
