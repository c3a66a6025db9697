//! The workspace as a git revision has it, in a temporary folder.
//!
//! Objects are read one by one and written as they are, so no filter, attribute or hook of the
//! repository has a say, and nothing of the user's folders, index or branches is touched. What a
//! revision holds is not trusted: every path is checked, and links are made last, so that nothing
//! is written through one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use stxl_eval::{SETTINGS_FILE, Settings};
use stxl_lang::SourcePath;
use tempfile::TempDir;

use crate::failure::Failure;
use crate::git::{Git, not_started};

/// A workspace that vanishes when this is dropped.
pub(crate) struct Revision {
    /// The name of the commit.
    pub(crate) commit: String,
    /// The folder of the workspace.
    pub(crate) workspace: PathBuf,
    /// Submodules, which are left out.
    pub(crate) left_out: Vec<String>,
    _folder: TempDir,
}

/// Something that a revision holds.
struct Entry {
    kind: EntryKind,
    id: String,
    path: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File,
    Program,
    Symlink,
    Submodule,
}

impl Revision {
    /// Writes the workspace as a revision has it, with the overlays that its settings name: those
    /// that lie in the repository as the revision has them, others as they are.
    pub(crate) fn check_out(workspace: &Path, name: &str) -> Result<Self, Failure> {
        let git = Git::around(workspace);
        let prefix = git.read_line(&["rev-parse", "--show-prefix"]);
        let prefix = prefix.map_err(|failure| {
            let said = failure.message;
            Failure::usage(format!(
                "`{name}` is no saved plan, and no revision: {said}"
            ))
            .hint("save a plan: `stxl eval --save-plan FILE`")
        })?;
        let prefix = PathBuf::from(prefix);
        let wanted = format!("{name}^{{commit}}");
        let words = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ];
        let commit = git.read_line(&words).map_err(|_| {
            Failure::usage(format!("`{name}` is neither a saved plan nor a revision"))
                .hint("save a plan: `stxl eval --save-plan FILE`; list revisions: `git log`")
        })?;
        let settings = git.read(&[
            "cat-file",
            "blob",
            &format!("{commit}:{}", prefix.join(SETTINGS_FILE).display()),
        ]);
        let settings = settings
            .map_err(|_| Failure::usage(format!("`{name}` has no `{SETTINGS_FILE}` here")))?;
        let overlays = Overlays::of(&String::from_utf8_lossy(&settings), &prefix);
        let folder = tempfile::Builder::new().prefix("stxl-revision-").tempdir();
        let folder = folder.map_err(|error| unwritable(&error))?;
        let mut top = folder.path().to_path_buf();
        top.extend((0..overlays.levels_above).map(|level| level.to_string()));
        top.push("repository");
        let mut checkout = Checkout {
            top: top.clone(),
            left_out: Vec::new(),
        };
        let entries = entries(&git, &commit, &prefix, &overlays)?;
        checkout.write(&git, entries)?;
        let here = top.join(&prefix);
        make_folder(&here)?;
        for overlay in &overlays.outside {
            link_outside(&here, workspace, overlay)?;
        }
        Ok(Self {
            commit,
            workspace: here,
            left_out: checkout.left_out,
            _folder: folder,
        })
    }
}

/// The overlays of a workspace by where they lie.
struct Overlays {
    /// Folders of the repository that are not in the workspace, from its top.
    inside: Vec<PathBuf>,
    /// Others, as they are written, without those that begin at `/`.
    outside: Vec<String>,
    /// How many folders above the repository they reach at most.
    levels_above: usize,
}

impl Overlays {
    fn of(settings: &str, prefix: &Path) -> Self {
        let (settings, _) = Settings::parse(&SourcePath::new(SETTINGS_FILE), settings);
        let mut overlays = Self {
            inside: Vec::new(),
            outside: Vec::new(),
            levels_above: 0,
        };
        for overlay in settings.overlays {
            let mut path = prefix.to_path_buf();
            let mut above = 0;
            for part in Path::new(&overlay).components() {
                match part {
                    Component::ParentDir if !path.pop() => above += 1,
                    Component::Normal(name) => path.push(name),
                    Component::ParentDir
                    | Component::CurDir
                    | Component::RootDir
                    | Component::Prefix(_) => {}
                }
            }
            if Path::new(&overlay).is_absolute() {
                continue;
            }
            if above > 0 {
                overlays.outside.push(overlay);
                overlays.levels_above = overlays.levels_above.max(above);
            } else if !path.starts_with(prefix) {
                overlays.inside.push(path);
            }
        }
        overlays
    }
}

/// What a commit has of the workspace and its overlays.
fn entries(
    git: &Git,
    commit: &str,
    prefix: &Path,
    overlays: &Overlays,
) -> Result<Vec<Entry>, Failure> {
    let mut words = vec!["ls-tree", "-r", "-z", "--full-tree", commit, "--"];
    let folders = std::iter::once(prefix).chain(overlays.inside.iter().map(PathBuf::as_path));
    let folders: Vec<String> = folders
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.to_string_lossy().trim_end_matches('/').to_owned())
        .collect();
    if !prefix.as_os_str().is_empty() {
        words.extend(folders.iter().map(String::as_str));
    }
    let listed = git.read(&words)?;
    let lines = listed.split(|byte| *byte == 0).filter(|it| !it.is_empty());
    lines.map(entry_of).collect()
}

