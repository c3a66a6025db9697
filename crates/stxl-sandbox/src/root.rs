//! The root of one sandbox: an overlay of the layers with private `/dev`, `/proc` and `/tmp`.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags};

use crate::devices::{
    DEVICES, During as _, attach, copy_tree, copy_tree_at, make_directory, make_file, new_tmpfs,
    openat_path,
};
use crate::guard::{Guard, GuardSet, SetupFailure};
use crate::kernel;
use crate::spec::{JOB_FIFO_NAME, Scratch, UPPER};
use crate::wire::Request;
use crate::world::SecondName;

/// What the supervisor needs to know of a finished root.
pub(crate) struct Root {
    /// The upper layer, for the client.
    pub(crate) upper: OwnedFd,
    /// The directory that holds everything the build writes.
    pub(crate) scratch: OwnedFd,
    /// The FIFO for jobs, if there is one, for the client.
    pub(crate) job_fifo: Option<OwnedFd>,
}

/// Builds the root and makes it this process's.
pub(crate) fn enter(request: &Request) -> Result<Root, SetupFailure> {
    let disabled = request.disabled;
    let scratch = open_scratch(request)?;
    let upper = open_directory(&scratch, UPPER).during(Guard::OverlayRoot, "open of the upper")?;
    let overlay = if disabled.wants(Guard::OverlayRoot) {
        mount_overlay(request, &scratch)?
    } else {
        mount_topmost_layer(request)?
    };
    attach(&overlay, CWD, c"/new").during(Guard::OverlayRoot, "move_mount of the overlay")?;
    for directory in &request.empty_directories {
        make_path(&overlay, directory).during(
            Guard::OverlayRoot,
            &format!("mkdir of `{}`", directory.display()),
        )?;
    }
    if let Some(names) = &request.world.second_name {
        mount_second_name(&overlay, names).during(Guard::OverlayRoot, "giving a second name")?;
    }
    let job_fifo = mount_devices(request, &scratch, &overlay)?;
    mount_proc(disabled, &overlay)?;
    mount_tmp(disabled, &scratch, &overlay)?;
    rustix::process::fchdir(&overlay).during(Guard::PrivateRoot, "fchdir to the root")?;
    rustix::process::pivot_root(c".", c".").during(Guard::PrivateRoot, "pivot_root")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)
        .during(Guard::PrivateRoot, "umount of the launcher's root")?;
    rustix::process::chdir(c"/").during(Guard::PrivateRoot, "chdir")?;
    Ok(Root {
        upper,
        scratch,
        job_fifo,
    })
}

/// Opens, and in memory makes, the directory with `u` (upper), `w` (work), `t` (/tmp), `s`
/// (/dev/shm) and `f` (supplied files).
fn open_scratch(request: &Request) -> Result<OwnedFd, SetupFailure> {
    const GUARD: Guard = Guard::ScratchLimit;
    let scratch = match &request.scratch {
        Scratch::Memory => {
            let (bytes, files) = if request.disabled.wants(GUARD) {
                (
                    request.limits.scratch_bytes,
                    request.limits.scratch_files_max,
                )
            } else {
                (0, 0)
            };
            let mount = new_tmpfs(&[
                (c"size", &bytes.to_string()),
                (c"nr_inodes", &files.to_string()),
                (c"mode", "0755"),
            ])
            .during(GUARD, "mount of the scratch tmpfs")?;
            attach(&mount, CWD, c"/scratch").during(GUARD, "move_mount of the scratch")?;
            mount
        }
        Scratch::Disk(path) => open_below_store(path)
            .during(GUARD, &format!("open of the scratch `{}`", path.display()))?,
    };
    let directories = [
        (UPPER, 0o755),
        (c"w", 0o755),
        (c"t", 0o1777),
        (c"s", 0o1777),
        (c"f", 0o755),
    ];
    for (name, mode) in directories {
        let made = match make_directory(&scratch, name, mode) {
            Err(Errno::EXIST) if name == UPPER => Ok(()),
            made => made,
        };
        made.during(GUARD, "mkdir in the scratch")?;
    }
    Ok(scratch)
}

