//! The folders that are watched, and what an event in one of them says of a workspace's paths.
//!
//! A watch of the kernel is on one folder, not on what is below. So exactly the folders are watched
//! that something was looked at in, with those above them: what happens in `.git` or `target` is
//! not even told. A path is resolved name by name, as the evaluator's look at it was: where a
//! symlink is on the way, the folders that it leads through are watched too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use stxl_eval::{Dependency, Reach, Suspects};
use stxl_model::LeftOut;

/// Most symlinks on the way to one path, like the kernel's own limit.
const LINKS_MAX: usize = 40;

/// What may happen to what is in a folder, and to the folder.
const ANYTHING: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF)
    .union(NAMES);

/// That a name comes or goes in a folder.
const NAMES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO);

/// Why folders cannot be watched.
#[derive(Debug)]
pub(crate) enum WatchError {
    /// There are more than this user may watch.
    TooMany,
    /// The system said no.
    System(Errno),
}

/// The folders that are watched.
pub(crate) struct Folders {
    inotify: OwnedFd,
    /// The workspace's own, without symlinks.
    root: PathBuf,
    by_path: BTreeMap<PathBuf, Folder>,
    /// A folder has one watch, under however many paths it is seen.
    by_watch: BTreeMap<i32, Vec<PathBuf>>,
    /// What the next events are about, while a file is written: those whose end was not told.
    unfinished: BTreeSet<(i32, OsString)>,
}

/// A folder that is watched.
struct Folder {
    watch: i32,
    flags: WatchFlags,
    /// Its paths, as the workspace's texts write them; all names in it count.
    spelled: BTreeSet<String>,
    /// Single names in it, and the paths that lead through them.
    aliases: BTreeSet<(OsString, String)>,
}

/// What an event in a folder is about.
enum Meaning {
    /// Everything in it, by the path of the folder.
    Names(String),
    /// What has a name, by a path that leads through it.
    Alias(OsString, String),
}

/// What stands at a path.
enum Standing {
    Folder(PathBuf),
    Other,
}

impl Folders {
    /// Begins; the workspace's own folder is watched from now on.
    pub(crate) fn new(root: &Path) -> Result<Self, WatchError> {
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let inotify = match inotify::init(flags) {
            Ok(inotify) => inotify,
            Err(Errno::MFILE) => return Err(WatchError::TooMany),
            Err(errno) => return Err(WatchError::System(errno)),
        };
        let mut folders = Self {
            inotify,
            root: root.to_owned(),
            by_path: BTreeMap::new(),
            by_watch: BTreeMap::new(),
            unfinished: BTreeSet::new(),
        };
        let root = folders.root.clone();
        let mut unwatched = Suspects::none();
        folders.watch(
            &root,
            Meaning::Names(String::new()),
            ANYTHING,
            &mut unwatched,
        )?;
        if let (Some(above), Some(name)) = (root.parent(), root.file_name()) {
            let meaning = Meaning::Alias(name.to_owned(), String::new());
            folders.watch(above, meaning, NAMES, &mut unwatched)?;
        }
        Ok(folders)
    }

    /// Watches what an evaluation depends on, and returns what was not watched so far: what
    /// happened there since it was looked at is not known.
    pub(crate) fn add(&mut self, dependencies: &[Dependency]) -> Result<Suspects, WatchError> {
        let mut placing = Placing {
            folders: self,
            known: BTreeMap::new(),
            unwatched: Suspects::none(),
        };
        for Dependency { path, reach } in dependencies {
            placing.place(path.as_str(), reach)?;
        }
        Ok(placing.unwatched)
    }

