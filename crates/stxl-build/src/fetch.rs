//! Sources by their sha256: from a directory of files, from `file:` addresses, or over the network.
//!
//! Whatever a file is called and wherever it comes from, it counts only if the bytes that lie in
//! the store afterwards have the locked hash.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;
use stxl_fetch::{Address, Attempt, ObtainError, Problem, Request, without_userinfo};
use stxl_model::{BlobId, Directory, Fetch, FetchLock, PlanNode, Sha256, Sha256Hasher, TreeId};
use stxl_store::{ImportBounds, ImportError, LedgerOutcome, PartialFile, StoreError};

use crate::failure::FailureCause;
use crate::regular_file;
use crate::report::{JobEnd, Report};
use crate::repository::{self, CommitError, Target};
use crate::worker::{Ended, JobContext, Product, failed, store_end};

/// Why a source could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no source with {lock}{}{}", tried_text(.tried), newest_text(.newest.as_deref()))]
pub struct FetchError {
    /// The lock.
    pub lock: FetchLock,
    /// What was tried, in this order.
    pub tried: Vec<Tried>,
    /// A newer version, where an ecosystem no longer has the one that is asked for.
    pub newest: Option<String>,
}

/// One place a source was looked for in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The file or address.
    pub place: String,
    /// Why it was not there.
    pub problem: String,
}

fn tried_text(tried: &[Tried]) -> String {
    if tried.is_empty() {
        return ": its definition names no address; give --source-dir".to_owned();
    }
    let lines = tried
        .iter()
        .map(|tried| format!("\n  {}: {}", tried.place, tried.problem));
    lines.collect()
}

fn newest_text(newest: Option<&str>) -> String {
    match newest {
        Some(newest) => format!("\nit is gone; there is {newest} now"),
        None => String::new(),
    }
}

/// A source that is being looked for.
struct Search<'a> {
    context: JobContext<'a>,
    sha256: Sha256,
    node: &'a PlanNode,
    tried: Vec<Tried>,
    newest: Option<String>,
    /// What should be known although the source is there.
    warnings: Vec<String>,
    /// The address that is asked, as the ledger knows it.
    address: Option<String>,
}

/// Finds a source, takes it in and checks that it is what its lock says.
pub(crate) fn fetch(
    context: JobContext<'_>,
    recipe: &Fetch,
    position: usize,
    reports: &Sender<Report>,
) -> Ended<Product> {
    let node = &context.plan.nodes()[position];
    let sha256 = match recipe.lock {
        FetchLock::File(sha256) => sha256,
        FetchLock::Tree(tree) => return fetch_tree(context, tree, position, reports),
    };
    let mut search = Search {
        context,
        sha256,
        node,
        tried: Vec::new(),
        newest: None,
        warnings: Vec::new(),
        address: None,
    };
    let source_dir = context.options.source_dir.as_deref();
    for path in files_in(source_dir, &sha256, &node.origin.urls) {
        if let Some(product) = search.take_file(&path)? {
            return Ok(product);
        }
    }
    for url in &node.origin.urls {
        search.address = Some(without_userinfo(url));
        let found = match Address::parse(url) {
            Ok(Address::File(path)) => search.take_file(&path)?,
            Ok(address) => search.take_remote(&address, position, reports)?,
            Err(error) => {
                search.tried.push(Tried {
                    place: error.address,
                    problem: error.reason.to_owned(),
                });
                None
            }
        };
        if let Some(product) = found {
            return Ok(product);
        }
    }
    Err(failed(FailureCause::Fetch(FetchError {
        lock: recipe.lock,
        tried: search.tried,
        newest: search.newest,
    })))
}

