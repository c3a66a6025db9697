//! Unified diffs: which files one changes, and the strict application of its hunks.
//!
//! Parsing is `diffy`'s. Application is ours, because it has to be exact: a hunk's context and
//! removed lines have to be in the file as they are. A hunk whose lines moved is accepted only if
//! they stand at exactly one place behind the hunk before it; there is no fuzz.

use std::borrow::Cow;

use diffy::patch_set::{self, FileOperation, FilePatch, ParseOptions, PatchKind, PatchSet};
use diffy::{Hunk, Line, Patch};
use stxl_model::{PathError, RootPath};
use stxl_store::FileMode;

/// One file that a diff changes; paths are below the directory it is applied in.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// What happens to the file.
    pub operation: Operation,
    /// Its mode afterwards, when the diff says so.
    pub mode: Option<FileMode>,
    text: Patch<'a, [u8]>,
}

/// What happens to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// A file is made where none was.
    Create(RootPath),
    /// A file is removed; what was in it has to be what the diff removes.
    Delete(RootPath),
    /// A file is changed, or made if the diff adds all its lines and it is not there.
    Modify(RootPath),
    /// A file is changed and gets another name.
    Rename(RootPath, RootPath),
    /// A file is copied and the copy changed.
    Copy(RootPath, RootPath),
}

/// Why a diff cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The text is not a unified diff.
    #[error("the diff is malformed: {reason}")]
    Malformed {
        /// What the parser found.
        reason: String,
    },
    /// Something in the text looks like a hunk but belongs to no file.
    #[error("the diff has {found} lines that begin a hunk, of which only {parsed} could be read")]
    StrayHunks {
        /// Lines that begin with `@@ `.
        found: usize,
        /// Hunks that belong to a file.
        parsed: usize,
    },
    /// A path leads out of the directory, or is not one.
    #[error("the diff names `{path}`: {source}")]
    BadPath {
        /// The path as written.
        path: String,
        /// What is wrong with it.
        source: PathError,
    },
    /// A path has no more parts than are to be dropped.
    #[error("the diff names `{path}`, of which {strip_components} leading parts cannot be dropped")]
    TooShort {
        /// The path as written.
        path: String,
        /// How many parts are dropped.
        strip_components: u32,
    },
    /// The change cannot be written as text, or makes something other than a file.
    #[error("the diff changes `{path}` in a way that is not supported: {what}")]
    Unsupported {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// The lines of a hunk are not in the file.
    #[error("hunk {hunk} at line {line} of `{path}` does not apply: its lines are not there")]
    NotThere {
        /// The file.
        path: RootPath,
        /// The hunk, from 1.
        hunk: usize,
        /// The line it was expected at, from 1.
        line: usize,
    },
    /// The lines of a hunk moved and are in the file more than once.
    #[error(
        "hunk {hunk} at line {line} of `{path}` does not apply: its lines moved and stand at {places} places"
    )]
    Ambiguous {
        /// The file.
        path: RootPath,
        /// The hunk, from 1.
        hunk: usize,
        /// The line it was expected at, from 1.
        line: usize,
        /// At how many places they stand.
        places: usize,
    },
    /// A file that is to be changed is not there or not a file.
    #[error("`{path}` is to be changed, but is not a file")]
    MissingFile {
        /// The file.
        path: RootPath,
    },
    /// A file that is to be made is there already.
    #[error("`{path}` is to be made, but is there already")]
    Exists {
        /// The file.
        path: RootPath,
    },
    /// A file that is to be removed holds more than the diff removes.
    #[error("`{path}` is to be removed, but holds lines that the diff does not remove")]
    LeftOver {
        /// The file.
        path: RootPath,
    },
}

/// Reads a diff of any number of files, plain or as git writes it.
pub(super) fn parse_changes(
    text: &[u8],
    strip_components: u32,
) -> Result<Vec<Change<'_>>, PatchError> {
    let is_git = text.starts_with(b"diff --git ") || contains(text, b"\ndiff --git ");
    let options = if is_git {
        ParseOptions::gitdiff()
    } else {
        ParseOptions::unidiff()
    };
    let mut changes = Vec::new();
    for file in PatchSet::parse_bytes(text, options) {
        let file = file.map_err(|error| PatchError::Malformed {
            reason: error.to_string(),
        })?;
        changes.push(change_of(file, strip_components)?);
    }
    let parsed: usize = changes.iter().map(|change| change.text.hunks().len()).sum();
    // A damaged header would otherwise end the file's section and drop the hunk silently.
    let found = text
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"@@ "))
        .count();
    if found == parsed {
        Ok(changes)
    } else {
        Err(PatchError::StrayHunks { found, parsed })
    }
}

