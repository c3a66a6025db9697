//! Refuses source files that do not say what they own.

use super::finding::Finding;
use super::tracked::TrackedFile;

/// Checks that every Rust file starts with a line of module documentation.
pub(crate) fn check(files: &[TrackedFile]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| !file.is_case_data())
        .filter_map(|file| {
            let first = file.rust_source()?.lines().next().unwrap_or("");
            let says_something = first
                .strip_prefix("//! ")
                .is_some_and(|text| text.len() > 5);
            (!says_something)
                .then(|| Finding::error(&file.path, 1, "starts without `//!`: say what it owns"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tracked::TrackedFile;

    #[test]
    fn a_file_without_a_head_is_found() {
        let files = [
            TrackedFile::plain("a.rs", "//! Owns a thing.\n"),
            TrackedFile::plain("b.rs", "use std::fmt;\n"),
            TrackedFile::plain("c.rs", "//!\n"),
            TrackedFile::plain("d.md", "# D\n"),
        ];
        let paths: Vec<String> = check(&files)
            .into_iter()
            .map(|finding| finding.path)
            .collect();
        assert_eq!(paths, ["b.rs", "c.rs"]);
    }
}