/// Finds the files of a commit, takes them in and checks that they are the locked tree.
fn fetch_tree(
    context: JobContext<'_>,
    lock: TreeId,
    position: usize,
    reports: &Sender<Report>,
) -> Ended<Product> {
    let node = &context.plan.nodes()[position];
    let mut tried = Vec::new();
    let mut take = |place: String, found: Result<TreeId, String>| match found {
        Ok(tree) if tree == lock => Some(Product::of_tree(tree)),
        Ok(tree) => {
            let problem = format!("it has {}", FetchLock::Tree(tree));
            tried.push(Tried { place, problem });
            None
        }
        Err(problem) => {
            tried.push(Tried { place, problem });
            None
        }
    };
    if let Some(directory) = &context.options.source_dir {
        for name in [lock.to_string(), format!("tree-{lock}")] {
            let path = directory.join(name);
            if !path.is_dir() {
                continue;
            }
            let found = import_tree(context, &path).map_err(|error| store_end(node, error))?;
            if let Some(product) = take(path.display().to_string(), found) {
                return Ok(product);
            }
        }
    }
    for url in &node.origin.urls {
        let address = match Address::parse(url) {
            Ok(Address::Git(address)) => address,
            Ok(_) => {
                let problem = "it is the address of a file, and a tree is locked".to_owned();
                take(without_userinfo(url), Err(problem));
                continue;
            }
            Err(error) => {
                take(error.address, Err(error.reason.to_owned()));
                continue;
            }
        };
        let target = Target {
            store: context.store,
            cancel: &context.options.cancel,
        };
        let mut progress = |progress| {
            let node = position;
            // A conductor that is gone needs no news.
            reports.send(Report::Fetching { node, progress }).ok();
        };
        let taken = repository::take_in(target, context.fetcher, &address, &mut progress);
        let found = match taken {
            Ok(tree) => Ok(tree),
            Err(CommitError::Repository(problem)) => Err(problem.to_string()),
            Err(CommitError::Store(error)) => return Err(store_end(node, error)),
            Err(CommitError::Cancelled) => return Err(Box::new(JobEnd::Cancelled)),
        };
        if let Some(product) = take(address.to_string(), found) {
            return Ok(product);
        }
    }
    Err(failed(FailureCause::Fetch(FetchError {
        lock: FetchLock::Tree(lock),
        tried,
        newest: None,
    })))
}