fn mount_overlay(request: &Request, scratch: &OwnedFd) -> Result<OwnedFd, SetupFailure> {
    const GUARD: Guard = Guard::OverlayRoot;
    let context = rustix::mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)
        .during(GUARD, "fsopen of overlay")?;
    rustix::mount::fsconfig_set_string(&context, c"source", c"root").during(GUARD, "fsconfig")?;
    rustix::mount::fsconfig_set_flag(&context, c"userxattr")
        .during(GUARD, "fsconfig of userxattr")?;
    rustix::mount::fsconfig_set_flag(&context, c"volatile")
        .during(GUARD, "fsconfig of volatile")?;
    // Every directory is named as "." from where it is, so that the mount table the build can
    // read says nothing about the store.
    let add = |directory: &OwnedFd, key: &CStr, value: &CStr, what: &str| {
        rustix::process::fchdir(directory)
            .and_then(|()| rustix::mount::fsconfig_set_string(&context, key, value))
            .during(GUARD, what)
    };
    for path in request.layers.iter().rev() {
        let what = format!("adding the layer `{}`", path.display());
        let layer = open_below_store(path).during(GUARD, &what)?;
        add(&layer, c"lowerdir+", c".", &what)?;
    }
    let bottom = openat_path(CWD, c"/layer").during(GUARD, "open of the bottom layer")?;
    add(&bottom, c"lowerdir+", c".", "adding the bottom layer")?;
    add(scratch, c"upperdir", c"u", "fsconfig of upperdir")?;
    add(scratch, c"workdir", c"w", "fsconfig of workdir")?;
    rustix::mount::fsconfig_create(&context).during(GUARD, "mount of the overlay")?;
    rustix::mount::fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        root_flags(request.disabled),
    )
    .during(GUARD, "fsmount of the overlay")
}

/// Shows a directory at the top of the root under a second name beside it.
fn mount_second_name(root: &OwnedFd, names: &SecondName) -> Result<(), Errno> {
    let SecondName { first, second } = names;
    make_path(root, &Path::new("/").join(second))?;
    // A symlink would lead out of the root.
    let directory = open_inside(root, &c_name(first))?;
    rustix::process::fchdir(&directory)?;
    attach_inside(&copy_tree(c".")?, root, &c_name(second))
}

fn root_flags(disabled: GuardSet) -> MountAttrFlags {
    if disabled.wants(Guard::MountFlags) {
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV
    } else {
        MountAttrFlags::empty()
    }
}

/// The weaker root that proves the test of [`Guard::OverlayRoot`].
fn mount_topmost_layer(request: &Request) -> Result<OwnedFd, SetupFailure> {
    let path = request.layers.last().map_or(Path::new("."), |path| path);
    open_below_store(path)
        .and_then(|layer| copy_tree_at(&layer, c"."))
        .during(Guard::OverlayRoot, "open_tree of a layer")
}

fn mount_devices(
    request: &Request,
    scratch: &OwnedFd,
    root: &OwnedFd,
) -> Result<Option<OwnedFd>, SetupFailure> {
    const GUARD: Guard = Guard::DeviceBinds;
    let devices = if request.disabled.wants(GUARD) {
        let devices = copy_tree(c"/dev").during(GUARD, "open_tree of /dev")?;
        if request.disabled.wants(Guard::ReadOnlyDevices) {
            let attributes =
                libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
            kernel::set_mount_attributes(&devices, attributes)
                .during(Guard::ReadOnlyDevices, "mount_setattr of /dev")?;
        }
        devices
    } else {
        plain_devices(scratch).during(GUARD, "making plain files for devices")?
    };
    attach_inside(&devices, root, c"dev").during(GUARD, "move_mount of /dev")?;

    let terminals = rustix::mount::fsopen(c"devpts", FsOpenFlags::FSOPEN_CLOEXEC)
        .during(GUARD, "fsopen of devpts")?;
    for (key, value) in [(c"ptmxmode", c"0666"), (c"mode", c"0620")] {
        rustix::mount::fsconfig_set_string(&terminals, key, value)
            .during(GUARD, "fsconfig of devpts")?;
    }
    rustix::mount::fsconfig_create(&terminals).during(GUARD, "mount of devpts")?;
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let terminals = rustix::mount::fsmount(&terminals, FsMountFlags::FSMOUNT_CLOEXEC, flags)
        .during(GUARD, "fsmount of devpts")?;
    attach(&terminals, &devices, c"pts").during(GUARD, "move_mount of devpts")?;

    let shared = copy_tree_at(scratch, c"s").during(GUARD, "open_tree of /dev/shm")?;
    attach(&shared, &devices, c"shm").during(GUARD, "move_mount of /dev/shm")?;
    if request.supplied_files.is_empty() && !request.has_job_fifo {
        return Ok(None);
    }
    supply_files(request, scratch, &devices).during(GUARD, "supplying files")
}