    /// Watches a folder, unless it is watched for this already. One that is not there, or cannot be
    /// read, is not: whoever looks for it is told by the folder above.
    fn watch(
        &mut self,
        path: &Path,
        meaning: Meaning,
        flags: WatchFlags,
        unwatched: &mut Suspects,
    ) -> Result<(), WatchError> {
        let known = self.by_path.get(path);
        let known = known.map(|known| (known.watch, known.flags));
        let flags = known.map_or(flags, |(_, known)| known | flags);
        if known.is_none_or(|(_, known)| known != flags) {
            let asked =
                flags | WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW | WatchFlags::MASK_ADD;
            let watch = match inotify::add_watch(&self.inotify, path, asked) {
                Ok(watch) => watch,
                Err(Errno::NOSPC) => return Err(WatchError::TooMany),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => return Ok(()),
                Err(errno) => return Err(WatchError::System(errno)),
            };
            // Another folder under the path of one that is watched: that one's watch is no use.
            if known.is_some_and(|(known, _)| known != watch) {
                self.forget_below(path);
            }
            let paths = self.by_watch.entry(watch).or_default();
            if !paths.iter().any(|known| known == path) {
                paths.push(path.to_owned());
            }
            let folder = self.by_path.entry(path.to_owned()).or_insert(Folder {
                watch,
                flags,
                spelled: BTreeSet::new(),
                aliases: BTreeSet::new(),
            });
            folder.flags = flags;
        }
        let Some(folder) = self.by_path.get_mut(path) else {
            return Ok(());
        };
        match meaning {
            Meaning::Names(spelled) => {
                if !folder.spelled.contains(&spelled) {
                    folder.spelled.insert(spelled.clone());
                    unwatched.add(spelled);
                }
            }
            Meaning::Alias(name, spelled) => {
                let alias = (name, spelled);
                if !folder.aliases.contains(&alias) {
                    unwatched.add(alias.1.clone());
                    folder.aliases.insert(alias);
                }
            }
        }
        Ok(())
    }

    /// Forgets a folder and all below it.
    fn forget_below(&mut self, path: &Path) {
        let below = self.by_path.range(path.to_owned()..);
        let below = below.take_while(|(other, _)| other.starts_with(path));
        let below: Vec<(PathBuf, i32)> = below
            .map(|(other, folder)| (other.clone(), folder.watch))
            .collect();
        for (path, watch) in below {
            self.by_path.remove(&path);
            let Some(paths) = self.by_watch.get_mut(&watch) else {
                continue;
            };
            paths.retain(|other| *other != path);
            if paths.is_empty() {
                self.by_watch.remove(&watch);
                // The kernel has forgotten it already if the folder is gone.
                inotify::remove_watch(&self.inotify, watch).ok();
            }
        }
    }

    /// Adds what happened since this was asked last; without waiting.
    pub(crate) fn take_events(&mut self, suspects: &mut Suspects) -> Result<(), WatchError> {
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut events = Vec::new();
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name();
                    let name = name.map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                    events.push((event.wd(), event.events(), name));
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(WatchError::System(errno)),
            }
        }
        for (watch, what, name) in events {
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                // Which folders went is not known either: all are watched anew.
                *self = Self::new(&self.root.clone())?;
                *suspects = Suspects::All;
                return Ok(());
            }
            self.take_event(watch, what, name, suspects);
        }
        Ok(())
    }

    fn take_event(
        &mut self,
        watch: i32,
        what: ReadFlags,
        name: Option<OsString>,
        suspects: &mut Suspects,
    ) {
        let paths = self.by_watch.get(&watch).cloned().unwrap_or_default();
        let Some(name) = name else {
            for path in paths {
                let folder = self.by_path.get(&path);
                let spelled = folder.into_iter().flat_map(|folder| &folder.spelled);
                spelled.for_each(|spelled| suspects.add(spelled.clone()));
                if what.intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF) {
                    self.forget_below(&path);
                }
            }
            return;
        };
        let of_names =
            ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO;
        for path in paths {
            if let Some(folder) = self.by_path.get(&path) {
                for spelled in &folder.spelled {
                    suspects.add(joined(spelled, &name.to_string_lossy()));
                }
                let aliases = folder.aliases.iter().filter(|(alias, _)| *alias == name);
                aliases.for_each(|(_, spelled)| suspects.add(spelled.clone()));
            }
            if what.contains(ReadFlags::ISDIR) && what.intersects(of_names) {
                self.forget_below(&path.join(&name));
            }
        }
        let file = (watch, name);
        if what.intersects(ReadFlags::CLOSE_WRITE | of_names) {
            self.unfinished.remove(&file);
        } else if what.contains(ReadFlags::MODIFY) {
            self.unfinished.insert(file);
        }
    }

    /// Whether somebody is writing to a file.
    pub(crate) fn is_anything_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// No longer waits for the end of what is written.
    pub(crate) fn leave_unfinished(&mut self) {
        self.unfinished.clear();
    }
}

impl AsFd for Folders {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// A path below a folder of the workspace, both as texts write them.
fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// While dependencies are watched.
struct Placing<'f> {
    folders: &'f mut Folders,
    /// Folders by their paths as texts write them; none for what is no folder.
    known: BTreeMap<String, Option<PathBuf>>,
    unwatched: Suspects,
}