/// Takes in a directory of this machine as a tree.
fn import_tree(context: JobContext<'_>, path: &Path) -> Result<Result<TreeId, String>, StoreError> {
    let directory = match File::open(path) {
        Ok(directory) => directory,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let cancelled = context.options.cancel.flag();
    let bounds = ImportBounds {
        ignore: &[],
        cancelled: Some(&cancelled),
    };
    match context.store.import_path(directory.as_fd(), b".", bounds) {
        Ok(tree) => Ok(Ok(tree)),
        Err(ImportError::Store(error)) => Err(error),
        Err(other) => Ok(Err(other.to_string())),
    }
}

/// Files of a directory of sources that may be the one that is looked for, by hash and by name.
fn files_in(source_dir: Option<&Path>, sha256: &Sha256, urls: &[String]) -> Vec<PathBuf> {
    let Some(directory) = source_dir else {
        return Vec::new();
    };
    let named = sha256.to_string();
    let hex = named.strip_prefix("sha256:").unwrap_or(&named);
    let names = [hex.to_owned(), format!("sha256-{hex}")].into_iter();
    let from_urls = urls.iter().filter_map(|url| {
        let path = url.split(['?', '#']).next()?;
        let name = match path.strip_prefix("pkg:") {
            Some(_) => url.split_once("&file=")?.1.split('&').next()?,
            None => path.rsplit('/').next()?,
        };
        let is_plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
        is_plain.then(|| name.to_owned())
    });
    let names = names.chain(from_urls);
    names.map(|name| directory.join(name)).collect()
}

impl Search<'_> {
    /// Takes in a file of this machine.
    fn take_file(&mut self, path: &Path) -> Ended<Option<Product>> {
        let place = path.display().to_string();
        let problem = match regular_file::open(path) {
            Ok(file) => match self.take_in(&file)? {
                Ok(product) => return Ok(Some(product)),
                Err(found) => format!("it has {found}"),
            },
            Err(error) => error.to_string(),
        };
        self.tried.push(Tried { place, problem });
        Ok(None)
    }

    /// Takes in a file from elsewhere, unless none of the places there gives the right one.
    fn take_remote(
        &mut self,
        address: &Address,
        position: usize,
        reports: &Sender<Report>,
    ) -> Ended<Option<Product>> {
        let partial = self.partial_file()?;
        let request = Request {
            address,
            sha256: Some(self.sha256),
            file: partial.file(),
        };
        let obtained = self.context.fetcher.obtain(&request, &mut |progress| {
            let node = position;
            // A conductor that is gone needs no news.
            reports.send(Report::Fetching { node, progress }).ok();
        });
        let attempts = match obtained {
            Ok(obtained) => {
                self.note(obtained.attempts)?;
                let taken = self.take_in(partial.file())?;
                self.remove(partial)?;
                let found = match taken {
                    Ok(product) => return Ok(Some(product)),
                    Err(found) => found,
                };
                let (place, bytes) = (obtained.downloaded.place, obtained.downloaded.bytes);
                vec![Attempt {
                    place,
                    problem: Problem::WrongBytes {
                        found,
                        bytes,
                        encoding: None,
                    },
                    tries: 1,
                }]
            }
            Err(ObtainError::Nowhere(nowhere)) => {
                if partial.file().metadata().is_ok_and(|file| file.len() == 0) {
                    self.remove(partial)?;
                }
                self.newest = self.newest.take().or(nowhere.newest);
                nowhere.attempts
            }
            Err(ObtainError::Stopped) => return Err(Box::new(JobEnd::Cancelled)),
            Err(ObtainError::Disk(source)) => {
                return Err(self.store_end(StoreError::Io {
                    operation: "write the download",
                    path: self.sha256.to_string(),
                    source,
                }));
            }
        };
        self.note(attempts)?;
        Ok(None)
    }

    /// Remembers places that did not give the source. One that gave something else is told of even
    /// if another one has it.
    fn note(&mut self, attempts: Vec<Attempt>) -> Ended<()> {
        for attempt in attempts {
            if let Problem::WrongBytes { found, .. } = &attempt.problem {
                let Attempt { place, problem, .. } = &attempt;
                self.warnings.push(format!("{place}: {problem}"));
                self.note_in_ledger(found, LedgerOutcome::Contradicted)?;
            }
            let text = attempt.to_string();
            let problem = text.strip_prefix(&attempt.place).unwrap_or(&text);
            self.tried.push(Tried {
                problem: problem.trim_start_matches(": ").to_owned(),
                place: attempt.place,
            });
        }
        Ok(())
    }

    fn note_in_ledger(&self, sha256: &Sha256, outcome: LedgerOutcome) -> Ended<()> {
        let Some(address) = &self.address else {
            return Ok(());
        };
        let noted = self.context.store.note_in_ledger(address, sha256, outcome);
        noted.map_err(|source| self.store_end(source))
    }

    /// Where the bytes of a download go. The lock of the action keeps everybody else from it; what
    /// a download that was called off still holds is given free in a moment.
    fn partial_file(&self) -> Ended<PartialFile> {
        loop {
            let partial = self.context.store.partial_file(&self.sha256);
            if let Some(partial) = partial.map_err(|source| self.store_end(source))? {
                return Ok(partial);
            }
            if self.context.options.cancel.is_cancelled() {
                return Err(Box::new(JobEnd::Cancelled));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    fn remove(&self, partial: PartialFile) -> Ended<()> {
        let removed = self.context.store.remove_partial_file(partial);
        removed.map_err(|source| self.store_end(source))
    }

    /// Puts a file into the store, and says which hash it has if it is not the right one.
    fn take_in(&mut self, file: &File) -> Ended<Result<Product, Sha256>> {
        let (store, cancelled) = (self.context.store, self.context.options.cancel.flag());
        let put = || -> Result<Result<Product, Sha256>, StoreError> {
            let (blob, size_bytes) = store.put_blob_from_unless(file, &cancelled)?;
            let found = self.sha256_of(&blob, &cancelled)?;
            if found != self.sha256 {
                return Ok(Err(found));
            }
            let directory = Directory::of_file(blob, size_bytes);
            Ok(Ok(Product::of_tree(store.put_directory(&directory)?)))
        };
        let taken = put().map_err(|source| self.store_end(source))?;
        if taken.is_ok() {
            self.note_in_ledger(&self.sha256, LedgerOutcome::Verified)?;
        }
        Ok(taken.map(|product| Product {
            warnings: std::mem::take(&mut self.warnings),
            ..product
        }))
    }

    /// The sha256 of the bytes as they lie in the store.
    fn sha256_of(&self, blob: &BlobId, cancelled: &AtomicBool) -> Result<Sha256, StoreError> {
        let mut reader = self.context.store.open_blob(blob)?;
        let mut hasher = Sha256Hasher::default();
        let mut piece = vec![0; 256 * 1024];
        loop {
            if cancelled.load(Ordering::Acquire) {
                return Err(StoreError::Cancelled);
            }
            match reader.read(&mut piece) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(count) => hasher.update(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let path = blob.to_string();
                    return Err(StoreError::Io {
                        operation: "read the blob",
                        path,
                        source,
                    });
                }
            }
        }
    }

    fn store_end(&self, source: StoreError) -> Box<JobEnd> {
        store_end(self.node, source)
    }
}