/// Supplies files, and the FIFO for jobs if there is to be one, which is returned.
fn supply_files(
    request: &Request,
    scratch: &OwnedFd,
    devices: &OwnedFd,
) -> Result<Option<OwnedFd>, Errno> {
    let directory = openat_path(scratch, c"f")?;
    for (name, content) in &request.supplied_files {
        make_file(
            &directory,
            &kernel::c_string(name.as_bytes()),
            0o555,
            content,
        )?;
    }
    let job_fifo = request.has_job_fifo.then(|| make_job_fifo(&directory));
    let files = copy_tree_at(scratch, c"f")?;
    kernel::set_mount_attributes(&files, libc::MOUNT_ATTR_RDONLY)
        .map_err(|error| Errno::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))?;
    attach(&files, devices, c"stxl")?;
    job_fifo.transpose()
}

/// Makes the FIFO for jobs. It can be opened for writing in spite of its read-only mount, which
/// nothing else there can.
fn make_job_fifo(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(directory, JOB_FIFO_NAME, FileType::Fifo, mode, 0)?;
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, JOB_FIFO_NAME, flags, Mode::empty())
}

/// The weaker `/dev` that proves the test of [`Guard::DeviceBinds`].
fn plain_devices(scratch: &OwnedFd) -> Result<OwnedFd, Errno> {
    make_directory(scratch, c"d", 0o755)?;
    let directory = openat_path(scratch, c"d")?;
    for name in DEVICES {
        make_file(&directory, name, 0o666, b"")?;
    }
    for name in [c"shm", c"pts", c"stxl"] {
        make_directory(&directory, name, 0o755)?;
    }
    copy_tree_at(scratch, c"d")
}

fn mount_proc(disabled: GuardSet, root: &OwnedFd) -> Result<(), SetupFailure> {
    const GUARD: Guard = Guard::ProcSubset;
    let mount = if disabled.wants(Guard::PidNamespace) {
        let context = rustix::mount::fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)
            .during(GUARD, "fsopen of proc")?;
        if disabled.wants(GUARD) {
            rustix::mount::fsconfig_set_string(&context, c"subset", c"pid")
                .during(GUARD, "fsconfig of subset=pid")?;
        }
        rustix::mount::fsconfig_create(&context).during(GUARD, "mount of /proc")?;
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)
            .during(GUARD, "fsmount of /proc")?
    } else {
        copy_tree(c"/proc").during(GUARD, "open_tree of /proc")?
    };
    attach_inside(&mount, root, c"proc").during(GUARD, "move_mount of /proc")
}

fn mount_tmp(disabled: GuardSet, scratch: &OwnedFd, root: &OwnedFd) -> Result<(), SetupFailure> {
    const GUARD: Guard = Guard::PrivateTmp;
    if disabled.contains(Guard::PrivateRoot) {
        // The weaker sandbox that proves the test: what the launcher sees stays reachable.
        let old = copy_tree(c"/").during(Guard::PrivateRoot, "open_tree of the old root")?;
        return attach_inside(&old, root, c"tmp").during(Guard::PrivateRoot, "move_mount");
    }
    if disabled.contains(GUARD) {
        return Ok(());
    }
    let mount = copy_tree_at(scratch, c"t").during(GUARD, "open_tree of /tmp")?;
    attach_inside(&mount, root, c"tmp").during(GUARD, "move_mount of /tmp")
}

/// Attaches a mount to a directory of the root that must not be a symlink.
fn attach_inside(mount: &OwnedFd, root: &OwnedFd, place: &CStr) -> Result<(), Errno> {
    let target = open_inside(root, place)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", &target, c"", flags)
}

/// Opens a directory of the root itself, through no symlink and no mount.
fn open_inside(root: &OwnedFd, place: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat2(
        root,
        place,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
    )
}

/// Opens a directory below the store; [`crate::SandboxSpec::check`] has refused everything else.
fn open_below_store(path: &Path) -> Result<OwnedFd, Errno> {
    let store = openat_path(CWD, c"/store")?;
    rustix::fs::openat2(
        &store,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
}

fn open_directory(at: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// Makes a directory with its parents; symlinks of the root are followed inside the root.
fn make_path(root: &OwnedFd, path: &Path) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut reached = std::path::PathBuf::from("/");
    for part in path.components() {
        let Component::Normal(name) = part else {
            continue;
        };
        let parent = rustix::fs::openat2(root, &reached, flags, Mode::empty(), resolve)?;
        reached.push(name);
        match rustix::fs::openat2(root, &reached, flags, Mode::empty(), resolve) {
            Ok(_) => {}
            Err(Errno::NOENT) => make_directory(parent, &c_name(name), 0o755)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn c_name(name: &OsStr) -> std::ffi::CString {
    kernel::c_string(name.as_bytes())
}
