//! The files of a commit, read from a repository as they are in it.
//!
//! `git` has the objects and gives them back; it checks nothing out. So no attribute, filter, hook,
//! submodule or line ending changes a byte, and no name of a repository becomes a path.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::MemfdFlags;

use crate::address::{GitAddress, Repository};
use crate::client::{self, ClientError, Inquiry, Reach, Running, Surroundings};
use crate::credentials::Credentials;
use crate::download::Progress;
use crate::options::Trust;
use crate::problem::Problem;

/// The longest target of a symlink.
const TARGET_BYTES_MAX: u64 = 4095;

/// What a commit has at a path.
pub enum GitEntry<'a> {
    /// A file.
    File {
        /// Where, its parts joined by `/`; no part is empty, `.`, `..` or `.git`.
        path: &'a [u8],
        /// Whether it can be executed.
        is_executable: bool,
        /// How large it is.
        size_bytes: u64,
        /// Its bytes, exactly as many.
        content: &'a mut dyn Read,
    },
    /// A symlink.
    Symlink {
        /// Where.
        path: &'a [u8],
        /// Where it leads, which is not made sure of.
        target: &'a [u8],
    },
    /// A submodule, which is not fetched.
    Submodule {
        /// Where.
        path: &'a [u8],
    },
}

/// Why the files of a commit were not had.
#[derive(Debug)]
pub enum GitError<E> {
    /// The repository did not give them.
    Problem(Problem),
    /// This machine could not keep them.
    Disk(io::Error),
    /// Whoever takes them in said no.
    Sink(E),
    /// Nobody wants them any more.
    Stopped,
}

/// What is needed to ask a repository.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) surroundings: Surroundings<'a>,
    pub(crate) trust: &'a Trust,
    pub(crate) credentials: Option<&'a Credentials>,
    /// The most that a repository may take on the disk.
    pub(crate) bytes_max: u64,
}

/// Settings of git's for all it does here, in the place of the machine's and the user's.
const SETTINGS: &str = "\
[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tattributesFile = /dev/null\n\
[safe]\n\tdirectory = *\n\
[protocol]\n\tallow = never\n\tversion = 2\n\
[protocol \"https\"]\n\tallow = always\n[protocol \"http\"]\n\tallow = always\n\
[protocol \"file\"]\n\tallow = always\n\
[http]\n\tfollowRedirects = false\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 30\n\tsslVerify = true\n\
[fetch]\n\trecurseSubmodules = false\n\twriteCommitGraph = false\n\
[submodule]\n\trecurse = false\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n\
[credential]\n\thelper =\n";

/// Has the files of a commit, and hands them over one by one, in the order of their paths.
pub(crate) fn files_of_commit<E>(
    context: Context<'_>,
    address: &GitAddress,
    progress: &mut dyn FnMut(Progress),
    sink: &mut dyn FnMut(GitEntry<'_>) -> Result<(), E>,
) -> Result<(), GitError<E>> {
    let git = Git::new(context, address).map_err(GitError::Disk)?;
    let had = git.fetch(progress).and_then(|()| git.list());
    let listed = had.map_err(|error| git.stop_of(&error))?;
    let entries = parse_listing(&listed).map_err(GitError::Problem)?;
    git.read(&entries, sink)
}

/// So that no two at once have the same folder.
static FOLDERS: AtomicUsize = AtomicUsize::new(0);

struct Git<'a> {
    context: Context<'a>,
    address: &'a GitAddress,
    folder: PathBuf,
}

/// A line of the listing of a commit.
struct Listed<'a> {
    kind: Kind,
    object: &'a str,
    path: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Executable,
    Symlink,
    Submodule,
}

