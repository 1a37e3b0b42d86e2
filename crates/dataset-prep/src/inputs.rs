//! Which files of a folder are the raw data.

use crate::release::Release;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Endings of a table, in the order in which messages list them.
const TABLE_ENDINGS: [&str; 5] = ["tsv", "tsv.gz", "csv", "csv.gz", "parquet"];

/// The raw files found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inputs {
    /// Reviews and metadata of any release; the name of the reviews tells which.
    Amazon { reviews: PathBuf, metadata: PathBuf },
    /// A pair of tables.
    Tables { interactions: PathBuf, items: PathBuf },
}

/// Finds the raw files in `folder`. With a category (such as `Beauty`) the authors' pair must carry
/// its name, without one any single pair will do.
///
/// # Errors
/// When nothing is there, half of a pair is missing, or there is more than one choice.
pub(crate) fn find(folder: &Path, category: Option<&str>) -> Result<Inputs> {
    let names = names(folder)?;
    let fail = |problem: String, remedy: String| {
        Err(Error::Files { folder: folder.to_path_buf(), problem, remedy })
    };
    let table = |stem: &str| -> Vec<&String> {
        names
            .iter()
            .filter(|name| {
                name.strip_prefix(stem)
                    .and_then(|rest| rest.strip_prefix('.'))
                    .is_some_and(|ending| TABLE_ENDINGS.contains(&ending))
            })
            .collect()
    };
    let amazon = |prefix: &str, suffix: &str| -> Vec<&String> {
        names
            .iter()
            .filter(|name| {
                let plain = name.strip_suffix(".gz").unwrap_or(name);
                plain
                    .strip_prefix(prefix)
                    .and_then(|rest| rest.strip_suffix(suffix))
                    .is_some_and(|found| category.is_none_or(|wanted| found == wanted))
            })
            .collect()
    };
    let interactions = table("interactions");
    let items = table("items");
    let reviews = amazon("reviews_", "_5.json");
    let metadata = amazon("meta_", ".json");

    for (kind, found) in [
        ("interactions", &interactions),
        ("items", &items),
        ("reviews", &reviews),
        ("metadata", &metadata),
    ] {
        if let [first, second, ..] = found[..] {
            return fail(
                format!("two files of {kind}: {first} and {second}"),
                "keep one of them in the folder".into(),
            );
        }
    }
    if reviews.is_empty() && interactions.is_empty() && items.is_empty() {
        match later(&names, category) {
            Ok(Some((reviews, metadata))) => {
                return Ok(Inputs::Amazon {
                    reviews: folder.join(reviews),
                    metadata: folder.join(metadata),
                });
            }
            Ok(None) => {}
            Err((problem, remedy)) => return fail(problem, remedy),
        }
    }
    match (reviews.first(), metadata.first(), interactions.first(), items.first()) {
        (Some(_), Some(_), Some(_), Some(_)) => fail(
            "both reviews_*_5.json + meta_*.json and interactions.* + items.*".into(),
            "keep one of the two pairs in the folder".into(),
        ),
        (Some(reviews), Some(metadata), ..) => {
            Ok(Inputs::Amazon { reviews: folder.join(reviews), metadata: folder.join(metadata) })
        }
        (_, _, Some(interactions), Some(items)) => Ok(Inputs::Tables {
            interactions: folder.join(interactions),
            items: folder.join(items),
        }),
        (Some(reviews), None, ..) => fail(
            format!("{reviews} is there, its meta_{}.json(.gz) is not", category.unwrap_or("*")),
            "place the metadata of the same category beside it".into(),
        ),
        (None, _, Some(interactions), None) => fail(
            format!("{interactions} is there, items.({}) is not", TABLE_ENDINGS.join("|")),
            "place a table with the columns item and cate beside it".into(),
        ),
        (None, _, None, Some(items)) => fail(
            format!("{items} is there, interactions.({}) is not", TABLE_ENDINGS.join("|")),
            "place a table with the columns user, item and order (or timestamp) beside it".into(),
        ),
        _ => fail(
            "no raw files found".into(),
            format!(
                "expected reviews_{0}_5.json(.gz) and meta_{0}.json(.gz), or interactions.({1}) and \
                 items.({1})",
                category.unwrap_or("*"),
                TABLE_ENDINGS.join("|")
            ),
        ),
    }
}

/// A problem and its remedy.
type Complaint = (String, String);

