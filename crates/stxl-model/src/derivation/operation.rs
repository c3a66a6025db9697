//! The operations of a compose derivation.

use crate::codec::{DecodeError, Decoder, Encoder};
use crate::path::RootPath;

use super::encoding::{decode_path, encode_path};

/// One pure operation on the tree made so far.
///
/// `input` is a position in the compose's list of inputs. An operation that finds something other
/// than it needs (a missing path, a clash of kinds, a glob without a match) fails the derivation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeOp {
    /// Merges a whole input over the tree.
    Merge {
        /// Which input.
        input: u32,
    },
    /// Merges an input below a directory, which is made if missing.
    PutTree {
        /// Which input.
        input: u32,
        /// The directory.
        at: RootPath,
    },
    /// Puts the entry `file` of an input at a path, replacing a file or symlink there.
    PutFile {
        /// Which input.
        input: u32,
        /// The path; missing directories above it are made.
        at: RootPath,
        /// Its executable bit.
        mode: PutMode,
    },
    /// Replaces the tree by one of its directories.
    Select {
        /// The directory.
        path: RootPath,
    },
    /// Keeps only files and symlinks that match a glob, and the directories above them.
    KeepGlobs {
        /// Globs relative to the tree's root; each has to match something.
        globs: Vec<String>,
    },
    /// Drops what matches a glob; directories that become empty stay.
    DropGlobs {
        /// Globs relative to the tree's root; each has to match something.
        globs: Vec<String>,
    },
    /// Moves a file, symlink or directory.
    Move {
        /// What is moved.
        from: RootPath,
        /// Where to; nothing may be there.
        to: RootPath,
    },
    /// Copies a file, symlink or directory.
    Copy {
        /// What is copied.
        from: RootPath,
        /// Where to; nothing may be there.
        to: RootPath,
    },
    /// Removes a file, symlink or directory with all below it.
    Remove {
        /// What is removed.
        path: RootPath,
    },
    /// Makes a directory and those above it; one that is there is left as it is.
    Mkdir {
        /// The directory.
        path: RootPath,
    },
    /// Makes a symlink; nothing may be there.
    Symlink {
        /// Where the link is.
        path: RootPath,
        /// What it points to.
        target: Vec<u8>,
    },
    /// Writes a file, replacing a file or symlink there.
    Write {
        /// Where.
        path: RootPath,
        /// All its bytes.
        content: Vec<u8>,
        /// Whether it can be executed.
        executable: bool,
    },
    /// Sets or clears the executable bit of a file.
    SetExecutable {
        /// The file.
        path: RootPath,
        /// Whether it can be executed.
        executable: bool,
    },
    /// Replaces every occurrence of a text in a file; there has to be at least one.
    Substitute {
        /// The file.
        path: RootPath,
        /// What is replaced; not empty.
        from: Vec<u8>,
        /// What it is replaced by.
        to: Vec<u8>,
    },
    /// Applies a unified diff, the entry `file` of an input, below a directory.
    Patch {
        /// Which input.
        input: u32,
        /// The directory that the paths of the diff are relative to.
        at: RootPath,
        /// How many leading parts of the paths in the diff are dropped.
        strip_components: u32,
    },
    /// Merges a whole input over the tree, and fails where it would replace a file or symlink by a
    /// different one.
    MergeStrict {
        /// Which input.
        input: u32,
    },
    /// Fails unless two files are equal, or two directories have the same tree.
    AssertEqual {
        /// One of them.
        left: RootPath,
        /// The other.
        right: RootPath,
    },
}

/// How the executable bit of a file that is put somewhere is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// As in the input.
    Unchanged,
    /// Set.
    Executable,
    /// Cleared.
    Plain,
}

