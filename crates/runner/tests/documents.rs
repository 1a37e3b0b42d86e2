//! What the pages for people point at is there.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

/// All pages that lie in the repository's folders.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir()
            && !name.starts_with('.')
            && !["target", "raw", "prepared"].contains(&&*name)
        {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for folder in ["crates", "datasets", "docs", "examples"] {
        pages(&root.join(folder), &mut found);
    }
    let top = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    found.extend(top.map(|name| root.join(name)));
    let mut links = 0;
    for page in found {
        let text = std::fs::read_to_string(&page).unwrap();
        // Odd pieces are code.
        let prose: String = text.split("```").step_by(2).collect();
        for piece in prose.split("](").skip(1) {
            let (target, _) = piece.split_once(')').unwrap();
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            let place = page.parent().unwrap().join(target);
            assert!(place.exists(), "{} points at {target}", page.display());
        }
    }
    assert!(links > 10, "{links}");
}
