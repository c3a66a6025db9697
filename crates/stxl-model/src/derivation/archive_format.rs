//! Formats of archives, and which one a name tells.

/// Formats of archives that are read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// POSIX tar, plain or compressed; the compression is told by the bytes.
    Tar,
    /// The `newc` form of cpio.
    Cpio,
    /// Zip.
    Zip,
    /// A Debian binary package, of which only the content counts; read only.
    Deb,
}

impl ArchiveFormat {
    /// The format that the name of a file tells by its ending; nothing for that of no archive.
    ///
    /// A name without an ending, or with one that is part of a version, as in `v1.2-rc.1`, is taken
    /// for that of a tar.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        match ending.to_ascii_lowercase().as_str() {
            "zip" | "whl" | "jar" => Some(Self::Zip),
            "cpio" => Some(Self::Cpio),
            "deb" | "udeb" => Some(Self::Deb),
            "tar" | "tgz" | "tbz" | "tbz2" | "txz" | "tzst" | "tlz" | "taz" | "crate" | "gem" => {
                Some(Self::Tar)
            }
            "gz" | "bz2" | "xz" | "zst" | "lz" | "lzma" | "z" => {
                Self::of_file_name(stem).map(|_| Self::Tar)
            }
            ending => is_of_version(ending).then_some(Self::Tar),
        }
    }

    /// How many leading parts of paths are dropped where nothing else is said: sources lie in a
    /// directory of their own, Debian packages hold paths from the root on.
    pub const fn strip_components_default(self) -> u32 {
        match self {
            Self::Tar | Self::Cpio | Self::Zip => 1,
            Self::Deb => 0,
        }
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Cpio => "cpio",
            Self::Zip => "zip",
            Self::Deb => "deb",
        }
    }
}

/// Whether what follows the last dot of a name is more likely the end of a version.
fn is_of_version(ending: &str) -> bool {
    const WORDS: [&str; 6] = ["alpha", "beta", "dev", "post", "pre", "rc"];
    let word = ending.trim_end_matches(|last: char| last.is_ascii_digit());
    WORDS.contains(&word) || !ending.starts_with(|first: char| first.is_ascii_alphabetic())
}
