//! Where raw files are published: the `[[sources]]` of a catalog entry.

use serde::{Deserialize, Serialize};

/// One download, or one file to get by hand, and the raw files that it gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Sources of one alternative belong together; any one alternative gives the whole dataset.
    pub alternative: Option<String>,
    /// File name of the download; that of the first address unless given.
    pub name: Option<String>,
    /// Addresses of the same file, in the order in which to try them.
    #[serde(default)]
    pub urls: Vec<String>,
    /// A Python package with its version (`recbole==1.2.1`) in place of addresses.
    pub package: Option<String>,
    /// A page in place of addresses: its terms ask for a person.
    pub page: Option<String>,
    /// The download is a zip archive, of which only these are taken.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Size in bytes, where known.
    pub bytes: Option<u64>,
    /// SHA-256, where known.
    pub sha256: Option<String>,
    /// MD5, where the publisher gives no better one.
    pub md5: Option<String>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Path in the archive. A name without folders is also found in a folder, if in only one.
    pub path: String,
    /// File name to place it under; the last part of the path unless given.
    pub name: Option<String>,
    /// Size in bytes, where known.
    pub bytes: Option<u64>,
    /// SHA-256, where known.
    pub sha256: Option<String>,
    /// MD5, where the publisher gives no better one.
    pub md5: Option<String>,
}

/// What is known of a file before it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks<'a> {
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// SHA-256 in hexadecimal.
    pub sha256: Option<&'a str>,
    /// MD5 in hexadecimal.
    pub md5: Option<&'a str>,
}

/// The ways to get a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// Addresses of the same file.
    Mirrors(&'a [String]),
    /// A Python package with its version.
    Package(&'a str),
    /// A page to get the file from by hand.
    Page(&'a str),
}

impl Origin {
    /// How to get it, or what is wrong with the entry. File names must be plain ones, so that nothing
    /// can be placed outside of the dataset's folder.
    ///
    /// # Errors
    /// What is wrong, and with which source.
    pub fn address(&self) -> Result<Address<'_>, String> {
        let fail = |problem: &str| Err(format!("source {:?}: {problem}", self.download_name()));
        let address = match (&self.urls[..], &self.package, &self.page) {
            (urls @ [_, ..], None, None) => Address::Mirrors(urls),
            ([], Some(package), None) => Address::Package(package),
            ([], None, Some(page)) => Address::Page(page),
            _ => return fail("expected one of urls, package and page"),
        };
        match address {
            Address::Mirrors(urls) if !urls.iter().all(|url| is_web(url)) => {
                return fail("expected addresses that begin with http:// or https://");
            }
            // A leading dash would be an option of pip.
            Address::Package(package) if package.starts_with('-') || !package.contains("==") => {
                return fail("expected a package with its version, such as recbole==1.2.1");
            }
            Address::Package(_) if self.members.is_empty() => {
                return fail("expected members, since a package is an archive");
            }
            Address::Package(_) if !self.checks().is_empty() => {
                return fail("expected bytes and checksums at the members of a package");
            }
            Address::Page(_) if !self.members.is_empty() => {
                return fail("expected no members, since a person unpacks what a page gives");
            }
            _ => {}
        }
        let placed = matches!(address, Address::Mirrors(_)).then(|| self.download_name());
        let files = self.files();
        for name in files.iter().map(|(name, _)| *name).chain(placed) {
            if !is_plain(name) {
                return fail(&format!("{name:?} is no plain file name"));
            }
        }
        for checks in files.iter().map(|(_, checks)| *checks).chain([self.checks()]) {
            if !checks.sha256.is_none_or(|hash| is_hexadecimal(hash, 64)) {
                return fail("expected a sha256 of 64 digits in lower case");
            }
            if !checks.md5.is_none_or(|hash| is_hexadecimal(hash, 32)) {
                return fail("expected an md5 of 32 digits in lower case");
            }
        }
        Ok(address)
    }

    /// File name of the download itself, which may be an archive.
    pub fn download_name(&self) -> &str {
        let first = self.urls.first().or(self.package.as_ref()).or(self.page.as_ref());
        self.name.as_deref().unwrap_or_else(|| first.map_or("", |address| last_part(address)))
    }

    /// The raw files that it gives, by name, with what is known of them.
    pub fn files(&self) -> Vec<(&str, Checks<'_>)> {
        if self.members.is_empty() {
            return vec![(self.download_name(), self.checks())];
        }
        self.members.iter().map(|member| (member.name(), member.checks())).collect()
    }

    /// What is known of the download.
    pub fn checks(&self) -> Checks<'_> {
        Checks { bytes: self.bytes, sha256: self.sha256.as_deref(), md5: self.md5.as_deref() }
    }

    /// What to place and where it is to be had, for people: a line, or one for each address.
    pub(crate) fn instruction(&self) -> String {
        let what = if self.members.is_empty() {
            self.download_name().to_string()
        } else {
            let members: Vec<String> = self.members.iter().map(Member::instruction).collect();
            members.join(", ")
        };
        let out_of = if self.members.is_empty() {
            "from"
        } else {
            "out of this archive, which `din-repro fetch` unpacks when it is placed there itself:\n   "
        };
        if let Some(package) = &self.package {
            return format!(
                "{what}\n    out of the Python package {package}: pip download --no-deps {package} (a \
                 wheel is a zip archive)"
            );
        }
        if let Some(page) = &self.page {
            return format!("{what}\n    from the page {page} (by hand, its terms ask for it)");
        }
        format!("{what}\n    {out_of} {}", self.urls.join("\n    or "))
    }
}