impl Drop for Git<'_> {
    fn drop(&mut self) {
        // What is left goes with the folder that it is in.
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl<'a> Git<'a> {
    fn new(context: Context<'a>, address: &'a GitAddress) -> io::Result<Self> {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = context.surroundings.folder.join(format!("git-{number}"));
        fs::create_dir(&folder)?;
        let mut settings = SETTINGS.to_owned();
        let Trust { file, directory } = context.trust;
        for (name, path) in [("sslCAInfo", file), ("sslCAPath", directory)] {
            let path = path.as_deref().and_then(Path::to_str);
            if let Some(path) = path.filter(|path| !path.contains(['"', '\\', '\n'])) {
                settings += &format!("[http]\n\t{name} = \"{path}\"\n");
            }
        }
        fs::write(folder.join("settings"), settings)?;
        Ok(Self {
            context,
            address,
            folder,
        })
    }

    fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// Asks git something, with nothing of the user's but what this process was told.
    fn inquire<T>(
        &self,
        (arguments, reach): (&[&OsStr], Reach),
        ask: impl FnOnce(Surroundings<'a>, &Inquiry<'_>) -> T,
    ) -> T {
        let settings = self.folder.join("settings");
        let repository = self.repository();
        let mut variables: Vec<(&str, &OsStr)> = vec![
            ("GIT_DIR", repository.as_os_str()),
            ("GIT_CONFIG_GLOBAL", settings.as_os_str()),
            ("HOME", self.folder.as_os_str()),
        ];
        let fixed = [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "true"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            ("GIT_PROTOCOL_FROM_USER", "0"),
        ];
        variables.extend(fixed.map(|(name, value)| (name, OsStr::new(value))));
        // By a variable, so that no file and no list of processes holds it.
        let told = self.password();
        if let Some((key, value)) = &told {
            variables.extend([
                ("GIT_CONFIG_COUNT", OsStr::new("1")),
                ("GIT_CONFIG_KEY_0", OsStr::new(key)),
                ("GIT_CONFIG_VALUE_0", OsStr::new(value)),
            ]);
        }
        let inquiry = Inquiry {
            program: "git",
            arguments,
            variables: &variables,
            reach,
        };
        ask(self.context.surroundings, &inquiry)
    }

    /// The setting that tells a password to the one host that it is for.
    fn password(&self) -> Option<(String, String)> {
        let Repository::Web(address) = &self.address.repository else {
            return None;
        };
        let basic = self.context.credentials?.basic();
        let origin = address.url().origin().ascii_serialization();
        let key = format!("http.{origin}/.extraHeader");
        Some((key, format!("Authorization: {basic}")))
    }

    /// Has the objects of the commit, and no more where the server can do so.
    fn fetch(&self, progress: &mut dyn FnMut(Progress)) -> Result<(), ClientError> {
        let (place, reach) = match &self.address.repository {
            Repository::Web(address) => (address.to_string(), Reach::Network),
            Repository::Folder(path) => (format!("file://{}", path.display()), Reach::Machine),
        };
        let commit = self.address.commit.as_str();
        let ask = |words: &[&str], reach, progress: &mut dyn FnMut(Progress)| {
            let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            self.inquire((&words, reach), |surroundings, inquiry| {
                client::ask_bytes(surroundings, inquiry, &mut || {
                    let bytes = self.size();
                    progress(Progress { bytes, total: None });
                    self.refuse_too_large(bytes);
                })
            })
        };
        ask(
            &["init", "--quiet", "--bare", "--template="],
            Reach::Machine,
            progress,
        )?;
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
        let one = ["--depth=1", &place, commit];
        match ask(&[&fetch[..], &one].concat(), reach, progress) {
            Err(ClientError::Failed { said, .. }) if has_to_give_all(&said) => {
                let all = [place.as_str(), "+refs/*:refs/fetched/*"];
                ask(&[&fetch[..], &all].concat(), reach, progress).map(drop)
            }
            fetched => fetched.map(drop),
        }
    }

    /// How much a repository takes that is being fetched.
    fn size(&self) -> u64 {
        let packs = fs::read_dir(self.repository().join("objects/pack"));
        let files = packs.into_iter().flatten().flatten();
        files
            .filter_map(|file| file.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Takes the ground away from a fetch that goes on for too long.
    fn refuse_too_large(&self, bytes: u64) {
        if bytes > self.context.bytes_max {
            fs::remove_dir_all(self.repository()).ok();
        }
    }

    /// Lists the files of the commit.
    fn list(&self) -> Result<Vec<u8>, ClientError> {
        let tree = format!("{}^{{tree}}", self.address.commit);
        let words = ["ls-tree", "-r", "-z", "--full-tree", &tree];
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        self.inquire((&words, Reach::Machine), |surroundings, inquiry| {
            client::ask_bytes(surroundings, inquiry, &mut || ())
        })
    }

    fn stop_of<E>(&self, error: &ClientError) -> GitError<E> {
        if self.context.surroundings.stopped.load(Ordering::Acquire) {
            return GitError::Stopped;
        }
        if !self.repository().exists() {
            let limit = self.context.bytes_max;
            return GitError::Problem(Problem::TooLarge { limit });
        }
        GitError::Problem(Problem::Unresolved {
            reason: error.to_string(),
        })
    }

    /// Reads what was listed, and hands it over.
    fn read<E>(
        &self,
        entries: &[Listed<'_>],
        sink: &mut dyn FnMut(GitEntry<'_>) -> Result<(), E>,
    ) -> Result<(), GitError<E>> {
        let wanted = objects_file(entries).map_err(GitError::Disk)?;
        let words = ["cat-file", "--batch", "--buffer"].map(OsStr::new);
        let started = self.inquire((&words, Reach::Machine), |surroundings, inquiry| {
            Running::start(surroundings, inquiry, Stdio::from(wanted))
        });
        let mut running = started.map_err(|error| self.stop_of(&error))?;
        let answer = running.answer();
        let mut answer = BufReader::with_capacity(1 << 18, answer.expect("it is a pipe"));
        let read = hand_over(&mut answer, entries, self.context.bytes_max, sink);
        // A client that is not read to the end would wait for ever.
        drop(answer);
        let ended = running.end(&mut || ());
        read?;
        ended.map_err(|error| self.stop_of(&error))
    }
}

/// Whether a server cannot give a single commit, but perhaps everything.
fn has_to_give_all(said: &str) -> bool {
    let reasons = [
        "unadvertised object",
        "dumb http transport",
        "does not support shallow",
    ];
    reasons.into_iter().any(|reason| said.contains(reason))
}

/// The objects that are asked for, in a file without a name.
fn objects_file(entries: &[Listed<'_>]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("objects", MemfdFlags::CLOEXEC)?);
    let mut text = String::new();
    for entry in entries.iter().filter(|entry| entry.kind != Kind::Submodule) {
        text += entry.object;
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Reads `MODE TYPE OBJECT<tab>PATH` records that end with a zero.
fn parse_listing(listed: &[u8]) -> Result<Vec<Listed<'_>>, Problem> {
    let unreadable = || Problem::Protocol {
        reason: "git's list of files cannot be read".to_owned(),
    };
    let mut entries = Vec::new();
    for record in listed.split(|byte| *byte == 0).filter(|it| !it.is_empty()) {
        let tab = record.iter().position(|byte| *byte == b'\t');
        let (head, path) = record.split_at(tab.ok_or_else(unreadable)?);
        let path = path.get(1..).unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| unreadable())?;
        let mut words = head.split(' ');
        let (mode, object) = (words.next(), words.nth(1).ok_or_else(unreadable)?);
        let kind = match mode {
            Some("100644" | "100664" | "100600") => Kind::File,
            Some("100755") => Kind::Executable,
            Some("120000") => Kind::Symlink,
            Some("160000") => Kind::Submodule,
            _ => return Err(unreadable()),
        };
        refuse_path(path)?;
        entries.push(Listed { kind, object, path });
    }
    Ok(entries)
}

/// Refuses names that mean something to somebody; git's own, too, since a tree of them may be used
/// by git again.
fn refuse_path(path: &[u8]) -> Result<(), Problem> {
    let mut parts = path.split(|byte| *byte == b'/');
    let is_bad = |part: &[u8]| {
        part.is_empty() || part == b"." || part == b".." || part.eq_ignore_ascii_case(b".git")
    };
    if parts.any(is_bad) {
        let path = String::from_utf8_lossy(path);
        return Err(Problem::Protocol {
            reason: format!("the commit has the path {path:?}"),
        });
    }
    Ok(())
}

/// Reads `OBJECT blob SIZE`, the bytes and a line's end, for each entry.
fn hand_over<E>(
    answer: &mut impl io::BufRead,
    entries: &[Listed<'_>],
    bytes_max: u64,
    sink: &mut dyn FnMut(GitEntry<'_>) -> Result<(), E>,
) -> Result<(), GitError<E>> {
    let odd = |reason: &str| {
        GitError::Problem(Problem::Protocol {
            reason: format!("git's answer {reason}"),
        })
    };
    let broken = |error: io::Error| {
        GitError::Problem(Problem::Protocol {
            reason: format!("git's answer broke off: {error}"),
        })
    };
    let mut left = bytes_max;
    for Listed { kind, object, path } in entries {
        if *kind == Kind::Submodule {
            sink(GitEntry::Submodule { path }).map_err(GitError::Sink)?;
            continue;
        }
        let mut head = String::new();
        let mut line = answer.by_ref().take(256);
        line.read_line(&mut head).map_err(broken)?;
        let size = head
            .strip_prefix(object)
            .and_then(|rest| rest.strip_prefix(" blob "))
            .and_then(|size| size.trim_end().parse::<u64>().ok());
        let size_bytes = size.ok_or_else(|| odd("is not about the file that was asked for"))?;
        left = left
            .checked_sub(size_bytes)
            .ok_or(GitError::Problem(Problem::TooLarge { limit: bytes_max }))?;
        let mut content = answer.by_ref().take(size_bytes);
        if *kind == Kind::Symlink {
            if size_bytes == 0 || size_bytes > TARGET_BYTES_MAX {
                return Err(odd("has a symlink whose target is empty or too long"));
            }
            let mut target = Vec::new();
            content.read_to_end(&mut target).map_err(broken)?;
            let target = &target;
            sink(GitEntry::Symlink { path, target }).map_err(GitError::Sink)?;
        } else {
            sink(GitEntry::File {
                path,
                is_executable: *kind == Kind::Executable,
                size_bytes,
                content: &mut content,
            })
            .map_err(GitError::Sink)?;
        }
        if content.limit() > 0 {
            return Err(odd("ended too early"));
        }
        let mut end = [0];
        answer.read_exact(&mut end).map_err(broken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Kind, parse_listing};

    #[test]
    fn a_listing_is_read_by_its_bytes() {
        let listed = b"100644 blob a\tx\n\xff\x00120000 blob b\td/y\x00160000 commit c\tz\x00";
        let entries = parse_listing(listed).expect("a listing");
        let paths: Vec<&[u8]> = entries.iter().map(|entry| entry.path).collect();
        assert_eq!(paths, [b"x\n\xff".as_slice(), b"d/y", b"z"]);
        assert!(entries[2].kind == Kind::Submodule && entries[1].object == "b");
    }

    #[test]
    fn paths_that_mean_something_are_refused() {
        for path in [
            "../x",
            "a/../b",
            ".",
            "a//b",
            "/a",
            ".git/config",
            "a/.GIT/x",
            "",
        ] {
            let listed = format!("100644 blob a\t{path}\0");
            assert!(parse_listing(listed.as_bytes()).is_err(), "{path}");
        }
        assert!(parse_listing(b"040000 tree a\tx\0").is_err());
        assert!(parse_listing(b"100644 blob a x\0").is_err());
        assert!(parse_listing(b"100644 blob a\t.gitmodules\0").is_ok());
    }
}
