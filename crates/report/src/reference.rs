//! Published numbers: `reports/reference/*.toml`, embedded at compile time.

pub(crate) use crate::published::{
    DatasetCounts, PublishedCurve, PublishedFeature, PublishedFeatures, PublishedRow,
    PublishedTable, PublishedThroughput, Reference,
};
use crate::{Error, Result, format};

const FILES: [(&str, &str); 7] = [
    ("paper.toml", include_str!("../../../reports/reference/paper.toml")),
    ("authors-corrected.toml", include_str!("../../../reports/reference/authors-corrected.toml")),
    ("publishers.toml", include_str!("../../../reports/reference/publishers.toml")),
    ("authors-logs.toml", include_str!("../../../reports/reference/authors-logs.toml")),
    ("bars.toml", include_str!("../../../reports/reference/bars.toml")),
    ("dien.toml", include_str!("../../../reports/reference/dien.toml")),
    ("cpu-throughput.toml", include_str!("../../../reports/reference/cpu-throughput.toml")),
];

/// Dataset whose published numbers stand beside data that no source has.
const DEFAULT_DATASET: &str = "amazon-electronics";
/// The rows of that dataset as the authors drew them, passed on by BARS.
const AUTHORS_ROWS: &str = "amazon-electronics-x1";
/// And for other releases of MovieLens.
const MOVIELENS: &str = "movielens-20m";
/// And for ad logs made after the paper's description of Alibaba's.
pub(crate) const ALIBABA: &str = "alibaba";

/// Identifier of the paper's file.
pub(crate) const PAPER: &str = "paper";
/// Identifier of the file of the authors' corrected numbers.
pub(crate) const CORRECTED: &str = "authors-corrected";

/// All files.
#[derive(Clone, Debug)]
pub(crate) struct References(pub Vec<Reference>);

impl References {
    /// Parses the embedded files.
    pub(crate) fn load() -> Result<Self> {
        FILES.iter().map(|&(file, text)| parse(file, text)).collect::<Result<_>>().map(Self)
    }

    /// Learning curves published for a dataset. Simulated data has none, whatever it is called.
    pub(crate) fn curves(&self, dataset: &str, simulated: bool) -> Vec<&PublishedCurve> {
        let all = self.0.iter().flat_map(|reference| &reference.curves);
        all.filter(|curve| !simulated && is_version_of(dataset, &curve.dataset)).collect()
    }

    /// Throughputs published anywhere, each with its source.
    pub(crate) fn throughputs(&self) -> impl Iterator<Item = &PublishedThroughput> {
        self.0.iter().flat_map(|reference| &reference.throughputs)
    }

    /// Counts published for a dataset. Simulated data has none, whatever it is called.
    pub(crate) fn counts(&self, dataset: &str, simulated: bool) -> Option<&DatasetCounts> {
        let mut all = self.0.iter().flat_map(|reference| &reference.datasets);
        all.find(|counts| !simulated && is_version_of(dataset, &counts.id))
    }

    /// Table 3 of a source to stand beside a dataset, and whether it is about that dataset. Data that
    /// no source has gets their part on the dataset of its kind ([`published_kin`]); data that some source
    /// has gets no part on another dataset.
    pub(crate) fn table3(
        &self,
        source: &str,
        dataset: &str,
        simulated: bool,
    ) -> Option<(&PublishedTable, bool)> {
        let about = |part: &&PublishedTable| {
            part.table == "3" && !simulated && is_version_of(dataset, &part.dataset)
        };
        let known =
            self.0.iter().any(|reference| reference.results.iter().any(|part| about(&part)));
        let mut results = self
            .0
            .iter()
            .filter(|reference| reference.source.id == source)
            .flat_map(|r| &r.results);
        if known {
            results.find(about).map(|part| (part, true))
        } else {
            results
                .find(|part| part.table == "3" && part.dataset == published_kin(dataset))
                .map(|part| (part, false))
        }
    }

    /// The paper's table 4 or 5, which it has for Alibaba alone.
    pub(crate) fn paper_table(&self, table: &str) -> Option<&PublishedTable> {
        self.paper()
            .flat_map(|paper| &paper.results)
            .find(|part| part.table == table && part.dataset == ALIBABA)
    }

    /// The paper's table 1 if it is about the dataset that is most like `dataset`.
    pub(crate) fn paper_features(&self, dataset: &str) -> Option<&PublishedFeatures> {
        self.paper()
            .flat_map(|paper| &paper.features)
            .find(|features| features.dataset == published_kin(dataset))
    }

    fn paper(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter(|reference| reference.source.id == PAPER)
    }

