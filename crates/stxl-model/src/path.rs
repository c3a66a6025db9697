//! Paths inside a tree or a root.

use std::fmt;

use crate::tree::{NAME_BYTES_MAX, is_valid_name};

/// A path inside a root: absolute, without `.`, `..`, empty parts or NUL.
///
/// Invariant: parts joined by `/` without a leading or trailing one; the root itself is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootPath(Vec<u8>);

/// Why a text is not a path inside a root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not begin with `/`.
    #[error("`{path}` does not begin with `/`")]
    NotAbsolute {
        /// The path as given.
        path: String,
    },
    /// A part is empty, `.`, `..`, too long, or holds a NUL.
    #[error(
        "`{path}` has the part `{part}`: parts are names of 1 to {NAME_BYTES_MAX} bytes, not `.` or `..`"
    )]
    BadPart {
        /// The path as given.
        path: String,
        /// The part that is refused.
        part: String,
    },
}

impl RootPath {
    /// The root itself, `/`.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Parses an absolute path; one trailing `/` is allowed.
    pub fn parse(path: &[u8]) -> Result<Self, PathError> {
        let shown = || String::from_utf8_lossy(path).into_owned();
        let Some(rest) = path.strip_prefix(b"/") else {
            return Err(PathError::NotAbsolute { path: shown() });
        };
        let rest = rest.strip_suffix(b"/").unwrap_or(rest);
        if rest.is_empty() {
            return Ok(Self::root());
        }
        for part in rest.split(|byte| *byte == b'/') {
            if !is_valid_name(part) {
                let part = String::from_utf8_lossy(part).into_owned();
                return Err(PathError::BadPart {
                    path: shown(),
                    part,
                });
            }
        }
        Ok(Self(rest.to_vec()))
    }

    /// The names from the root down; none for `/`.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes without the leading `/`, as file functions relative to a root want them.
    pub fn as_relative_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes with the leading `/`.
    pub fn to_absolute_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() + 1);
        bytes.push(b'/');
        bytes.extend_from_slice(&self.0);
        bytes
    }

    /// This path followed by one more name, which has to be valid in a tree.
    pub fn child(&self, name: &[u8]) -> Result<Self, PathError> {
        let mut bytes = self.to_absolute_bytes();
        if !self.is_root() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        if is_valid_name(name) {
            Ok(Self(bytes.split_off(1)))
        } else {
            let part = String::from_utf8_lossy(name).into_owned();
            Err(PathError::BadPart {
                path: String::from_utf8_lossy(&bytes).into_owned(),
                part,
            })
        }
    }

    /// The directory that holds this path; nothing for `/`.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(self.0.iter().take(end).copied().collect()))
    }

    /// The last name; nothing for `/`.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.parts().next_back()
    }
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
