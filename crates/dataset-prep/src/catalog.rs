//! The datasets the program knows, from `datasets/*.toml`.

use crate::inputs::{self, Inputs};
use crate::{Error, Origin, Result, movielens, taobao, x1};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

macro_rules! entries {
    ($($id:literal),* $(,)?) => {
        [$((concat!($id, ".toml"), include_str!(concat!("../../../datasets/", $id, ".toml")))),*]
    };
}

const ENTRIES: [(&str, &str); 13] = entries!(
    "amazon-electronics",
    "amazon-beauty",
    "amazon-sports-and-outdoors",
    "amazon-electronics-x1",
    "movielens-20m",
    "movielens-25m",
    "movielens-1m",
    "movielens-100k",
    "movielens-latest-small",
    "taobao-ad",
    "tiny",
    "amazon-electronics-sim",
    "alibaba-sim",
);

/// Where a dataset comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The authors' pair of review and metadata files; a pair of tables is taken as well.
    AmazonReviews,
    /// Rows with their histories, as the authors' own were published in BARS.
    AmazonX1,
    /// Ratings and movies, in any of GroupLens's forms or RecBole's.
    Movielens,
    /// Alibaba's four files of displayed ads, their features, users and behaviors.
    TaobaoAd,
    /// A pair of tables.
    Tables,
    /// The simulator.
    Simulated,
}

/// One dataset of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDataset {
    /// Name on the command line.
    pub id: String,
    /// Name in tables.
    pub title: String,
    /// Where it comes from.
    pub kind: Kind,
    /// The category in the authors' file names.
    pub category: Option<String>,
    /// Folder below the data directory.
    pub folder: String,
    /// Other names of that folder, such as that inside the published archive.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Names of the authors' raw files.
    #[serde(default)]
    pub files: Vec<String>,
    /// Names of the tables that are taken instead.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Where the raw files are published; the entries of one alternative give all of them.
    #[serde(default)]
    pub sources: Vec<Origin>,
    /// Terms of use.
    pub license: String,
    /// Remarks.
    #[serde(default)]
    pub notes: String,
    /// Counts that a correct preparation gives, under the names of [`crate::Manifest::counts`]; the rows under
    /// the authors' protocol as `authors_train_rows` and `authors_test_rows`.
    #[serde(default)]
    pub expected: BTreeMap<String, u64>,
}

/// All known datasets, the real ones first.
///
/// # Errors
/// When an embedded file does not parse; the tests exclude that.
pub fn catalog() -> Result<Vec<KnownDataset>> {
    ENTRIES
        .iter()
        .map(|(file, text)| {
            toml::from_str(text)
                .map_err(|error| Error::Catalog { file: (*file).into(), reason: error.to_string() })
        })
        .collect()
}

impl KnownDataset {
    /// The folder with the dataset's raw files: `<data dir>/<folder>` or a data directory itself. The
    /// first that has them wins. None for simulated datasets.
    ///
    /// The names of tables and of MovieLens's files do not say which dataset they are, so those in a data
    /// directory itself count only when it carries the dataset's folder name.
    pub fn locate(&self, data_dirs: &[PathBuf]) -> Option<PathBuf> {
        let names = || std::iter::once(&self.folder).chain(&self.aliases);
        data_dirs.iter().find_map(|dir| {
            if let Some(inside) =
                names().map(|name| dir.join(name)).find(|inside| self.holds(inside, true))
            {
                return Some(inside);
            }
            let named = names().any(|name| dir.file_name().is_some_and(|own| own == name.as_str()));
            self.holds(dir, named).then(|| dir.clone())
        })
    }

    fn holds(&self, folder: &Path, tables: bool) -> bool {
        match self.kind {
            Kind::Simulated => false,
            // Files of all releases have the same names.
            Kind::Movielens => tables && movielens::is_there(folder),
            Kind::AmazonX1 => tables && x1::is_there(folder),
            Kind::TaobaoAd => taobao::is_there(folder),
            Kind::AmazonReviews | Kind::Tables => {
                match inputs::find(folder, self.category.as_deref()) {
                    Ok(Inputs::Amazon { .. }) => self.kind == Kind::AmazonReviews,
                    Ok(Inputs::Tables { .. }) => tables,
                    Err(_) => false,
                }
            }
        }
    }

    /// The sources by alternative, in the order in which to try them.
    pub fn alternatives(&self) -> Vec<Vec<&Origin>> {
        let mut found: Vec<Vec<&Origin>> = Vec::new();
        for source in &self.sources {
            match found.iter_mut().find(|group| group[0].alternative == source.alternative) {
                Some(group) => group.push(source),
                None => found.push(vec![source]),
            }
        }
        found
    }

