//! What a configuration does against overfitting: the rows of the paper's table 4, and ours beyond it.

use crate::models::Color;
use serde_json::Value;

/// A kind of regularizer, in the order of the paper's table 4; what the paper does not have follows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    WithoutGoodsIds,
    None,
    Dropout,
    Filter,
    Difacto,
    Mba,
    L2,
    MbaL1,
    LazyL2,
    /// A kind that this version does not know, by its name.
    Other(String),
}

/// A row of table 4: the kind, and how training differs from the usual. The order of the fields is the
/// order of the rows: all kinds, then those of one epoch, then those drawn again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form {
    /// The embeddings are drawn again every epoch.
    pub reinitialized: bool,
    /// One epoch, where other runs of the model have more.
    pub one_epoch: bool,
    pub kind: Kind,
}

impl Kind {
    /// The kind of a configuration; one that names none has none.
    pub(crate) fn of(config: &Value) -> Self {
        let setting = |key| config.pointer(&format!("/regularizer/{key}")).and_then(Value::as_str);
        match setting("kind") {
            Some("without_goods_ids") => Self::WithoutGoodsIds,
            None | Some("none") => Self::None,
            Some("dropout") => Self::Dropout,
            Some("filter") => Self::Filter,
            Some("difacto") => Self::Difacto,
            Some("mba") if setting("norm") == Some("l1") => Self::MbaL1,
            Some("mba") => Self::Mba,
            Some("l2") => Self::L2,
            Some("lazy_l2") => Self::LazyL2,
            Some(other) => Self::Other(other.into()),
        }
    }

    /// The name in files, that of the paper's rows among them.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::WithoutGoodsIds => "without_goods_ids",
            Self::None => "none",
            Self::Dropout => "dropout",
            Self::Filter => "filter",
            Self::Difacto => "difacto",
            Self::Mba => "mba",
            Self::L2 => "l2",
            Self::MbaL1 => "mba_l1",
            Self::LazyL2 => "lazy_l2",
            Self::Other(name) => name,
        }
    }

    fn title(&self) -> String {
        match self {
            Self::WithoutGoodsIds => "Without goods_ids feature and reg.".into(),
            Self::None => "With goods_ids without reg.".into(),
            Self::Dropout => "With goods_ids and dropout reg.".into(),
            Self::Filter => "With goods_ids and filter reg.".into(),
            Self::Difacto => "With goods_ids and DiFacto reg.".into(),
            Self::Mba => "With goods_ids and MBA reg.".into(),
            Self::L2 => "With goods_ids and L2 reg.".into(),
            Self::MbaL1 => "With goods_ids and MBA reg. in its L1 form".into(),
            Self::LazyL2 => "With goods_ids and lazily applied row decay".into(),
            Self::Other(name) => format!("With goods_ids and {name} reg."),
        }
    }
}

impl Form {
    /// The kind trained as usual.
    pub(crate) fn usual(kind: Kind) -> Self {
        Self { reinitialized: false, one_epoch: false, kind }
    }

    /// The form of a configuration, where the longest training of its model has so many epochs.
    pub(crate) fn of(config: &Value, longest: u64) -> Self {
        let again = config.pointer("/train/reinitialize_embeddings").and_then(Value::as_bool);
        Self {
            reinitialized: again.unwrap_or(false),
            one_epoch: longest > 1 && epochs(config) == 1,
            kind: Kind::of(config),
        }
    }

    pub(crate) fn is_usual(&self) -> bool {
        !self.reinitialized && !self.one_epoch
    }

