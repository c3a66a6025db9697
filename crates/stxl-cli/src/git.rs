//! What git knows of the workspace's text. Only what reads the repository is called, with nothing
//! that could run a program: no hooks, no filters, no monitor of files, no network.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::line_changes::{line_before, line_changes};
use crate::place;

/// Settings that stand over those of the repository, which may be a stranger's.
const SETTINGS: [&str; 6] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "protocol.allow=never",
    "advice.graftFileDeprecated=false",
];

/// The environment, besides the user's home and the search path.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("LC_ALL", "C"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_LITERAL_PATHSPECS", "1"),
];

/// How many digits of a commit's name are shown.
const COMMIT_DIGITS: usize = 12;

/// The repository around a folder.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    folder: PathBuf,
}

/// The commit that wrote something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The first digits of its name.
    pub(crate) id: String,
    /// The first line of its message.
    pub(crate) subject: String,
}

/// Who wrote a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// A commit.
    Committed(Commit),
    /// It stands in no commit yet.
    Uncommitted,
    /// There is no repository, or git does not tell.
    Unknown,
}

impl Git {
    /// The repository that a folder lies in, if it lies in one.
    pub(crate) fn around(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    /// What a command prints.
    pub(crate) fn read(&self, words: &[&str]) -> Result<Vec<u8>, Failure> {
        let output = self.command(words).stdin(Stdio::null()).output();
        let output = output.map_err(|error| not_started(&error))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().next().unwrap_or_default();
        let first = first.strip_prefix("fatal: ").unwrap_or(first);
        Err(Failure::environment(format!("git: {first}")))
    }

    /// As [`Self::read`], one line of text.
    pub(crate) fn read_line(&self, words: &[&str]) -> Result<String, Failure> {
        let bytes = self.read(words)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// A command in the repository.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.env_clear().envs(place::git_environment());
        command.envs(ENVIRONMENT).arg("-C").arg(&self.folder);
        command.args(["--no-pager", "--no-replace-objects"]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(words);
        command
    }

    /// The first digits of a commit's name.
    pub(crate) fn shortened(id: &str) -> String {
        id.chars().take(COMMIT_DIGITS).collect()
    }

    /// The commit with a name.
    fn commit(&self, id: &str) -> Option<Commit> {
        let bytes = self.read(&["cat-file", "commit", id]).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let (_, message) = text.split_once("\n\n")?;
        Some(Commit {
            id: Self::shortened(id),
            subject: message.lines().next().unwrap_or_default().to_owned(),
        })
    }
}

/// Git is not there.
pub(crate) fn not_started(error: &io::Error) -> Failure {
    Failure::environment(format!("git cannot be started: {error}"))
}

/// Who wrote a line, counted from 1, of a file that has a text.
pub(crate) fn who_wrote(file: &Path, text: &str, line: u32) -> Written {
    let Some((git, name)) = repository_of(file) else {
        return Written::Unknown;
    };
    let Some(committed) = committed(&git, name) else {
        return Written::Uncommitted;
    };
    // Of the last commit and not of the file as it is: for that git may run filters.
    let before = String::from_utf8_lossy(&committed);
    let Some(line) = line_before(&before, text, line) else {
        return Written::Uncommitted;
    };
    let range = format!("{line},{line}");
    let words = [
        "blame",
        "--porcelain",
        "--no-textconv",
        "-L",
        &range,
        "HEAD",
        "--",
        name,
    ];
    let blamed = git.read_line(&words).ok();
    let id = blamed.as_ref().and_then(|line| line.split(' ').next());
    // A commit at the border of a shallow clone is marked.
    let id = id.map(|id| id.trim_start_matches('^'));
    id.and_then(|id| git.commit(id))
        .map_or(Written::Unknown, Written::Committed)
}

/// The first line of a file with a text that stands in no commit yet, if there is one.
pub(crate) fn first_uncommitted(file: &Path, text: &str) -> Option<u32> {
    let (git, name) = repository_of(file)?;
    let before = committed(&git, name).unwrap_or_default();
    let changes = line_changes(&String::from_utf8_lossy(&before), text);
    changes.first().map(|change| change.line)
}

/// The commit that changed a file last, unless it is another since.
pub(crate) fn who_changed(file: &Path) -> Written {
    let Some((git, name)) = repository_of(file) else {
        return Written::Unknown;
    };
    let now = std::fs::read(file).ok();
    if committed(&git, name) != now {
        return Written::Uncommitted;
    }
    let id = git.read_line(&["rev-list", "-1", "HEAD", "--", name]).ok();
    id.and_then(|id| git.commit(&id))
        .map_or(Written::Unknown, Written::Committed)
}

/// The repository that a file lies in, and its name in its folder.
fn repository_of(file: &Path) -> Option<(Git, &str)> {
    let git = Git::around(file.parent()?);
    let name = file.file_name().and_then(OsStr::to_str)?;
    git.read(&["rev-parse", "--verify", "--quiet", "HEAD"])
        .ok()?;
    Some((git, name))
}

/// The bytes of a file in the last commit.
fn committed(git: &Git, name: &str) -> Option<Vec<u8>> {
    git.read(&["cat-file", "blob", &format!("HEAD:./{name}")])
        .ok()
}
