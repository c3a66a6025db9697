//! In what a sandbox may differ from the ABI, so that what depends on it comes to light: [`World`].

use std::ffi::OsString;

/// What a process sees around it. The default is the ABI's; any other is for a rebuild check, and
/// what comes of it is no result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// What the ABI fixes and is otherwise here.
    pub changes: ChangeSet,
    /// A directory that has a second name.
    pub second_name: Option<SecondName>,
    /// On which processors processes run.
    pub processors: Processors,
}

/// A directory at the top of the root that is also found under a second name beside it.
///
/// A program that starts there sees the second name as its path. The kernel takes the two for two
/// file systems: a rename or a hard link from one name to the other gives `EXDEV`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondName {
    /// Its name in the root, without a slash.
    pub first: OsString,
    /// The second name; an empty directory of that name is made in the upper layer, which the
    /// caller removes.
    pub second: OsString,
}

/// On which of the client's processors processes run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processors {
    /// On all of them.
    #[default]
    All,
    /// On the first half of them, the larger one if they are odd; on a single one, on that.
    FirstHalf,
    /// On as many, counted from the last.
    LastHalf,
}

/// One thing that the ABI fixes, or leaves to the kernel, and that is otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Change {
    /// The host is called `localhost`, which `/etc/hosts` knows, in the domain `elsewhere`.
    HostName,
    /// Another release and version of the kernel, another size of memory, an uptime.
    Kernel,
    /// New files are for their owner alone.
    Umask,
    /// Addresses are random.
    Addresses,
    /// The first command's process id has three digits.
    ProcessIds,
    /// Directories list backwards what the file system lists at a time.
    FileOrder,
}

/// A set of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet(u64);

impl Change {
    /// Every change.
    pub const ALL: [Self; 6] = [
        Self::HostName,
        Self::Kernel,
        Self::Umask,
        Self::Addresses,
        Self::ProcessIds,
        Self::FileOrder,
    ];
}

impl ChangeSet {
    /// Tells whether the change is in the set.
    pub fn contains(self, change: Change) -> bool {
        self.0 & (1 << change as u64) != 0
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl FromIterator<Change> for ChangeSet {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        let bits = changes.into_iter().map(|change| 1 << change as u64);
        Self(bits.fold(0, |all, bit: u64| all | bit))
    }
}