    /// Neither regularized nor trained otherwise.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_usual() && self.kind == Kind::None
    }

    /// The name in files; that of the paper's row where it has one.
    pub(crate) fn id(&self) -> String {
        let mut id = self.kind.id().to_string();
        if self.one_epoch {
            id += "_one_epoch";
        }
        if self.reinitialized {
            id += "_reinitialized";
        }
        id
    }

    pub(crate) fn title(&self) -> String {
        // With nothing else to tell it from, how it was trained says enough.
        let mut title = match self.kind {
            Kind::None if !self.is_usual() => "With goods_ids".into(),
            _ => self.kind.title(),
        };
        if self.one_epoch {
            title += " for one epoch only";
        }
        if self.reinitialized {
            title += " and embeddings drawn again every epoch";
        }
        title
    }

    /// A title for legends, where every line is BaseModel's.
    pub(crate) fn short_title(&self) -> String {
        let mut parts = Vec::new();
        match &self.kind {
            Kind::WithoutGoodsIds => parts.push("without goods_ids"),
            Kind::None if self.is_usual() => parts.push("without reg."),
            Kind::None => {}
            Kind::Dropout => parts.push("dropout"),
            Kind::Filter => parts.push("filter"),
            Kind::Difacto => parts.push("DiFacto"),
            Kind::Mba => parts.push("MBA"),
            Kind::L2 => parts.push("L2"),
            Kind::MbaL1 => parts.push("MBA (L1)"),
            Kind::LazyL2 => parts.push("lazy row decay"),
            Kind::Other(name) => parts.push(name),
        }
        parts.extend(self.one_epoch.then_some("one epoch only"));
        parts.extend(self.reinitialized.then_some("embeddings drawn again"));
        parts.join(", ")
    }

    /// Color and number of the mark in pictures: Okabe and Ito's colors for the paper's rows, with the
    /// paper's green for no regularizer, and colors of Tol's muted scheme for ours beyond it. Both are
    /// made for color-blind readers.
    pub(crate) fn style(&self) -> (Color, usize) {
        match (self.is_usual(), &self.kind) {
            (true, Kind::WithoutGoodsIds) => ((0, 0, 0), 0),
            (true, Kind::None) => ((0, 158, 115), 1),
            (true, Kind::Dropout) => ((86, 180, 233), 2),
            (true, Kind::Filter) => ((0, 114, 178), 3),
            (true, Kind::Difacto) => ((204, 121, 167), 4),
            (true, Kind::Mba) => ((213, 94, 0), 5),
            (true, Kind::L2) => ((230, 159, 0), 0),
            (true, Kind::MbaL1) => ((136, 34, 85), 1),
            (true, Kind::LazyL2) => ((153, 153, 51), 2),
            (false, Kind::None) if self.one_epoch => ((110, 110, 110), 3),
            (false, Kind::None) => ((51, 34, 136), 4),
            _ => ((110, 110, 110), 5),
        }
    }

    /// The paper has this row.
    pub(crate) fn in_paper(&self) -> bool {
        self.is_usual() && self.kind <= Kind::Mba
    }
}

/// Epochs of a configuration; zero where it does not say.
pub(crate) fn epochs(config: &Value) -> u64 {
    config.pointer("/train/epochs").and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_stand_in_the_order_of_the_paper_and_ours_after_them() {
        let form = |regularizer: Value, train: Value| {
            Form::of(&json!({"regularizer": regularizer, "train": train}), 3)
        };
        let forms = [
            form(json!({"kind": "without_goods_ids"}), json!({"epochs": 3})),
            form(json!({"kind": "none"}), json!({"epochs": 3})),
            form(json!({"kind": "dropout", "rate": 0.5}), json!({"epochs": 3})),
            form(json!({"kind": "filter", "share": 0.1}), json!({"epochs": 3})),
            form(json!({"kind": "difacto"}), json!({"epochs": 3})),
            form(json!({"kind": "mba", "norm": "l2"}), json!({"epochs": 3})),
            form(json!({"kind": "l2"}), json!({"epochs": 3})),
            form(json!({"kind": "mba", "norm": "l1"}), json!({"epochs": 3})),
            form(json!({"kind": "lazy_l2"}), json!({"epochs": 3})),
            form(json!({"kind": "new"}), json!({"epochs": 3})),
            form(json!({"kind": "none"}), json!({"epochs": 1})),
            form(json!({"kind": "none"}), json!({"epochs": 3, "reinitialize_embeddings": true})),
        ];
        assert!(forms.is_sorted());
        assert_eq!(forms.iter().filter(|form| form.in_paper()).count(), 6);
        let ids: Vec<String> = forms.iter().map(Form::id).collect();
        assert_eq!(ids[5..8], ["mba", "l2", "mba_l1"]);
        assert_eq!(ids[9..], ["new", "none_one_epoch", "none_reinitialized"]);
        assert_eq!(forms[10].title(), "With goods_ids for one epoch only");
        // Lines are told apart by color and mark.
        let mut styles: Vec<_> = forms.iter().map(Form::style).collect();
        styles.sort_unstable();
        styles.dedup();
        assert_eq!(styles.len(), forms.len());
    }

    #[test]
    fn one_epoch_is_special_only_beside_longer_training() {
        let config = json!({"regularizer": {"kind": "none"}, "train": {"epochs": 1}});
        assert!(Form::of(&config, 1).is_plain());
        assert!(!Form::of(&config, 2).is_plain());
        for odd in [json!(null), json!({"regularizer": "mba"}), json!({"regularizer": {"kind": 3}})]
        {
            assert!(Form::of(&odd, 2).is_plain());
        }
    }
}
