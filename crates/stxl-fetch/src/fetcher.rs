//! From an address to a file: [`Fetcher`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::MemfdFlags;
use stxl_model::{PackageAddress, Sha256};

use crate::address::{Address, GitAddress, Repository, WebAddress};
use crate::client::Surroundings;
use crate::download::{Context, DownloadError, Downloaded, Progress, Wanted, copy_file, download};
use crate::ecosystem::{
    Asked, Candidate, Document, Ecosystems, Reader, ResolveError, Told, untold,
};
use crate::git::{self, GitEntry, GitError};
use crate::options::FetchOptions;
use crate::problem::{Attempt, Problem};
use crate::web::Web;

/// The largest document that a registry may have about one package.
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;

/// Fetches files over the network. Safe to share between threads; every client of an ecosystem is
/// asked for its registry once.
pub struct Fetcher {
    web: Arc<Web>,
    folder: PathBuf,
    stopped: Arc<AtomicBool>,
    ecosystems: Ecosystems,
}

/// What is to be had.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Where.
    pub address: &'a Address,
    /// The hash it has to have, if that is known.
    pub sha256: Option<Sha256>,
    /// Where it is written to. With a hash, what is there is taken for its beginning, which is made
    /// sure of in the end.
    pub file: &'a File,
}

/// A file that was had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obtained {
    /// What, and where from.
    pub downloaded: Downloaded,
    /// Places that did not give it before.
    pub attempts: Vec<Attempt>,
}

/// Why a file was not had.
#[derive(Debug)]
pub enum ObtainError {
    /// No place has it.
    Nowhere(NowhereError),
    /// This machine could not keep it.
    Disk(io::Error),
    /// Nobody wants it any more.
    Stopped,
}

/// Nobody has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NowhereError {
    /// The places, and what was wrong there.
    pub attempts: Vec<Attempt>,
    /// For a file of an ecosystem that is gone everywhere, the newest version there is.
    pub newest: Option<String>,
}

impl Fetcher {
    /// Makes a fetcher. Nothing is read or asked before it is needed. In the folder the clients of
    /// ecosystems may write; it is the caller's to make and to remove.
    pub fn new(options: FetchOptions, folder: PathBuf) -> Self {
        Self {
            web: Arc::new(Web::new(options)),
            folder,
            stopped: Arc::default(),
            ecosystems: Ecosystems::default(),
        }
    }

    /// Ends what is going on, and everything from here on, with `Stopped`.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.web.end();
    }

    /// Finds out where a file of an ecosystem is, best first.
    pub fn resolve(&self, address: &PackageAddress) -> Result<Vec<Candidate>, ResolveError> {
        self.asked().candidates(address)
    }

    /// The versions of a package that its ecosystem tells of, the newest first.
    pub fn versions(&self, address: &PackageAddress) -> Result<Vec<String>, ResolveError> {
        self.asked().versions(address)
    }

    /// The newest version of a package that is meant for everybody, or any if the one that the
    /// address names is not.
    pub fn newest(&self, address: &PackageAddress) -> Result<Option<String>, ResolveError> {
        let versions = self.versions(address)?;
        let is_early = |version: &str| is_early(address, version);
        let wants_early = is_early(address.version());
        let fits = |version: &&String| wants_early || !is_early(version);
        let newest = versions.iter().find(fits).or_else(|| versions.first());
        Ok(newest.cloned())
    }

    /// Has a file from wherever an address leads.
    pub fn obtain(
        &self,
        request: &Request<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Obtained, ObtainError> {
        let mut search = Search {
            fetcher: self,
            request,
            attempts: Vec::new(),
        };
        let (candidates, package) = match request.address {
            Address::Web(address) => (vec![Candidate::Web(address.clone())], None),
            Address::File(path) => (vec![Candidate::File(path.clone())], None),
            Address::Git(address) => {
                search.attempts.push(Attempt {
                    place: address.to_string(),
                    problem: Problem::Address {
                        reason: "a commit is no file: it is locked by its tree",
                    },
                    tries: 1,
                });
                (Vec::new(), None)
            }
            Address::Package(package) => match self.resolve(package) {
                Ok(candidates) => (candidates, Some(package)),
                Err(ResolveError(attempt)) => {
                    search.attempts.push(attempt);
                    (Vec::new(), Some(package))
                }
            },
        };
        let mut had = search.first_of(&candidates, progress)?;
        let may_be_elsewhere = |attempt: &Attempt| {
            let problem = &attempt.problem;
            problem.is_gone() || matches!(problem, Problem::Refused { .. })
        };
        if let Some(package) = package
            && had.is_none()
            && !self.is_stopped()
            && search.attempts.iter().all(may_be_elsewhere)
        {
            let mut further = self.asked().further_candidates(package);
            further.retain(|place| !candidates.contains(place));
            had = search.first_of(&further, progress)?;
        }
        let attempts = search.attempts;
        if let Some(downloaded) = had {
            return Ok(Obtained {
                downloaded,
                attempts,
            });
        }
        if self.is_stopped() {
            return Err(ObtainError::Stopped);
        }
        let is_gone = attempts.iter().all(|it| it.problem.is_gone());
        // That nobody tells of a newer one changes nothing about what is gone.
        let newest = package.filter(|_| is_gone).and_then(|package| {
            let newest = self.newest(package).ok().flatten();
            newest.filter(|newest| newest != package.version())
        });
        Err(ObtainError::Nowhere(NowhereError { attempts, newest }))
    }

    /// Has the files of a commit, and hands them over one by one, in the order of their paths.
    pub fn files_of_commit<E>(
        &self,
        address: &GitAddress,
        progress: &mut dyn FnMut(Progress),
        sink: &mut dyn FnMut(GitEntry<'_>) -> Result<(), E>,
    ) -> Result<(), GitError<E>> {
        let options = self.web.options();
        let credentials = match &address.repository {
            Repository::Web(address) => self.web.credentials_for(address),
            Repository::Folder(_) => None,
        };
        let context = git::Context {
            surroundings: Surroundings {
                limit: options.limits.repository,
                ..self.asked().surroundings
            },
            trust: &options.trust,
            credentials,
            bytes_max: options.limits.file_bytes_max,
        };
        git::files_of_commit(context, address, progress, sink)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn context(&self) -> Context<'_> {
        Context {
            web: &self.web,
            stopped: &self.stopped,
        }
    }

    fn asked(&self) -> Asked<'_> {
        let options = self.web.options();
        Asked {
            ecosystems: &self.ecosystems,
            surroundings: Surroundings {
                environment: &options.clients,
                folder: &self.folder,
                limit: options.limits.client,
                stopped: &self.stopped,
            },
            reader: self,
        }
    }
}