impl TreeOp {
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        let path = encode_path;
        match self {
            Self::Merge { input } => encode_input(encoder, 1, *input),
            Self::PutTree { input, at } => {
                encoder.byte(2);
                encoder.u32(*input);
                path(encoder, at);
            }
            Self::PutFile { input, at, mode } => {
                encoder.byte(3);
                encoder.u32(*input);
                path(encoder, at);
                encoder.byte(mode.code());
            }
            Self::Select { path: selected } => {
                encoder.byte(4);
                path(encoder, selected);
            }
            Self::KeepGlobs { globs } => encode_globs(encoder, 5, globs),
            Self::DropGlobs { globs } => encode_globs(encoder, 6, globs),
            Self::Move { from, to } => encode_two_paths(encoder, 7, from, to),
            Self::Copy { from, to } => encode_two_paths(encoder, 8, from, to),
            Self::Remove { path: removed } => {
                encoder.byte(9);
                path(encoder, removed);
            }
            Self::Mkdir { path: made } => {
                encoder.byte(10);
                path(encoder, made);
            }
            Self::Symlink { path: link, target } => {
                encoder.byte(11);
                path(encoder, link);
                encoder.bytes(target);
            }
            Self::Write {
                path: written,
                content,
                executable,
            } => {
                encoder.byte(12);
                path(encoder, written);
                encoder.bytes(content);
                encoder.byte(u8::from(*executable));
            }
            Self::SetExecutable {
                path: changed,
                executable,
            } => {
                encoder.byte(13);
                path(encoder, changed);
                encoder.byte(u8::from(*executable));
            }
            Self::Substitute {
                path: changed,
                from,
                to,
            } => {
                encoder.byte(14);
                path(encoder, changed);
                encoder.bytes(from);
                encoder.bytes(to);
            }
            Self::Patch {
                input,
                at,
                strip_components,
            } => {
                encoder.byte(15);
                encoder.u32(*input);
                path(encoder, at);
                encoder.u32(*strip_components);
            }
            Self::AssertEqual { left, right } => encode_two_paths(encoder, 16, left, right),
            Self::MergeStrict { input } => encode_input(encoder, 17, *input),
        }
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let path = decode_path;
        Ok(match decoder.byte()? {
            1 => Self::Merge {
                input: decoder.u32()?,
            },
            2 => Self::PutTree {
                input: decoder.u32()?,
                at: path(decoder)?,
            },
            3 => Self::PutFile {
                input: decoder.u32()?,
                at: path(decoder)?,
                mode: PutMode::from_code(decoder.byte()?)
                    .ok_or_else(|| decoder.error("a mode of put"))?,
            },
            4 => Self::Select {
                path: path(decoder)?,
            },
            5 => Self::KeepGlobs {
                globs: decode_globs(decoder)?,
            },
            6 => Self::DropGlobs {
                globs: decode_globs(decoder)?,
            },
            7 => Self::Move {
                from: path(decoder)?,
                to: path(decoder)?,
            },
            8 => Self::Copy {
                from: path(decoder)?,
                to: path(decoder)?,
            },
            9 => Self::Remove {
                path: path(decoder)?,
            },
            10 => Self::Mkdir {
                path: path(decoder)?,
            },
            11 => Self::Symlink {
                path: path(decoder)?,
                target: decoder.bytes()?.to_vec(),
            },
            12 => Self::Write {
                path: path(decoder)?,
                content: decoder.bytes()?.to_vec(),
                executable: decode_bool(decoder)?,
            },
            13 => Self::SetExecutable {
                path: path(decoder)?,
                executable: decode_bool(decoder)?,
            },
            14 => Self::Substitute {
                path: path(decoder)?,
                from: decoder.bytes()?.to_vec(),
                to: decoder.bytes()?.to_vec(),
            },
            15 => Self::Patch {
                input: decoder.u32()?,
                at: path(decoder)?,
                strip_components: decoder.u32()?,
            },
            16 => Self::AssertEqual {
                left: path(decoder)?,
                right: path(decoder)?,
            },
            17 => Self::MergeStrict {
                input: decoder.u32()?,
            },
            _ => return Err(decoder.error("an operation")),
        })
    }
}

impl PutMode {
    const fn code(self) -> u8 {
        match self {
            Self::Unchanged => 1,
            Self::Executable => 2,
            Self::Plain => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Unchanged, Self::Executable, Self::Plain]
            .into_iter()
            .find(|mode| mode.code() == code)
    }
}

fn encode_input(encoder: &mut Encoder, code: u8, input: u32) {
    encoder.byte(code);
    encoder.u32(input);
}

fn encode_globs(encoder: &mut Encoder, code: u8, globs: &[String]) {
    encoder.byte(code);
    encoder.count(globs.len());
    for glob in globs {
        encoder.text(glob);
    }
}

fn encode_two_paths(encoder: &mut Encoder, code: u8, first: &RootPath, second: &RootPath) {
    encoder.byte(code);
    encode_path(encoder, first);
    encode_path(encoder, second);
}

fn decode_globs(decoder: &mut Decoder<'_>) -> Result<Vec<String>, DecodeError> {
    (0..decoder.count()?)
        .map(|_| decoder.text().map(str::to_owned))
        .collect()
}

fn decode_bool(decoder: &mut Decoder<'_>) -> Result<bool, DecodeError> {
    match decoder.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(decoder.error("0 or 1")),
    }
}