impl Member {
    /// File name to place it under.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| last_part(&self.path))
    }

    /// What is known of the file.
    pub fn checks(&self) -> Checks<'_> {
        Checks { bytes: self.bytes, sha256: self.sha256.as_deref(), md5: self.md5.as_deref() }
    }

    fn instruction(&self) -> String {
        match &self.name {
            Some(name) => format!("{} as {name}", self.path),
            None => self.path.clone(),
        }
    }
}

impl Checks<'_> {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Checks::default()
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':', '\0'])
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn names_come_from_addresses_and_paths_unless_given() {
        let archive = origin(
            "urls = ['https://a.org/b.zip', 'https://c.org/d']\n\
             members = [{ path = 'x/y.csv', bytes = 3 }, { path = 'z.csv', name = 'w.csv' }]",
        );
        assert_eq!(archive.download_name(), "b.zip");
        let names: Vec<&str> = archive.files().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["y.csv", "w.csv"]);
        assert_eq!(archive.files()[0].1.bytes, Some(3));
        assert_eq!(archive.address(), Ok(Address::Mirrors(&archive.urls)));
        let text = archive.instruction();
        assert!(text.contains("x/y.csv, z.csv as w.csv"), "{text}");
        assert!(text.contains("https://a.org/b.zip\n    or https://c.org/d"), "{text}");
    }

    #[test]
    fn an_entry_that_makes_no_sense_is_refused_with_a_reason() {
        for (text, reason) in [
            ("name = 'a'", "one of urls, package and page"),
            ("urls = ['https://a.org/b']\npage = 'https://a.org'", "one of urls, package and page"),
            ("urls = ['file:///etc/passwd']", "begin with http"),
            ("urls = ['https://a.org/']", "no plain file name"),
            ("urls = ['https://a.org/b']\nname = '../b'", "no plain file name"),
            ("urls = ['https://a.org/b']\nmembers = [{ path = '..' }]", "no plain file name"),
            ("package = '--upgrade==1'\nmembers = [{ path = 'a' }]", "with its version"),
            ("package = 'a==1'", "expected members"),
            ("package = 'a==1'\nbytes = 3\nmembers = [{ path = 'a' }]", "at the members"),
            ("page = 'https://a.org/b'\nmembers = [{ path = 'a' }]", "expected no members"),
            ("urls = ['https://a.org/b']\nsha256 = 'ABC'", "sha256 of 64 digits"),
            ("urls = ['https://a.org/b']\nmd5 = 'abc'", "md5 of 32 digits"),
        ] {
            let message = origin(text).address().unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
        }
        assert!(toml::from_str::<Origin>("url = 'https://a.org/b'").is_err());
    }
}
