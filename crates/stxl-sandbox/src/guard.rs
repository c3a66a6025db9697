//! The enumerated list of guards, and the report that one could not be set up.

use std::fmt;

macro_rules! guards {
    ($($(#[doc = $stops:literal])+ $name:ident = $text:literal,)+) => {
        /// One thing that stands between a build and the rest of the world.
        ///
        /// The first line of each says what it stops; README.md names the test of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Guard { $($(#[doc = $stops])+ $name,)+ }

        impl Guard {
            /// Every guard, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the name used in messages and in README.md.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// Returns what the guard stops, in one sentence.
            pub fn stops(self) -> &'static str {
                match self { $(Self::$name => concat!($($stops),+).trim_ascii(),)+ }
            }
        }
    };
}

guards! {
    /// A build mapped to the host's uid 0, for which many kernel checks do not hold.
    NeverHostRoot = "never-host-root",
    /// A process that is more than one user, or a user of the host.
    OneIdMap = "one-id-map",
    /// Seeing, signalling and outliving processes.
    PidNamespace = "pid-namespace",
    /// Reaching any network, the host's loopback and abstract sockets included.
    NetNamespace = "net-namespace",
    /// Reading and changing System V and POSIX message objects of the host.
    IpcNamespace = "ipc-namespace",
    /// Seeing the host's name.
    UtsNamespace = "uts-namespace",
    /// Seeing where in the host's control groups the build runs.
    CgroupNamespace = "cgroup-namespace",
    /// Reading files that are not inputs.
    PrivateRoot = "private-root",
    /// Changing an input tree.
    OverlayRoot = "overlay-root",
    /// Executing a setuid file and opening a device node found in an input.
    MountFlags = "mount-flags",
    /// Replacing or removing a device node.
    DeviceBinds = "device-binds",
    /// Changing the times of the host's device nodes and adding files below `/dev`.
    ReadOnlyDevices = "read-only-devices",
    /// Temporary files that end in the result.
    PrivateTmp = "private-tmp",
    /// Reading or writing kernel settings and facts about the host below `/proc`.
    ProcSubset = "proc-subset",
    /// Overriding permissions, changing mounts and everything else a capability allows.
    CapabilitiesDropped = "capabilities-dropped",
    /// Gaining privilege by executing a file.
    NoNewPrivileges = "no-new-privileges",
    /// Calls this crate does not know, `*xattrat` among them, and the x32 interface.
    SyscallCeiling = "syscall-ceiling",
    /// Changing, cloning or attaching mounts.
    NoMounting = "no-mounting",
    /// Entering or making namespaces.
    NoNamespaces = "no-namespaces",
    /// Making a setuid or setgid file.
    NoSetid = "no-setid",
    /// Extended attributes, access control lists and file capabilities.
    NoXattrs = "no-xattrs",
    /// Keyrings, `io_uring`, bpf, perf and other wide kernel interfaces.
    NoWideInterfaces = "no-wide-interfaces",
    /// Sockets of families that no namespace confines, vsock to the hypervisor among them.
    SocketFamilies = "socket-families",
    /// Typing into a terminal.
    NoTerminalInjection = "no-terminal-injection",
    /// Seeing the host kernel's release and the host's memory size and uptime.
    FixedAnswers = "fixed-answers",
    /// Abstract sockets and signals that leave the sandbox, should a namespace fail to.
    LandlockScope = "landlock-scope",
    /// Reading and writing the memory and the files of the supervising process.
    HiddenSupervisor = "hidden-supervisor",
    /// File descriptors leaked into the build.
    FreshDescriptors = "fresh-descriptors",
    /// A controlling terminal and a shared session.
    OwnSession = "own-session",
    /// A build that lives longer than the client.
    DiesWithClient = "dies-with-client",
    /// A build that never ends.
    WallTimeout = "wall-timeout",
    /// A build that hangs without a word.
    SilentTimeout = "silent-timeout",
    /// A build that uses up the memory.
    MemoryLimit = "memory-limit",
    /// A fork bomb.
    ProcessLimit = "process-limit",
    /// A build that fills the disk.
    ScratchLimit = "scratch-limit",
    /// A build that floods the log.
    LogLimit = "log-limit",
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of guards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardSet(u64);

impl GuardSet {
    /// No guard.
    pub const EMPTY: Self = Self(0);

    /// Returns the set of the given guards.
    pub fn of(guards: &[Guard]) -> Self {
        Self(
            guards
                .iter()
                .fold(0, |bits, guard| bits | 1 << *guard as u64),
        )
    }

    /// Tells whether the guard is in the set.
    pub fn contains(self, guard: Guard) -> bool {
        self.0 & (1 << guard as u64) != 0
    }

    /// Tells whether no guard is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Tells whether the guard is to be set up.
    pub(crate) fn wants(self, guard: Guard) -> bool {
        !self.contains(guard)
    }
}

/// A guard the kernel did not let us set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guard `{guard}` cannot be set up: {call}: {}; {}", std::io::Error::from_raw_os_error(*.errno), self.advice())]
pub struct SetupFailure {
    /// The guard that is missing.
    pub guard: Guard,
    /// The system call that failed, with what it was about.
    pub call: String,
    /// The error number it gave.
    pub errno: i32,
}

impl SetupFailure {
    /// Returns what a user can do about it.
    pub fn advice(&self) -> &'static str {
        match (self.guard, self.errno) {
            (Guard::OneIdMap | Guard::NeverHostRoot, libc::EPERM | libc::ENOSPC | libc::EUSERS) => {
                "user namespaces are switched off for this user: look at \
                 kernel.unprivileged_userns_clone, user.max_user_namespaces and \
                 kernel.apparmor_restrict_unprivileged_userns, or at the container's seccomp profile"
            }
            (Guard::ProcSubset, libc::EPERM) => {
                "the surrounding container hides parts of /proc, so no new one may be mounted: \
                 run it with an unmasked /proc"
            }
            (Guard::OverlayRoot, libc::ENOENT | libc::ENOTDIR | libc::ELOOP) => {
                "an input tree or a mount point is missing or is not a directory"
            }
            (Guard::OverlayRoot, libc::EACCES | libc::EPERM) => {
                "the store must belong to the user the launcher runs as, and overlayfs must be \
                 allowed in user namespaces (Linux 6.6 or newer)"
            }
            (Guard::LandlockScope, _) => "Landlock ABI 6 is needed (Linux 6.12 or newer)",
            (_, libc::ENOSYS | libc::EINVAL) => "a newer kernel is needed (Linux 6.6 or newer)",
            (_, libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN) => {
                "the machine is out of a resource; run fewer builds at a time"
            }
            _ => "the surrounding container or kernel refuses it",
        }
    }
}