    /// What the authors withdrew and what they report instead, in one sentence a part; for every table.
    pub(crate) fn withdrawals(&self) -> Vec<String> {
        let parts =
            || self.0.iter().flat_map(|source| source.results.iter().map(move |p| (source, p)));
        let mut sentences = Vec::new();
        for (reference, part) in parts() {
            let withdrawn: Vec<&PublishedRow> =
                part.rows.iter().filter(|row| row.withdrawn).collect();
            if withdrawn.is_empty() {
                continue;
            }
            let list = |value: &dyn Fn(&PublishedRow) -> Option<f64>| {
                let texts = withdrawn
                    .iter()
                    .filter_map(|row| Some(format!("{} {}", row.title, format::gauc(value(row)?))));
                texts.collect::<Vec<_>>().join(", ")
            };
            let mut sentence = format!(
                "Withdrawn by the authors on {}: {} ({}).",
                self.dataset_title(&part.dataset),
                list(&|row| row.gauc),
                reference.source.title,
            );
            // The correction is the authors' own table on the same data.
            let corrected = parts().find(|(source, other)| {
                source.source.id == CORRECTED
                    && other.dataset == part.dataset
                    && other.table == part.table
            });
            if let Some((source, corrected)) = corrected {
                let values = list(&|row| corrected.row(&row.model)?.gauc);
                sentence += &format!(
                    " They report since: {values} ({}). {}",
                    source.source.citation, source.source.note
                );
            }
            sentences.push(sentence);
        }
        sentences
    }

    /// Title of a published dataset.
    pub(crate) fn dataset_title<'a>(&'a self, id: &'a str) -> &'a str {
        let mut all = self.0.iter().flat_map(|reference| &reference.datasets);
        all.find(|counts| counts.id == id).map_or(id, |counts| &counts.title)
    }
}

/// The dataset of the paper that is most like a dataset: MovieLens 20M for the other releases of
/// MovieLens, Alibaba for the simulated ad log in all its sizes (`alibaba-sim`, `alibaba-sim-x10`),
/// Amazon (Electronics) for everything else.
pub(crate) fn published_kin(dataset: &str) -> &'static str {
    if dataset.starts_with("movielens-") {
        MOVIELENS
    } else if dataset == ALIBABA || dataset.starts_with("alibaba-") {
        ALIBABA
    } else {
        DEFAULT_DATASET
    }
}

/// Whether tables 4 and 5 and figure 4 stand in place of table 3, as they do in the paper.
pub(crate) fn is_alibaba_kin(dataset: &str) -> bool {
    published_kin(dataset) == ALIBABA
}

/// One file, whose error names it.
fn parse(file: &'static str, text: &str) -> Result<Reference> {
    let fail = |reason: String| Error::Reference { file, reason };
    let reference: Reference = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
    reference.check().map_err(fail)?;
    Ok(reference)
}