/// The pair of a later release: reviews and metadata. A dataset of the catalog is the release of 2014 and
/// no other, since its published counts are.
fn later(
    names: &[String],
    category: Option<&str>,
) -> std::result::Result<Option<(String, String)>, Complaint> {
    let metadata = |category: &str, release: Release| -> Vec<&String> {
        let wanted = format!("meta_{category}{}", release.metadata_ending());
        names.iter().filter(|name| name.strip_suffix(".gz").unwrap_or(name) == wanted).collect()
    };
    let mut found = names.iter().filter_map(|name| {
        let (release, of) = Release::of_name(name)?;
        // Many files end in .csv or .jsonl; only their metadata makes them reviews.
        let telling = name.contains("_5.json") || !metadata(of, release).is_empty();
        (release != Release::Year2014 && telling && category.is_none_or(|wanted| wanted == of))
            .then_some((name, release, of))
    });
    let Some((reviews, release, of)) = found.next() else { return Ok(None) };
    if let Some(wanted) = category {
        return Err((
            format!("{reviews} is of a later release than this dataset's, which is that of 2014"),
            format!(
                "place reviews_{wanted}_5.json(.gz) and meta_{wanted}.json(.gz) there, or prepare this \
                 folder as custom"
            ),
        ));
    }
    if let Some((second, ..)) = found.next() {
        return Err((
            format!("two files of reviews: {reviews} and {second}"),
            "keep one of them in the folder".into(),
        ));
    }
    match metadata(of, release)[..] {
        [] => Err((
            format!("{reviews} is there, its meta_{of}{}(.gz) is not", release.metadata_ending()),
            "place the metadata of the same category and release beside it".into(),
        )),
        [metadata] => Ok(Some((reviews.clone(), metadata.clone()))),
        [first, second, ..] => Err((
            format!("two files of metadata: {first} and {second}"),
            "keep one of them in the folder".into(),
        )),
    }
}

/// The file of a name, or of that name with `.gz`.
///
/// # Errors
/// When neither is there; `expected` says what the folder should hold.
pub(crate) fn plain_or_packed(folder: &Path, name: &str, expected: &str) -> Result<PathBuf> {
    [name.to_string(), format!("{name}.gz")]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| Error::Files {
            folder: folder.to_path_buf(),
            problem: format!("no {name}"),
            remedy: format!("expected {expected}"),
        })
}

/// Names in the folder, sorted, so that messages do not depend on the file system's order.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let fail = |source| Error::Read { path: folder.to_path_buf(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        if let Ok(name) = entry.map_err(fail)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    #[test]
    fn pairs_are_found_by_name_and_other_files_do_not_disturb() {
        let dir = folder(&["README.md", "interactions.tsv.gz", "items.parquet"]);
        assert_eq!(
            find(dir.path(), Some("Beauty")).unwrap(),
            Inputs::Tables {
                interactions: dir.path().join("interactions.tsv.gz"),
                items: dir.path().join("items.parquet"),
            }
        );
        let dir = folder(&["reviews_Beauty_5.json.gz", "meta_Beauty.json", "reviews_Baby_5.json"]);
        assert_eq!(
            find(dir.path(), Some("Beauty")).unwrap(),
            Inputs::Amazon {
                reviews: dir.path().join("reviews_Beauty_5.json.gz"),
                metadata: dir.path().join("meta_Beauty.json"),
            }
        );
    }

    #[test]
    fn half_a_pair_two_choices_and_nothing_are_told_apart() {
        let message = |names: &[&str], category| {
            find(folder(names).path(), category).unwrap_err().to_string()
        };
        assert!(message(&["a.txt"], Some("Baby")).contains("expected reviews_Baby_5.json"));
        assert!(message(&["items.csv"], None).contains("interactions.(tsv|"));
        assert!(message(&["interactions.csv"], None).contains("items.(tsv|"));
        assert!(message(&["reviews_Baby_5.json"], None).contains("meta_*.json"));
        let twice = message(&["items.csv", "items.tsv", "interactions.csv"], None);
        assert!(twice.contains("two files of items: items.csv and items.tsv"), "{twice}");
        let both = ["items.csv", "interactions.csv", "reviews_A_5.json", "meta_A.json"];
        assert!(message(&both, None).contains("both"));
    }

    #[test]
    fn later_releases_are_found_by_the_name_of_their_reviews() {
        for (reviews, metadata) in [
            ("Baby_5.json.gz", "meta_Baby.json.gz"),
            ("Baby_5.jsonl", "meta_Baby.jsonl.gz"),
            ("Baby.jsonl.gz", "meta_Baby.jsonl"),
            ("Baby.csv.gz", "meta_Baby.jsonl"),
        ] {
            let dir = folder(&[reviews, metadata, "notes.csv", "log.jsonl"]);
            let expected = Inputs::Amazon {
                reviews: dir.path().join(reviews),
                metadata: dir.path().join(metadata),
            };
            assert_eq!(find(dir.path(), None).unwrap(), expected);
            let message = find(dir.path(), Some("Baby")).unwrap_err().to_string();
            assert!(message.contains("later release") && message.contains("custom"), "{message}");
        }
        let message = |names: &[&str]| find(folder(names).path(), None).unwrap_err().to_string();
        assert!(message(&["Baby_5.json"]).contains("its meta_Baby.json(.gz) is not"));
        assert!(message(&["Baby_5.jsonl", "meta_Baby.json"]).contains("its meta_Baby.jsonl(.gz)"));
        let twice = message(&["Baby.csv", "Baby.jsonl", "meta_Baby.jsonl"]);
        assert!(twice.contains("two files of reviews: Baby.csv and Baby.jsonl"), "{twice}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let message = find(Path::new("no/such/folder"), None).unwrap_err().to_string();
        assert!(message.contains("no/such/folder"), "{message}");
    }
}
