//! The releases of the Amazon reviews: how their files are named and what their fields are called.

use std::path::Path;

/// A release, by the form of its review file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// `reviews_<Category>_5.json`: the paper's.
    Year2014,
    /// `<Category>_5.json`.
    Year2018,
    /// `<Category>.jsonl` or `<Category>_5.jsonl`.
    Year2023,
    /// `<Category>.csv`, the form of the 2023 release's own 5-core subsets.
    Year2023Table,
}

impl Release {
    /// Every form with what stands before and after the category in the name of its reviews. The longer
    /// endings come first: `Books_5.jsonl` is a file of the category `Books`.
    const FORMS: [(Self, &str, &str); 5] = [
        (Self::Year2014, "reviews_", "_5.json"),
        (Self::Year2018, "", "_5.json"),
        (Self::Year2023, "", "_5.jsonl"),
        (Self::Year2023, "", ".jsonl"),
        (Self::Year2023Table, "", ".csv"),
    ];

    /// Release and category of a review file by its name.
    pub(crate) fn of_name(name: &str) -> Option<(Self, &str)> {
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        if plain.starts_with("meta_") {
            return None;
        }
        Self::FORMS.iter().find_map(|&(release, prefix, suffix)| {
            let category = plain.strip_prefix(prefix)?.strip_suffix(suffix)?;
            (!category.is_empty()).then_some((release, category))
        })
    }

    /// The release of a review file that [`crate::inputs`] found.
    pub(crate) fn of(reviews: &Path) -> Self {
        let name = reviews.file_name().unwrap_or_default().to_string_lossy();
        Self::of_name(&name).map_or(Self::Year2014, |(release, _)| release)
    }

    /// Ending of the metadata's name.
    pub(crate) fn metadata_ending(self) -> &'static str {
        match self {
            Self::Year2014 | Self::Year2018 => ".json",
            Self::Year2023 | Self::Year2023Table => ".jsonl",
        }
    }

    /// The metadata's field with the categories, for messages.
    pub(crate) fn category_field(self) -> &'static str {
        match self {
            Self::Year2018 => "category",
            _ => "categories",
        }
    }

    /// Whether the release is known for products without category and for products given twice, so
    /// that both have a rule there instead of an error.
    pub(crate) fn has_gaps(self) -> bool {
        self != Self::Year2014
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_release() {
        for (name, expected) in [
            ("reviews_Beauty_5.json.gz", Some((Release::Year2014, "Beauty"))),
            ("Beauty_5.json", Some((Release::Year2018, "Beauty"))),
            ("All_Beauty.jsonl.gz", Some((Release::Year2023, "All_Beauty"))),
            ("All_Beauty_5.jsonl", Some((Release::Year2023, "All_Beauty"))),
            ("All_Beauty.csv", Some((Release::Year2023Table, "All_Beauty"))),
            ("meta_All_Beauty.jsonl", None),
            ("meta_Beauty_5.json", None),
            ("_5.json", None),
            ("notes.txt", None),
        ] {
            assert_eq!(Release::of_name(name), expected, "{name}");
        }
    }
}