/// `amazon-electronics`, `amazon-electronics-v2` and `amazon-electronics-x1`, which are the authors' own
/// rows, are the published `amazon-electronics`; `amazon-electronics-sim` is not.
fn is_version_of(dataset: &str, published: &str) -> bool {
    if (dataset, published) == (AUTHORS_ROWS, DEFAULT_DATASET) {
        return true;
    }
    match dataset.strip_prefix(published) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix("-v")
            .is_some_and(|v| !v.is_empty() && v.bytes().all(|byte| byte.is_ascii_digit())),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_percentages_follow_from_published_aucs() {
        let mut compared = 0;
        for reference in References::load().unwrap().0 {
            for part in &reference.results {
                let base = part.row(&part.base).unwrap().gauc;
                for row in &part.rows {
                    let Some(published) = row.rela_impr else { continue };
                    let derived = ctr_metrics::rela_impr(row.gauc.unwrap(), base.unwrap()).unwrap();
                    assert!(
                        (derived - published).abs() <= 0.02,
                        "{} {} {}: {derived} and {published}",
                        part.table,
                        part.dataset,
                        row.title
                    );
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 7 + 7 + 6 + 9);
    }

    #[test]
    fn the_corrected_gains_are_computed() {
        let references = References::load().unwrap();
        let (part, same) =
            references.table3("authors-corrected", "amazon-electronics", false).unwrap();
        assert!(same);
        let gain = |model| part.rela_impr(part.row(model).unwrap()).unwrap();
        assert!((gain("din") - 2.04).abs() < 0.005, "{}", gain("din"));
        assert!((gain("din_dice") - 2.40).abs() < 0.005, "{}", gain("din_dice"));
    }

    #[test]
    fn withdrawn_numbers_stand_beside_their_correction() {
        let sentences = References::load().unwrap().withdrawals();
        assert_eq!(sentences.len(), 1);
        for part in [
            "on Amazon (Electronics): DIN 0.8818, DIN with Dice 0.8871 (Paper)",
            "since: DIN 0.8698, DIN with Dice 0.8711 (github.com/zhougr1993/DeepInterestNetwork",
            "9765f96",
            "faulty experimental result",
        ] {
            assert!(sentences[0].contains(part), "{part}: {}", sentences[0]);
        }
    }

    #[test]
    fn simulated_data_and_other_sets_are_not_taken_for_the_published_ones() {
        let references = References::load().unwrap();
        assert_eq!(references.counts("amazon-electronics-v2", false).unwrap().users, Some(192_403));
        assert_eq!(references.counts("movielens-1m", false).unwrap().samples, Some(1_000_209));
        assert!(references.counts("amazon-electronics", true).is_none());
        assert!(references.counts("amazon-electronics-sim", false).is_none());
        assert!(references.counts("amazon-electronics-v", false).is_none());
        let (part, same) = references.table3("paper", "amazon-beauty", false).unwrap();
        assert_eq!((part.dataset.as_str(), same), (DEFAULT_DATASET, false));
        let (part, same) = references.table3("paper", "movielens-20m", false).unwrap();
        assert_eq!((part.dataset.as_str(), same), ("movielens-20m", true));
        let (_, same) = references.table3("paper", "movielens-20m", true).unwrap();
        assert!(!same);
        // Another release stands beside its kin, which the authors never corrected.
        let (part, same) = references.table3("paper", "movielens-1m", false).unwrap();
        assert_eq!((part.dataset.as_str(), same), ("movielens-20m", false));
        assert!(references.table3("authors-corrected", "movielens-1m", false).is_none());
    }

    #[test]
    fn the_ad_log_is_kin_of_alibaba_in_all_its_sizes() {
        for dataset in ["alibaba", "alibaba-sim", "alibaba-sim-x0.1", "alibaba-sim-x10"] {
            assert!(is_alibaba_kin(dataset), "{dataset}");
        }
        assert!(!is_alibaba_kin("alibabaish") && !is_alibaba_kin("taobao-ad"));
        let references = References::load().unwrap();
        assert!(references.table3("paper", "alibaba-sim", true).is_none());
        assert_eq!(references.paper_table("4").unwrap().rows.len(), 6);
        assert_eq!(references.paper_table("5").unwrap().rows.len(), 9);
        assert_eq!(references.paper_features("alibaba-sim").unwrap().rows.len(), 10);
        assert!(references.paper_features("tiny").is_none());
    }

    #[test]
    fn curves_of_the_authors_belong_to_electronics_alone() {
        let references = References::load().unwrap();
        for dataset in ["amazon-electronics", "amazon-electronics-x1"] {
            let curves = references.curves(dataset, false);
            let models: Vec<&str> = curves.iter().map(|curve| curve.model.as_str()).collect();
            assert_eq!(models, ["base_model", "wide_deep", "pnn", "deepfm", "din", "din_dice"]);
            // Their best values are those of the same file's table.
            for curve in curves {
                let best = curve.points.iter().map(|point| point.1).fold(0.0, f64::max);
                let logs = references.0.iter().find(|r| r.source.id == "authors-logs").unwrap();
                assert_eq!(logs.results[0].row(&curve.model).unwrap().gauc, Some(best));
                assert!((55..=65).contains(&curve.points.len()));
            }
            assert!(references.curves(dataset, true).is_empty());
        }
        for dataset in ["amazon-electronics-sim", "amazon-beauty", "movielens-20m", "taobao-ad"] {
            assert!(references.curves(dataset, false).is_empty(), "{dataset}");
        }
    }

    #[test]
    fn a_bad_file_is_named_with_what_is_wrong() {
        let source = "[source]\nid=\"a\"\ntitle=\"\"\ncitation=\"\"\nurl=\"\"\nnote=\"\"\n";
        let row =
            "[[results]]\ntable=\"3\"\ndataset=\"d\"\nbase=\"b\"\nrows=[{model=\"b\",title=\"B\"";
        let curve = "[[curves]]\ndataset=\"d\"\nmodel=\"m\"\ntitle=\"M\"\nbatch_size=32\n\
                     evaluations=9\nnote=\"\"\npoints=";
        for (text, part) in [
            ("year=1".into(), "year"),
            ("[[results]".into(), "line 7"),
            (format!("{row}}}]"), "neither gauc nor auc"),
            (format!("{row},gauc=86.2}}]"), "86.2"),
            (format!("{row},auc=0.8}},{{model=\"b\",title=\"B\",auc=0.8}}]"), "twice"),
            (format!("{row},auc=0.8}}]").replace("base=\"b\"", "base=\"c\""), "no row c"),
            (format!("{curve}[[2, 0.5], [1, 0.6]]"), "ascending"),
            (format!("{curve}[[1, 0.5], [2, 1.6]]"), "1.6"),
        ] {
            let error = parse("odd.toml", &format!("{source}{text}")).unwrap_err().to_string();
            assert!(error.starts_with("reports/reference/odd.toml: "), "{error}");
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(parse("odd.toml", source).is_ok());
    }
}
