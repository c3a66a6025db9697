//! The launcher's private root, made once: the store, `/proc`, a template of `/dev` and the
//! bottom layer that gives every root its mount points and the files of `/etc`.
//!
//! Each sandbox copies this mount table, so it is as short as can be, and nothing else of the
//! host is in it even before a sandbox leaves it.

use std::ffi::CStr;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};
use rustix::thread::UnshareFlags;

use crate::guard::{Guard, SetupFailure};
use crate::identity::Identity;
use crate::launcher::errno;

/// The time every file of a root has: 1980-01-01.
const ROOT_MTIME: i64 = 315_532_800;

/// The device nodes of every sandbox.
pub(crate) const DEVICES: [&CStr; 6] = [c"null", c"zero", c"full", c"random", c"urandom", c"tty"];

const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
    (c"pts/ptmx", c"ptmx"),
];

const ETC: [(&CStr, &str); 3] = [
    (
        c"etc/passwd",
        "root:x:0:0::/build:/bin/sh\n\
         tester:x:1000:1000::/build:/bin/sh\n\
         nobody:x:65534:65534::/:/bin/false\n",
    ),
    (
        c"etc/group",
        "root:x:0:\ntester:x:1000:\nnogroup:x:65534:\n",
    ),
    (
        c"etc/hosts",
        "127.0.0.1 localhost stxl\n::1 localhost stxl\n",
    ),
];

/// Adds the guard and the call to an error number.
pub(crate) trait During<T> {
    /// Names what failed.
    fn during(self, guard: Guard, call: &str) -> Result<T, SetupFailure>;
}

impl<T> During<T> for Result<T, Errno> {
    fn during(self, guard: Guard, call: &str) -> Result<T, SetupFailure> {
        self.map_err(|error| SetupFailure {
            guard,
            call: call.to_owned(),
            errno: error.raw_os_error(),
        })
    }
}

impl<T> During<T> for std::io::Result<T> {
    fn during(self, guard: Guard, call: &str) -> Result<T, SetupFailure> {
        self.map_err(|error| SetupFailure {
            guard,
            call: call.to_owned(),
            errno: errno(&error),
        })
    }
}

/// Moves this process into a user and a mount namespace with the private root.
pub(crate) fn enter_private_root(store: OwnedFd, identity: Identity) -> Result<(), SetupFailure> {
    const GUARD: Guard = Guard::PrivateRoot;
    // The working directory is the one thing that a new mount namespace translates, so the
    // store is reached through it, and never through a path of the host.
    rustix::process::fchdir(&store).during(GUARD, "fchdir to the store")?;
    drop(store);
    let Identity { uid, gid } = identity;
    rustix_unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)
        .during(Guard::OneIdMap, "unshare of user and mount namespace")?;
    map_ids(uid, uid, gid, gid)?;
    rustix::mount::mount_change(
        c"/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .during(GUARD, "mount --make-rprivate /")?;

    let store = copy_tree(c".").during(GUARD, "open_tree of the store")?;
    let proc = copy_tree(c"/proc").during(GUARD, "open_tree of /proc")?;
    let devices = DEVICES
        .iter()
        .map(|name| {
            let device = openat_path(CWD, c"/dev").and_then(|dev| copy_tree_at(&dev, name));
            device.during(Guard::DeviceBinds, "open_tree of a device node")
        })
        .collect::<Result<Vec<_>, _>>()?;

    let root = new_tmpfs(&[(c"size", "1m"), (c"nr_inodes", "256"), (c"mode", "0755")])
        .during(GUARD, "mount of a tmpfs")?;
    attach(&root, CWD, c"/proc").during(GUARD, "move_mount of the private root")?;
    rustix::process::fchdir(&root).during(GUARD, "fchdir to the private root")?;
    for name in [c"store", c"proc", c"dev", c"layer", c"scratch", c"new"] {
        make_directory(CWD, name, 0o755).during(GUARD, "mkdir")?;
    }
    attach(&store, CWD, c"store").during(GUARD, "move_mount of the store")?;
    attach(&proc, CWD, c"proc").during(GUARD, "move_mount of /proc")?;
    make_device_template(&devices)?;
    make_bottom_layer().during(GUARD, "making the bottom layer")?;
    rustix::process::pivot_root(c".", c".").during(GUARD, "pivot_root of the launcher")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH).during(GUARD, "umount of the host")?;
    rustix::process::chdir(c"/").during(GUARD, "chdir")
}