impl Placing<'_> {
    fn place(&mut self, path: &str, reach: &Reach) -> Result<(), WatchError> {
        match reach {
            Reach::Entry => {
                let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
                let Some(above_real) = self.folder(above)? else {
                    return Ok(());
                };
                self.step(&above_real, above, name).map(drop)
            }
            Reach::Names => {
                let Some(real) = self.folder(path)? else {
                    return Ok(());
                };
                self.watch(&real, Meaning::Names(path.to_owned()), ANYTHING)
            }
            Reach::Below(left_out) => {
                let Some(real) = self.folder(path)? else {
                    return Ok(());
                };
                self.walk(&real, path, left_out)
            }
        }
    }

    fn watch(
        &mut self,
        path: &Path,
        meaning: Meaning,
        flags: WatchFlags,
    ) -> Result<(), WatchError> {
        self.folders
            .watch(path, meaning, flags, &mut self.unwatched)
    }

    /// The folder that a path leads to, with all on the way watched.
    fn folder(&mut self, path: &str) -> Result<Option<PathBuf>, WatchError> {
        if path.is_empty() {
            return Ok(Some(self.folders.root.clone()));
        }
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let standing = match self.folder(above)? {
            Some(real) => self.step(&real, above, name)?,
            None => Standing::Other,
        };
        let found = match standing {
            Standing::Folder(real) => Some(real),
            Standing::Other => None,
        };
        self.known.insert(path.to_owned(), found.clone());
        Ok(found)
    }

    /// What a name in a folder stands for; `above` is the folder's path as texts write it.
    fn step(&mut self, real: &Path, above: &str, name: &str) -> Result<Standing, WatchError> {
        let path = joined(above, name);
        if name.is_empty() || name == "." {
            return Ok(Standing::Folder(real.to_owned()));
        }
        if name == ".." {
            let (Some(parent), Some(own)) = (real.parent(), real.file_name()) else {
                return Ok(Standing::Folder(real.to_owned()));
            };
            self.watch(parent, Meaning::Alias(own.to_owned(), path), NAMES)?;
            return Ok(Standing::Folder(parent.to_owned()));
        }
        // What else happens beside the workspace is nobody's concern.
        if above == ".." || above.ends_with("/..") {
            self.watch(real, Meaning::Alias(name.into(), path.clone()), NAMES)?;
        } else {
            self.watch(real, Meaning::Names(above.to_owned()), ANYTHING)?;
        }
        self.follow(real, Path::new(name), &path)
    }

    /// Follows a name from a folder, through whatever symlinks there are; `path` leads here.
    fn follow(&mut self, real: &Path, name: &Path, path: &str) -> Result<Standing, WatchError> {
        let mut here = real.to_owned();
        let mut names: Vec<OsString> = vec![name.into()];
        let mut links = 0;
        while let Some(name) = names.pop() {
            if name == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&name);
            if links > 0 {
                self.watch(&here, Meaning::Alias(name, path.to_owned()), ANYTHING)?;
            }
            let kind = next.symlink_metadata().map(|found| found.file_type());
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
                here = next;
                continue;
            }
            if !kind.is_ok_and(|kind| kind.is_symlink()) || links == LINKS_MAX {
                return Ok(Standing::Other);
            }
            links += 1;
            // The evaluator follows no link to an absolute path.
            let target = match std::fs::read_link(&next) {
                Ok(target) if target.is_relative() => target,
                Ok(_) | Err(_) => return Ok(Standing::Other),
            };
            names.extend(target.iter().rev().map(OsStr::to_owned));
        }
        Ok(Standing::Folder(here))
    }

    /// Watches a folder with all below it that is not left out. Links in it are not followed.
    fn walk(&mut self, real: &Path, path: &str, left_out: &LeftOut) -> Result<(), WatchError> {
        let mut waiting = vec![PathBuf::new()];
        while let Some(below) = waiting.pop() {
            let folder = real.join(&below);
            let spelled = below.to_string_lossy();
            let spelled = if spelled.is_empty() {
                path.to_owned()
            } else {
                joined(path, &spelled)
            };
            self.watch(&folder, Meaning::Names(spelled), ANYTHING)?;
            // What cannot be listed is an error of the evaluation.
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let below = below.join(entry.file_name());
                if is_folder && !left_out.is_directory_left_out(below.as_os_str().as_bytes()) {
                    waiting.push(below);
                }
            }
        }
        Ok(())
    }
}

impl From<WatchError> for crate::failure::Failure {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::TooMany => Self::environment(
                "the workspace has more folders than may be watched at once",
            )
            .hint(
                "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl",
            ),
            WatchError::System(errno) => Self::environment(format!(
                "the workspace cannot be watched: {}",
                io::Error::from(errno)
            )),
        }
    }
}
