//! Where things are: the workspace, the store, this program.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::arguments::Arguments;
use crate::failure::Failure;

/// The file that makes a directory a workspace.
pub(crate) const WORKSPACE_FILE: &str = "stxl.toml";

/// The absolute path of the workspace: the directory given, or the nearest one above the current
/// directory, that holds `stxl.toml`.
pub(crate) fn workspace(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let current = current_directory()?;
    let start = match &arguments.directory {
        Some(directory) => current.join(directory),
        None => current,
    };
    let found = start
        .ancestors()
        .find(|folder| folder.join(WORKSPACE_FILE).is_file());
    match (found, &arguments.directory) {
        (Some(folder), None) => Ok(folder.to_path_buf()),
        (Some(folder), Some(_)) if folder == start => Ok(start.clone()),
        (_, Some(_)) => Err(Failure::usage(format!(
            "`{}` has no `{WORKSPACE_FILE}`",
            start.display()
        ))
        .hint("name a workspace after -C, or make one: stxl init DIR")),
        (None, None) => Err(Failure::usage(format!(
            "neither `{}` nor a directory above it has `{WORKSPACE_FILE}`",
            start.display()
        ))
        .hint("go to a workspace, name one with -C DIR, or make one: stxl init DIR")),
    }
}

/// The absolute path of the store: the one asked for, or `stxl` in the user's data directory.
pub(crate) fn store(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let chosen = arguments
        .store
        .clone()
        .or_else(|| set("STXL_STORE").map(PathBuf::from));
    if let Some(store) = chosen {
        return Ok(current_directory()?.join(store));
    }
    let data = set("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let data = data.or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/share")));
    data.map(|data| data.join("stxl")).ok_or_else(|| {
        Failure::environment("neither XDG_DATA_HOME nor HOME says where data is kept")
            .hint("choose a directory: --store DIR")
    })
}

/// Where evaluations are remembered: in the user's cache, not in the store, which may belong to
/// somebody else: what is remembered decides what is built. None when nothing says where caches
/// are.
pub(crate) fn evaluation_cache() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let home = || set("HOME").filter(|path| path.is_absolute());
    let cache = cache.or_else(|| home().map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("stxl/evaluation"))
}

/// What git is told of the surroundings: where programs are, and the user's own settings, which say
/// whose repositories are trusted.
pub(crate) fn git_environment() -> Vec<(&'static str, OsString)> {
    let told = ["PATH", "HOME", "XDG_CONFIG_HOME"].into_iter();
    told.filter_map(|name| Some((name, std::env::var_os(name)?)))
        .collect()
}

/// Where this program notes what the user decided, apart from stores and caches. None when nothing
/// says where.
pub(crate) fn state() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = || set("HOME").filter(|path| path.is_absolute());
    let state = state.or_else(|| home().map(|home| home.join(".local/state")));
    state.map(|state| state.join("stxl"))
}

/// The absolute form of a path on the command line.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(current_directory()?.join(path))
}

/// The path of a directory without symlinks and `..`, as the kernel knows it.
pub(crate) fn resolved(directory: &Path) -> io::Result<PathBuf> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty())?;
    std::fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

/// Whether `NO_COLOR` asks for none.
pub(crate) fn is_color_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// What kind of terminal the person sits at, as programs on it want to know.
pub(crate) fn terminal_kind() -> Option<OsString> {
    std::env::var_os("TERM").filter(|kind| !kind.is_empty())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where the directory comes in"
)]
fn current_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::environment(format!("the current directory cannot be told: {error}"))
    })
}
