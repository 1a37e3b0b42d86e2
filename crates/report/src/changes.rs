//! Changed settings of a model in the words of the paper.

use crate::variants::Changes;

/// Settings with their values and what a reader of the paper calls them, in the order of tables: what the
/// user vector is made of, the activation unit, the MLP.
const KNOWN: [(&str, &str, &str); 21] = [
    ("product", "false", "no u ⊙ i"),
    ("product", "true", "with u ⊙ i"),
    ("pooling", "sum", "sum pooling"),
    ("pooling", "mean", "mean pooling"),
    ("activation_unit.normalization", "none", "no softmax"),
    ("activation_unit.normalization", "softmax", "softmax without 1/√d"),
    ("activation_unit.normalization", "scaled_softmax", "softmax with 1/√d"),
    ("activation_unit.inputs", "paper", "inputs [q, k, q ⊙ k]"),
    ("activation_unit.inputs", "with_difference", "inputs [q, k, q − k, q ⊙ k]"),
    ("activation_unit.activation", "sigmoid", "sigmoid in the activation unit"),
    ("activation_unit.activation", "prelu", "PReLU in the activation unit"),
    ("activation_unit.activation", "dice", "Dice in the activation unit"),
    ("activation_unit.activation", "dice_authors", "Dice of the code in the activation unit"),
    ("network.activation", "sigmoid", "sigmoid in the MLP"),
    ("network.activation", "prelu", "PReLU in the MLP"),
    ("network.activation", "dice", "Dice in the MLP"),
    ("network.activation", "dice_authors", "Dice of the code in the MLP"),
    ("network.activation", "dice_january_2018", "Dice of January 2018"),
    ("network.normalization", "none", "no normalization"),
    ("network.normalization", "batch", "batch normalization"),
    ("network.normalization", "frozen", "normalization that never trains"),
];

fn known(key: &str, value: &str) -> Option<usize> {
    KNOWN.iter().position(|(name, of, _)| *name == key && *of == value)
}

/// All changes in one text; a setting that is not known keeps its name.
pub(crate) fn words(changes: &Changes) -> String {
    let text = |(key, value): (&String, &String)| match known(key, value) {
        Some(place) => KNOWN[place].2.to_string(),
        None => format!("{key}={value}"),
    };
    changes.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Place in tables: single changes in the order above, those not known after them, then several at once.
pub(crate) fn rank(changes: &Changes) -> (usize, usize, String) {
    let first = changes.iter().map(|(key, value)| known(key, value).unwrap_or(KNOWN.len())).min();
    (changes.len(), first.unwrap_or(0), words(changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(pairs: &[(&str, &str)]) -> Changes {
        pairs.iter().map(|&(key, value)| (key.into(), value.into())).collect()
    }

    #[test]
    fn what_has_no_name_in_the_paper_keeps_its_own() {
        assert_eq!(words(&changes(&[("product", "false")])), "no u ⊙ i");
        assert_eq!(
            words(&changes(&[("product", "false"), ("network.hidden_units", "[8]")])),
            "network.hidden_units=[8], no u ⊙ i"
        );
    }

    #[test]
    fn single_changes_come_first() {
        let product = rank(&changes(&[("product", "false")]));
        let odd = rank(&changes(&[("network.embedding_dim", "8")]));
        let both = rank(&changes(&[("product", "false"), ("network.activation", "prelu")]));
        assert!(product < rank(&changes(&[("network.activation", "prelu")])));
        assert!(product < odd && odd < both);
    }
}