#[expect(
    deprecated,
    reason = "its unsafe successor differs for flags that are not used here"
)]
pub(crate) fn rustix_unshare(flags: UnshareFlags) -> Result<(), Errno> {
    rustix::thread::unshare(flags)
}

/// Maps one user and one group of the parent namespace into this process's namespace.
pub(crate) fn map_ids(
    inside_uid: u32,
    outside_uid: u32,
    inside_gid: u32,
    outside_gid: u32,
) -> Result<(), SetupFailure> {
    const GUARD: Guard = Guard::OneIdMap;
    write_file(
        c"/proc/self/uid_map",
        &format!("{inside_uid} {outside_uid} 1"),
    )
    .during(GUARD, "writing uid_map")?;
    write_file(c"/proc/self/setgroups", "deny").during(GUARD, "writing setgroups")?;
    write_file(
        c"/proc/self/gid_map",
        &format!("{inside_gid} {outside_gid} 1"),
    )
    .during(GUARD, "writing gid_map")
}

fn write_file(path: &CStr, content: &str) -> std::io::Result<()> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    std::fs::File::from(file).write_all(content.as_bytes())
}

fn make_device_template(devices: &[OwnedFd]) -> Result<(), SetupFailure> {
    const GUARD: Guard = Guard::DeviceBinds;
    let template = new_tmpfs(&[(c"size", "64k"), (c"nr_inodes", "64"), (c"mode", "0755")])
        .during(GUARD, "mount of a tmpfs for /dev")?;
    attach(&template, CWD, c"dev").during(GUARD, "move_mount of /dev")?;
    for (name, device) in DEVICES.iter().zip(devices) {
        make_file(&template, name, 0o666, b"").during(GUARD, "making a mount point")?;
        attach(device, template.as_fd(), name).during(GUARD, "move_mount of a device node")?;
    }
    for (target, name) in LINKS {
        rustix::fs::symlinkat(target, &template, name).during(GUARD, "symlink")?;
    }
    for name in [c"shm", c"pts", c"stxl"] {
        make_directory(&template, name, 0o755).during(GUARD, "mkdir")?;
        set_root_time(&template, name).during(GUARD, "utimensat")?;
    }
    Ok(())
}

fn make_bottom_layer() -> Result<(), Errno> {
    let layer = openat_path(CWD, c"layer")?;
    for name in [c"dev", c"proc", c"tmp", c"etc"] {
        make_directory(&layer, name, 0o755)?;
    }
    for (name, content) in ETC {
        make_file(&layer, name, 0o644, content.as_bytes())?;
        set_root_time(&layer, name)?;
    }
    for name in [c"dev", c"proc", c"tmp", c"etc", c"."] {
        set_root_time(&layer, name)?;
    }
    Ok(())
}

fn set_root_time(directory: impl AsFd, name: &CStr) -> Result<(), Errno> {
    let time = Timespec {
        tv_sec: ROOT_MTIME,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(directory, name, &times, AtFlags::empty())
}

/// Makes a directory of exactly this mode; the launcher's umask is zero.
pub(crate) fn make_directory(at: impl AsFd, name: &CStr, mode: u32) -> Result<(), Errno> {
    rustix::fs::mkdirat(at, name, Mode::from_raw_mode(mode))
}

/// Makes a file of exactly this mode and content.
pub(crate) fn make_file(
    at: impl AsFd,
    name: &CStr,
    mode: u32,
    content: &[u8],
) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(at, name, flags, Mode::from_raw_mode(mode))?;
    std::fs::File::from(file)
        .write_all(content)
        .map_err(|error| Errno::from_raw_os_error(errno(&error)))
}

/// Opens a directory or file as a place only.
pub(crate) fn openat_path(at: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(at, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// Returns a new tmpfs that is not attached anywhere yet.
pub(crate) fn new_tmpfs(options: &[(&CStr, &str)]) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(&context, *key, *value)?;
    }
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Returns a copy of the mounts at and below a place, not attached anywhere yet.
pub(crate) fn copy_tree(place: &CStr) -> Result<OwnedFd, Errno> {
    copy_tree_at(CWD, place)
}

/// As [`copy_tree`], from a directory.
pub(crate) fn copy_tree_at(at: impl AsFd, place: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    rustix::mount::open_tree(at, place, flags)
}

/// Attaches a mount to a place.
pub(crate) fn attach(mount: &OwnedFd, at: impl AsFd, place: &CStr) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", at, place, flags)
}