    /// Whether pip alone can get it: a download of seconds for which no terms ask for a person.
    pub fn has_package(&self) -> bool {
        self.alternatives().iter().any(|group| group.iter().all(|source| source.package.is_some()))
    }

    /// What to get from where and where to place it, as text of a few lines.
    pub fn where_to_get(&self) -> String {
        self.where_to_place(&format!("DATA_DIR/{}/", self.folder))
    }

    /// The same for a folder that is known.
    pub fn where_to_place(&self, folder: &str) -> String {
        if self.kind == Kind::Simulated {
            return format!("{}: made by the simulator, nothing to get", self.id);
        }
        let mut text = format!("{}: place these files in {folder}\n", self.id);
        for (index, group) in self.alternatives().iter().enumerate() {
            if index > 0 {
                text.push_str("or these:\n");
            }
            for source in group {
                text.push_str(&format!("  {}\n", source.instruction()));
            }
        }
        if !self.tables.is_empty() {
            text.push_str(&format!("or these tables:\n  {}\n", self.tables.join("\n  ")));
        }
        text.push_str(&format!("terms: {}", self.license));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str) -> KnownDataset {
        catalog().unwrap().into_iter().find(|dataset| dataset.id == id).unwrap()
    }

    #[test]
    fn every_entry_parses_and_contradicts_nothing() {
        let all = catalog().unwrap();
        assert_eq!(all.len(), ENTRIES.len());
        for ((file, _), dataset) in ENTRIES.iter().zip(&all) {
            assert_eq!(*file, format!("{}.toml", dataset.id));
            assert_eq!(dataset.sources.is_empty(), dataset.kind == Kind::Simulated, "{file}");
            for source in &dataset.sources {
                assert!(source.address().is_ok(), "{file}: {:?}", source.address());
            }
            let expected = |name: &str| dataset.expected[name];
            // The simulated log of ads has no pairs of a positive and a negative.
            let pairs = matches!(dataset.kind, Kind::AmazonReviews | Kind::Simulated);
            if pairs && dataset.id != "alibaba-sim" {
                // No user has fewer than five events, so both sums hold.
                let pairs = expected("samples") - 2 * expected("users");
                assert_eq!(expected("authors_train_rows"), 2 * pairs, "{file}");
                assert_eq!(expected("authors_test_rows"), 2 * expected("users"), "{file}");
            }
            assert!(expected("users") > 0, "{file}");
            assert_eq!(dataset.files.is_empty(), dataset.kind == Kind::Simulated, "{file}");
        }
    }

    #[test]
    fn raw_files_are_found_below_a_data_directory_or_in_it() {
        let root = tempfile::tempdir().unwrap();
        let beauty = known("amazon-beauty");
        let dirs = [root.path().join("nowhere"), root.path().to_path_buf()];
        assert_eq!(beauty.locate(&dirs), None);

        let inside = root.path().join("amazon-beauty");
        std::fs::create_dir(&inside).unwrap();
        for name in ["interactions.tsv.gz", "items.tsv.gz"] {
            std::fs::write(inside.join(name), "").unwrap();
        }
        assert_eq!(beauty.locate(&dirs), Some(inside.clone()));
        assert_eq!(beauty.locate(std::slice::from_ref(&inside)), Some(inside.clone()));
        // The same tables are no other dataset.
        assert_eq!(known("amazon-electronics").locate(&[inside]), None);

        for name in ["reviews_Electronics_5.json.gz", "meta_Electronics.json.gz"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        assert_eq!(known("amazon-electronics").locate(&dirs), Some(dirs[1].clone()));
        assert_eq!(known("tiny").locate(&dirs), None);
    }

    #[test]
    fn what_to_get_names_files_addresses_and_the_folder() {
        let text = known("amazon-electronics").where_to_get();
        for part in
            ["DATA_DIR/amazon-electronics/", "reviews_Electronics_5.json.gz", "snap.stanford.edu"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(known("tiny").where_to_get().contains("simulator"));

        let text = known("movielens-100k").where_to_place("here/");
        for part in ["in here/", "pip download --no-deps recbole==", "or these:", "ml-100k/u.data"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(known("taobao-ad").where_to_get().contains("by hand"));
    }

    #[test]
    fn alternatives_keep_together_what_belongs_together() {
        assert_eq!(known("amazon-beauty").alternatives().len(), 1);
        assert_eq!(known("amazon-beauty").alternatives()[0].len(), 2);
        assert_eq!(known("movielens-1m").alternatives().len(), 2);
        assert!(known("movielens-1m").has_package() && known("movielens-100k").has_package());
        assert!(!known("movielens-20m").has_package() && !known("tiny").has_package());
    }
}
