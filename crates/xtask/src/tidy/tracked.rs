//! The files that tidy looks at: [`TrackedFile`].

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::workspace::capture;

/// A file that git tracks or would track.
#[derive(Clone, Debug)]
pub(crate) struct TrackedFile {
    /// Path relative to the workspace, with `/`.
    pub(crate) path: String,
    /// The contents when they are text; `None` for bytes that are not UTF-8.
    pub(crate) text: Option<String>,
    /// Whether the owner may execute it.
    pub(crate) is_executable: bool,
}

impl TrackedFile {
    /// Returns a plain text file, as the tests of the checks need it.
    #[cfg(test)]
    pub(crate) fn plain(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: Some(text.to_owned()),
            is_executable: false,
        }
    }

    /// Returns the ending of the file name without its dot, or nothing.
    pub(crate) fn extension(&self) -> &str {
        Path::new(&self.path)
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or("")
    }

    /// Returns the text of a Rust source file; nothing for every other file.
    pub(crate) fn rust_source(&self) -> Option<&str> {
        (self.extension() == "rs")
            .then_some(self.text.as_deref())
            .flatten()
    }

    /// Returns whether the file belongs to tests rather than to what they test.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/")
    }

    /// Returns whether the file is a test's input or expectation, whose bytes are the point.
    pub(crate) fn is_case_data(&self) -> bool {
        let is_in = |folder: &str| self.path.split('/').any(|part| part == folder);
        // Rungs of the bootstrap have theirs beside them.
        let is_rungs = self.path.starts_with("stages/") && is_in("cases");
        is_rungs || self.is_test() && ["cases", "golden", "corpus"].into_iter().any(is_in)
    }
}

/// Reads every file that git tracks or would track, ordered by path.
///
/// Files not yet added are among them, so that a finding comes before the commit.
/// Links are skipped: their targets are files of their own.
pub(crate) fn read_all(root: &Path) -> anyhow::Result<Vec<TrackedFile>> {
    let mut command = Command::new("git");
    command.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listing = String::from_utf8(capture(&mut command)?).context("a file name is not UTF-8")?;
    let mut paths: Vec<&str> = listing
        .split('\0')
        .filter(|path| !path.is_empty())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        let full = root.join(path);
        let Ok(metadata) = full.symlink_metadata() else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        let bytes = std::fs::read(&full).with_context(|| format!("could not read {path}"))?;
        files.push(TrackedFile {
            path: path.to_owned(),
            text: String::from_utf8(bytes).ok(),
            is_executable: metadata.permissions().mode() & 0o100 != 0,
        });
    }
    Ok(files)
}