impl Change<'_> {
    /// Whether the diff adds the whole of the file.
    pub(super) fn adds_all(&self) -> bool {
        match self.text.hunks() {
            [hunk] => hunk.old_range().is_empty() && hunk.old_range().start() == 0,
            _ => false,
        }
    }

    /// The file's bytes afterwards.
    pub(super) fn apply(&self, path: &RootPath, before: &[u8]) -> Result<Vec<u8>, PatchError> {
        let lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
        let mut after = Vec::with_capacity(before.len());
        let mut taken = 0;
        let mut moved: isize = 0;
        for (index, hunk) in self.text.hunks().iter().enumerate() {
            let start = hunk.old_range().start();
            let stated = if hunk.old_range().is_empty() {
                start
            } else {
                start.saturating_sub(1)
            };
            let expected = stated.saturating_add_signed(moved);
            let place = find_place(&lines, hunk, taken, expected).map_err(|places| {
                let (path, hunk, line) = (path.clone(), index + 1, start);
                match places {
                    0 => PatchError::NotThere { path, hunk, line },
                    _ => PatchError::Ambiguous {
                        path,
                        hunk,
                        line,
                        places,
                    },
                }
            })?;
            moved = place.cast_signed() - stated.cast_signed();
            after.extend(lines[taken..place].concat());
            for line in hunk.lines() {
                match line {
                    Line::Context(text) | Line::Insert(text) => after.extend_from_slice(text),
                    Line::Delete(_) => {}
                }
            }
            taken = place + hunk.old_range().len();
        }
        after.extend(lines[taken..].concat());
        Ok(after)
    }
}

/// Where the old lines of a hunk stand; otherwise at how many places they do.
fn find_place(
    lines: &[&[u8]],
    hunk: &Hunk<'_, [u8]>,
    first: usize,
    expected: usize,
) -> Result<usize, usize> {
    let old: Vec<&[u8]> = hunk
        .lines()
        .iter()
        .filter_map(|line| match line {
            Line::Context(text) | Line::Delete(text) => Some(*text),
            Line::Insert(_) => None,
        })
        .collect();
    let stands_at = |place: usize| {
        place >= first
            && lines
                .get(place..place + old.len())
                .is_some_and(|here| here == old.as_slice())
    };
    if stands_at(expected) {
        return Ok(expected);
    }
    if old.is_empty() {
        return Err(0);
    }
    let places: Vec<usize> = (first..lines.len())
        .filter(|place| stands_at(*place))
        .collect();
    match places.as_slice() {
        [place] => Ok(*place),
        _ => Err(places.len()),
    }
}

fn change_of(file: FilePatch<'_, [u8]>, strip_components: u32) -> Result<Change<'_>, PatchError> {
    let path = |text: &Cow<'_, [u8]>| path_of(text, strip_components);
    let operation = match file.operation() {
        FileOperation::Create(made) => Operation::Create(path(made)?),
        FileOperation::Delete(removed) => Operation::Delete(path(removed)?),
        FileOperation::Modify {
            original: _,
            modified,
        } => Operation::Modify(path(modified)?),
        FileOperation::Rename { from, to } => Operation::Rename(path(from)?, path(to)?),
        FileOperation::Copy { from, to } => Operation::Copy(path(from)?, path(to)?),
    };
    let unsupported = |what| PatchError::Unsupported {
        path: operation.path().to_string(),
        what,
    };
    let mode = match file.new_mode() {
        None => None,
        Some(patch_set::FileMode::Regular) => Some(FileMode::Plain),
        Some(patch_set::FileMode::Executable) => Some(FileMode::Executable),
        Some(patch_set::FileMode::Symlink) => return Err(unsupported("a symlink")),
        Some(patch_set::FileMode::Gitlink) => return Err(unsupported("a submodule")),
    };
    if matches!(
        file.old_mode(),
        Some(patch_set::FileMode::Symlink | patch_set::FileMode::Gitlink)
    ) {
        return Err(unsupported("a symlink or submodule"));
    }
    match file.into_patch() {
        PatchKind::Text(text) => Ok(Change {
            operation,
            mode,
            text,
        }),
        PatchKind::Binary(_) => Err(unsupported("binary content")),
    }
}

impl Operation {
    /// The same below a directory.
    pub(super) fn below(&self, at: &RootPath) -> Result<Self, PatchError> {
        let place = |path: &RootPath| {
            path.parts()
                .try_fold(at.clone(), |above, part| above.child(part))
                .map_err(|source| PatchError::BadPath {
                    path: path.to_string(),
                    source,
                })
        };
        Ok(match self {
            Self::Create(path) => Self::Create(place(path)?),
            Self::Delete(path) => Self::Delete(place(path)?),
            Self::Modify(path) => Self::Modify(place(path)?),
            Self::Rename(from, to) => Self::Rename(place(from)?, place(to)?),
            Self::Copy(from, to) => Self::Copy(place(from)?, place(to)?),
        })
    }

    /// The path the change ends at.
    pub(super) fn path(&self) -> &RootPath {
        match self {
            Self::Create(path)
            | Self::Delete(path)
            | Self::Modify(path)
            | Self::Rename(_, path)
            | Self::Copy(_, path) => path,
        }
    }
}

fn path_of(text: &[u8], strip_components: u32) -> Result<RootPath, PatchError> {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let mut rest = text;
    for _ in 0..strip_components {
        let Some(slash) = rest.iter().position(|byte| *byte == b'/') else {
            return Err(PatchError::TooShort {
                path: shown(),
                strip_components,
            });
        };
        rest = rest.get(slash + 1..).unwrap_or_default();
    }
    let path = RootPath::parse(&[b"/", rest].concat()).map_err(|source| PatchError::BadPath {
        path: shown(),
        source,
    })?;
    if path.is_root() {
        return Err(PatchError::TooShort {
            path: shown(),
            strip_components,
        });
    }
    Ok(path)
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
