//! The two forms of a prepared dataset's content.

use crate::content::Content;
use crate::manifest::Manifest;
use crate::rows::RowContent;
use crate::{Result, splits};
use ctr_core::{Dataset, Protocol, Samples, Schema, Sequences};

/// Content in one of its forms.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// Users' events, each with a negative.
    Reviews(Content),
    /// Rows as the source had them.
    Rows(Box<RowContent>),
}

impl Form {
    pub fn sha256(&self) -> String {
        match self {
            Self::Reviews(content) => content.sha256(),
            Self::Rows(content) => content.sha256(),
        }
    }

    /// Groups and vocabularies.
    pub fn schema(&self) -> Schema {
        match self {
            Self::Reviews(content) => Schema::goods_and_categories(
                content.goods_keys.len() as u32,
                content.category_keys.len() as u32,
            ),
            Self::Rows(content) => content.schema.clone(),
        }
    }

    /// The dataset as models see it.
    pub fn dataset(&self, manifest: &Manifest, protocol: Protocol) -> Result<Dataset> {
        let mut dataset = Dataset {
            id: manifest.id.clone(),
            content_sha256: manifest.content_sha256.clone(),
            protocol,
            split_rule: manifest.split_rule.clone(),
            negatives: manifest.negatives.clone(),
            history_limit: manifest.history_limit,
            simulated: manifest.simulated,
            ceiling: manifest.simulation.as_ref().and_then(|simulation| simulation.ceiling),
            statistics: manifest.counts.clone(),
            schema: self.schema(),
            sequences: Sequences::default(),
            train: Samples::default(),
            validation: Samples::default(),
            test: Samples::default(),
        };
        match self {
            Self::Reviews(content) => splits::fill(content, &mut dataset),
            Self::Rows(content) => content.fill(&mut dataset),
        }
        dataset.validate()?;
        Ok(dataset)
    }
}
