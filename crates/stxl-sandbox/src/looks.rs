//! The calls that look at a path: which they are, and where each has what. The filter of an
//! observed run stops them, and the supervisor remembers what they name.

use crate::kernel::Call;
use crate::seccomp::AUDIT_ARCH_I386;

/// One call that looks at a path, or two if it is another for 32-bit code.
pub(crate) struct Look {
    /// The number for 64-bit code.
    pub(crate) native: Option<u32>,
    /// The number for 32-bit code.
    pub(crate) compat: Option<u32>,
    /// The argument that is the directory relative paths begin at; none for the working directory.
    pub(crate) directory: Option<usize>,
    /// The argument that points to the path.
    pub(crate) path: usize,
    /// Whether a symlink is followed that the path itself is.
    pub(crate) last: Last,
    /// Whether the kernel looks at the interpreter of the file too.
    pub(crate) executes: bool,
}

/// What becomes of a symlink that is the last part of a path.
#[derive(Clone, Copy)]
pub(crate) enum Last {
    Followed,
    Kept,
    /// Kept if this argument has any of these bits.
    KeptBy {
        argument: usize,
        bits: u32,
    },
}

const NO_FOLLOW: u32 = libc::AT_SYMLINK_NOFOLLOW.cast_unsigned();
const OPEN_NO_FOLLOW: u32 = libc::O_NOFOLLOW.cast_unsigned();

/// A call whose first argument is the path.
const fn plain(native: Option<u32>, compat: Option<u32>, last: Last) -> Look {
    Look {
        native,
        compat,
        directory: None,
        path: 0,
        last,
        executes: false,
    }
}

/// A call whose first two arguments are a directory and a path relative to that.
const fn relative(native: Option<u32>, compat: Option<u32>, last: Last) -> Look {
    Look {
        directory: Some(0),
        path: 1,
        ..plain(native, compat, last)
    }
}

const fn kept_by(argument: usize, bits: u32) -> Last {
    Last::KeptBy { argument, bits }
}

/// All of them. `openat2` is none: it does not exist inside.
pub(crate) const LOOKS: &[Look] = &[
    // open, openat.
    plain(Some(2), Some(5), kept_by(1, OPEN_NO_FOLLOW)),
    relative(Some(257), Some(295), kept_by(2, OPEN_NO_FOLLOW)),
    // stat, and the older and the newer one of 32-bit code.
    plain(Some(4), Some(106), Last::Followed),
    plain(None, Some(18), Last::Followed),
    plain(None, Some(195), Last::Followed),
    // lstat, likewise.
    plain(Some(6), Some(107), Last::Kept),
    plain(None, Some(84), Last::Kept),
    plain(None, Some(196), Last::Kept),
    // newfstatat and fstatat64, statx.
    relative(Some(262), Some(300), kept_by(3, NO_FOLLOW)),
    relative(Some(332), Some(383), kept_by(2, NO_FOLLOW)),
    // access, faccessat, faccessat2.
    plain(Some(21), Some(33), Last::Followed),
    relative(Some(269), Some(307), Last::Followed),
    relative(Some(439), Some(439), kept_by(3, NO_FOLLOW)),
    // readlink, readlinkat.
    plain(Some(89), Some(85), Last::Kept),
    relative(Some(267), Some(305), Last::Kept),
    // chdir.
    plain(Some(80), Some(12), Last::Followed),
    // What gives a file another name takes it as it is: link, linkat; rename, renameat, renameat2.
    plain(Some(86), Some(9), Last::Kept),
    relative(Some(265), Some(303), Last::Kept),
    plain(Some(82), Some(38), Last::Kept),
    relative(Some(264), Some(302), Last::Kept),
    relative(Some(316), Some(353), Last::Kept),
    // execve, execveat.
    Look {
        executes: true,
        ..plain(Some(59), Some(11), Last::Followed)
    },
    Look {
        executes: true,
        ..relative(Some(322), Some(358), kept_by(4, NO_FOLLOW))
    },
];

/// The call as one that looks at a path, if it is one.
pub(crate) fn look_of(call: &Call) -> Option<&'static Look> {
    let number = Some(call.data.nr.cast_unsigned());
    let is_compat = call.data.arch == AUDIT_ARCH_I386;
    LOOKS.iter().find(|look| {
        let own = if is_compat { look.compat } else { look.native };
        own == number
    })
}