/// Whether a version is one before a release.
fn is_early(address: &PackageAddress, version: &str) -> bool {
    match address {
        // What a distribution has, it has released.
        PackageAddress::Debian(_) => false,
        PackageAddress::Cargo(_) | PackageAddress::Npm(_) => {
            let version = version.split('+').next().unwrap_or(version);
            version.contains('-')
        }
        PackageAddress::Pypi(_) => {
            let version = version.split('+').next().unwrap_or(version);
            let version = version.replace("post", "");
            version.contains(|letter: char| letter.is_ascii_alphabetic())
        }
    }
}

struct Search<'a> {
    fetcher: &'a Fetcher,
    request: &'a Request<'a>,
    attempts: Vec<Attempt>,
}

impl Search<'_> {
    fn first_of(
        &mut self,
        candidates: &[Candidate],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Downloaded>, ObtainError> {
        let context = self.fetcher.context();
        let Request { sha256, file, .. } = *self.request;
        for candidate in candidates {
            let had = match candidate {
                Candidate::Web(address) => {
                    let wanted = Wanted {
                        address,
                        sha256,
                        accept: None,
                        bytes_max: self.fetcher.web.options().limits.file_bytes_max,
                        file,
                    };
                    download(context, &wanted, progress)
                }
                Candidate::File(path) => copy_file(context, path, sha256, file),
            };
            match had {
                Ok(downloaded) => return Ok(Some(downloaded)),
                Err(DownloadError::Attempt(attempt)) => self.attempts.push(attempt),
                Err(DownloadError::Disk(error)) => return Err(ObtainError::Disk(error)),
                Err(DownloadError::Stopped) => return Err(ObtainError::Stopped),
            }
        }
        Ok(None)
    }
}

impl Reader for Fetcher {
    fn read(&self, address: WebAddress, accept: &'static str) -> Told<Document> {
        let failed = |error: &dyn std::fmt::Display| untold("a document", error.to_string());
        let memory = rustix::fs::memfd_create("document", MemfdFlags::CLOEXEC);
        let file = memory.map(File::from).map_err(|error| failed(&error))?;
        let wanted = Wanted {
            address: &address,
            sha256: None,
            accept: Some(accept),
            bytes_max: DOCUMENT_BYTES_MAX,
            file: &file,
        };
        match download(self.context(), &wanted, &mut |_| ()) {
            Ok(_) => {}
            Err(DownloadError::Attempt(attempt)) => return Err(ResolveError(attempt)),
            Err(DownloadError::Disk(error)) => return Err(failed(&error)),
            Err(DownloadError::Stopped) => return Err(failed(&"called off")),
        }
        let length = file.metadata().map_err(|error| failed(&error))?.len();
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let read = file.read_exact_at(&mut bytes, 0);
        read.map_err(|error| failed(&error))?;
        Ok(Document { address, bytes })
    }
}
