//! The platforms a process can run on or a package be built for.

use std::fmt;

/// A processor architecture under Linux; the closed list enters every key by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// 32-bit x86.
    I686,
    /// 64-bit x86.
    X86_64,
}

impl Platform {
    /// All platforms, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::I686, Self::X86_64];

    /// The name as written in definitions and shown as `{arch}`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I686 => "i686",
            Self::X86_64 => "x86_64",
        }
    }

    /// The GNU triple, `{triple}` in templates.
    pub const fn triple(self) -> &'static str {
        match self {
            Self::I686 => "i686-linux-musl",
            Self::X86_64 => "x86_64-linux-musl",
        }
    }

    /// Finds a platform by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.name() == name)
    }

    /// The code that stands for the platform in encodings; never reused.
    pub const fn code(self) -> u8 {
        match self {
            Self::I686 => 1,
            Self::X86_64 => 2,
        }
    }

    /// The platform a code stands for.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.code() == code)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
