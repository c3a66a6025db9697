//! What an import leaves out of a directory, by patterns as in a `.gitignore`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Longest pattern, in bytes: as long as a path can be. Its alternatives are taken apart
/// recursively.
pub const PATTERN_BYTES_MAX: usize = 4096;

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern: {reason}")]
pub struct PatternError {
    /// The pattern; of a long one the beginning.
    pub pattern: String,
    /// What is wrong.
    pub reason: String,
}

/// What is left out of a directory: a list of patterns, of which the last one that matches a path
/// counts.
///
/// A pattern is a line of a `.gitignore`: without `/` it is compared with every name at any depth,
/// with `/` with the path below the directory; one that ends with `/` is about directories, one
/// that begins with `!` takes back. Of a directory that is left out nothing can be taken back:
/// nobody looks into it.
#[derive(Clone, Debug)]
pub struct LeftOut(Gitignore);

impl LeftOut {
    /// Nothing.
    pub fn nothing() -> Self {
        Self(Gitignore::empty())
    }

    /// Compiles patterns.
    pub fn new<T: AsRef<str>>(patterns: &[T]) -> Result<Self, PatternError> {
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        for pattern in patterns.iter().map(AsRef::as_ref) {
            let wrong = |reason: String| PatternError {
                pattern: pattern.chars().take(80).collect(),
                reason,
            };
            if pattern.len() > PATTERN_BYTES_MAX {
                return Err(wrong(format!("it has more than {PATTERN_BYTES_MAX} bytes")));
            }
            if !Self::says_something(pattern) {
                return Err(wrong("it says nothing".to_owned()));
            }
            if pattern.contains('\n') {
                return Err(wrong("it has more than one line".to_owned()));
            }
            let added = builder.add_line(None, pattern);
            added.map_err(|error| wrong(reason_of(&error)))?;
        }
        let built = builder.build().map_err(|error| PatternError {
            pattern: "all of them".to_owned(),
            reason: reason_of(&error),
        })?;
        Ok(Self(built))
    }

    /// Whether a line is a pattern, and neither blank nor a comment.
    pub fn says_something(line: &str) -> bool {
        !line.starts_with('#') && !line.trim().trim_start_matches(['!', '/']).is_empty()
    }

    /// Whether a directory is left out with all below it, by its path below the one that is
    /// imported.
    pub fn is_directory_left_out(&self, below: &[u8]) -> bool {
        self.0.matched(as_path(below), true).is_ignore()
    }

    /// Whether a file or a symlink is left out, by its path below the directory.
    pub fn is_file_left_out(&self, below: &[u8]) -> bool {
        self.0.matched(as_path(below), false).is_ignore()
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// What is wrong with a pattern, without the pattern.
fn reason_of(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        ignore::Error::WithPath { err, .. }
        | ignore::Error::WithLineNumber { err, .. }
        | ignore::Error::WithDepth { err, .. } => reason_of(err),
        ignore::Error::Partial(_)
        | ignore::Error::Loop { .. }
        | ignore::Error::Io(_)
        | ignore::Error::UnrecognizedFileType(_)
        | ignore::Error::InvalidDefinition => error.to_string(),
    }
}
