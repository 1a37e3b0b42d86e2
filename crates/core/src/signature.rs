//! The line that says what a number is, in the manner of sacrebleu.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Everything needed to compare a number with another one of the same name:
/// `gAUC|w:impressions|ties:half|one-class:skip|ds:amazon-beauty@1a2b3c4d|split:last-item|neg:uniform-1|proto:held-out|seeds:3|reg:none|v:0.1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Metric: `gAUC`, `AUC`, `LogLoss`.
    pub metric: String,
    /// Keys and values in the order written; the version comes last.
    pub parts: Vec<(String, String)>,
}

impl Signature {
    /// An empty signature of a metric.
    pub fn new(metric: &str) -> Self {
        Self { metric: metric.into(), parts: Vec::new() }
    }

    /// Appends a part. Separators in the value become `_`, so that every signature can be read back.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        let clean = |text: String| text.replace(['|', ':'], "_");
        self.parts.push((clean(key.to_string()), clean(value.to_string())));
        self
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The same signature with one value replaced (or appended): a table's row has the signature of its
    /// runs with the number of seeds in it.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        match self.parts.iter_mut().find(|(name, _)| name == key) {
            Some(part) => {
                part.1 = value;
                self
            }
            None => self.with(key, value),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        for (key, value) in &self.parts {
            write!(f, "|{key}:{value}")?;
        }
        Ok(())
    }
}

impl FromStr for Signature {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fail = |reason: String| Error::Signature { text: text.into(), reason };
        let mut pieces = text.split('|');
        let metric = pieces.next().unwrap_or_default();
        if metric.is_empty() || metric.contains(':') {
            return Err(fail("it does not begin with the name of a metric".into()));
        }
        let mut signature = Self::new(metric);
        for piece in pieces {
            let (key, value) =
                piece.split_once(':').ok_or_else(|| fail(format!("{piece:?} has no colon")))?;
            signature.parts.push((key.into(), value.into()));
        }
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_reads_back() {
        let signature =
            Signature::new("gAUC").with("ds", "a|b:c").with("seeds", 3).with("v", "0.1.0");
        let text = signature.to_string();
        assert_eq!(text, "gAUC|ds:a_b_c|seeds:3|v:0.1.0");
        assert_eq!(text.parse::<Signature>().unwrap(), signature);
        assert_eq!(signature.clone().set("seeds", 5).get("seeds"), Some("5"));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        assert!("".parse::<Signature>().is_err());
        assert!("gAUC|seeds".parse::<Signature>().unwrap_err().to_string().contains("no colon"));
    }
}