/// Reads `MODE TYPE ID<tab>PATH`.
fn entry_of(line: &[u8]) -> Result<Entry, Failure> {
    let damaged = || {
        let line = String::from_utf8_lossy(line);
        Failure::environment(format!("git lists something strange: `{line}`"))
    };
    let tab = line.iter().position(|byte| *byte == b'\t');
    let (head, path) = line
        .split_at_checked(tab.ok_or_else(damaged)?)
        .ok_or_else(damaged)?;
    let head = str::from_utf8(head).map_err(|_| damaged())?;
    let path = PathBuf::from(OsStr::from_bytes(path.get(1..).unwrap_or_default()));
    // Only names may stand in it: whoever made the commit may not have been git.
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if path.as_os_str().is_empty() || !path.components().all(is_plain) {
        return Err(damaged());
    }
    let mut words = head.split(' ');
    let kind = match words.next() {
        Some("100644" | "100664") => EntryKind::File,
        Some("100755") => EntryKind::Program,
        Some("120000") => EntryKind::Symlink,
        Some("160000") => EntryKind::Submodule,
        Some(_) | None => return Err(damaged()),
    };
    let id = words.nth(1).ok_or_else(damaged)?.to_owned();
    Ok(Entry { kind, id, path })
}

/// A repository's files while they are written.
struct Checkout {
    top: PathBuf,
    left_out: Vec<String>,
}

impl Checkout {
    fn write(&mut self, git: &Git, entries: Vec<Entry>) -> Result<(), Failure> {
        let (mut links, others): (Vec<Entry>, Vec<Entry>) = entries
            .into_iter()
            .partition(|entry| entry.kind == EntryKind::Symlink);
        // Deeper ones first: below a link there can be nothing then.
        links.sort_by_key(|link| std::cmp::Reverse(link.path.components().count()));
        let mut objects = Objects::open(git)?;
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        for entry in others.into_iter().chain(links) {
            let path = self.top.join(&entry.path);
            if entry.kind == EntryKind::Submodule {
                self.left_out.push(entry.path.display().to_string());
                continue;
            }
            if let Some(folder) = path.parent()
                && folders.insert(folder.to_path_buf())
            {
                make_folder(folder)?;
            }
            let bytes = objects.read(&entry.id)?;
            let written = match entry.kind {
                EntryKind::Symlink => symlink(OsStr::from_bytes(&bytes), &path),
                EntryKind::Program => write_new(&path, &bytes, 0o755),
                EntryKind::File | EntryKind::Submodule => write_new(&path, &bytes, 0o644),
            };
            written.map_err(|error| unwritable(&error))?;
        }
        Ok(())
    }
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    file?.write_all(bytes)
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o755).create(folder);
    made.map_err(|error| unwritable(&error))
}

/// Makes an overlay outside of the repository be found where the settings look for it.
fn link_outside(here: &Path, workspace: &Path, overlay: &str) -> Result<(), Failure> {
    let mut place = here.to_path_buf();
    for part in Path::new(overlay).components() {
        match part {
            Component::ParentDir => {
                place.pop();
            }
            Component::Normal(name) => place.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    if let Some(folder) = place.parent() {
        make_folder(folder)?;
    }
    match symlink(workspace.join(overlay), &place) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(unwritable(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unwritable(error: &std::io::Error) -> Failure {
    Failure::environment(format!("the revision cannot be written out: {error}"))
}

/// Objects of a repository, one after the other.
struct Objects {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    fn open(git: &Git) -> Result<Self, Failure> {
        let mut command = git.command(&["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.stderr(Stdio::null()).spawn();
        let mut child = child.map_err(|error| not_started(&error))?;
        let asked = child.stdin.take().expect("standard input is a pipe");
        let answers = child.stdout.take().expect("standard output is a pipe");
        Ok(Self {
            child,
            asked,
            answers: BufReader::new(answers),
        })
    }

    /// The bytes of a blob.
    fn read(&mut self, id: &str) -> Result<Vec<u8>, Failure> {
        let failed = |error: std::io::Error| Failure::environment(format!("git: {error}"));
        writeln!(self.asked, "{id}").map_err(failed)?;
        let mut head = String::new();
        self.answers.read_line(&mut head).map_err(failed)?;
        let head = head.trim_end();
        let size = head
            .strip_prefix(id)
            .and_then(|rest| rest.strip_prefix(" blob "));
        let size: u64 = size.and_then(|size| size.parse().ok()).ok_or_else(|| {
            Failure::environment(format!("git does not have what it lists: `{head}`"))
        })?;
        let mut bytes = Vec::new();
        let read = (&mut self.answers).take(size).read_to_end(&mut bytes);
        read.map_err(failed)?;
        self.answers.read_exact(&mut [0]).map_err(failed)?;
        Ok(bytes)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It waits for questions.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
