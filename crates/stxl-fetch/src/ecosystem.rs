//! Ecosystems: from a name and a version to places, asked of the client that the machine has.
//!
//! No host of any registry is known here.

pub(crate) mod cargo;
pub(crate) mod debian;
pub(crate) mod npm;
pub(crate) mod pypi;
mod version_order;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use stxl_model::{DebianFile, DebianKind, NameAndVersion, PackageAddress};

use crate::address::WebAddress;
use crate::client::{ClientError, Surroundings};
use crate::problem::{Attempt, Problem};

/// Where a file of an ecosystem can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// A file on a server.
    Web(WebAddress),
    /// A file that the ecosystem's client has fetched.
    File(PathBuf),
}

/// Why nobody could tell where a file of an ecosystem is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResolveError(
    /// Whom was asked, and what was wrong.
    pub Attempt,
);

pub(crate) type Told<T> = Result<T, ResolveError>;

/// One version of a package that a registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) version: String,
    pub(crate) place: WebAddress,
}

/// What a registry said about a package.
pub(crate) struct Document {
    pub(crate) address: WebAddress,
    pub(crate) bytes: Vec<u8>,
}

/// Reads documents of registries.
pub(crate) trait Reader {
    /// Has a document of one of the kinds that are understood.
    fn read(&self, address: WebAddress, accept: &'static str) -> Told<Document>;
}

/// What the clients of this machine said, each asked once.
#[derive(Default)]
pub(crate) struct Ecosystems {
    archives: OnceLock<Result<Vec<debian::Archive>, ClientError>>,
    npm: OnceLock<Result<npm::Configuration, ClientError>>,
    indexes: OnceLock<Result<Vec<String>, ClientError>>,
    /// One question at a time: cargo locks its home.
    downloads: Mutex<Option<cargo::Downloads>>,
}

pub(crate) fn untold(asked: &str, reason: impl Into<String>) -> ResolveError {
    ResolveError(Attempt {
        place: asked.to_owned(),
        problem: Problem::Unresolved {
            reason: reason.into(),
        },
        tries: 1,
    })
}

fn of_client(asked: &str) -> impl Fn(&ClientError) -> ResolveError {
    move |error| untold(asked, error.to_string())
}

/// Whom to ask.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) ecosystems: &'a Ecosystems,
    pub(crate) surroundings: Surroundings<'a>,
    pub(crate) reader: &'a dyn Reader,
}

impl Asked<'_> {
    /// Where a file can be had, best first.
    pub(crate) fn candidates(&self, address: &PackageAddress) -> Told<Vec<Candidate>> {
        match address {
            PackageAddress::Debian(file) => self.in_pools(file, debian::likely_source(file)),
            PackageAddress::Cargo(it) => self.of_cargo(it),
            PackageAddress::Npm(it) | PackageAddress::Pypi(it) => {
                let mut releases = self.releases(address)?;
                releases.retain(|release| release.version == it.version);
                if releases.is_empty() {
                    return Err(gone(address));
                }
                let places = releases.into_iter().map(|release| release.place);
                Ok(places.map(Candidate::Web).collect())
            }
        }
    }

    /// Further places, once the others do not have a file. Finding them costs more.
    pub(crate) fn further_candidates(&self, address: &PackageAddress) -> Vec<Candidate> {
        match address {
            PackageAddress::Debian(file) => {
                let DebianKind::Binary { source: None, .. } = &file.kind else {
                    return Vec::new();
                };
                // Where lists have any version of the package, they tell its source package.
                let known = debian::known_versions(self.surroundings, file).unwrap_or_default();
                let known = known.into_iter().find(|known| known.source != file.name);
                let places = known.and_then(|known| self.in_pools(file, &known.source).ok());
                places.unwrap_or_default()
            }
            // A registry that gives files only to whom it knows gives them to cargo.
            PackageAddress::Cargo(it) => {
                let _one_question = self.lock_cargo();
                let spec = format!("{}@{}", it.name, it.version);
                let looked = cargo::look_at(self.surroundings, &spec);
                let file = looked
                    .ok()
                    .and_then(|()| cargo::fetched(self.surroundings, it));
                file.map(Candidate::File).into_iter().collect()
            }
            PackageAddress::Npm(_) | PackageAddress::Pypi(_) => Vec::new(),
        }
    }

    /// The versions that the ecosystem tells of, the newest first.
    pub(crate) fn versions(&self, address: &PackageAddress) -> Told<Vec<String>> {
        match address {
            PackageAddress::Debian(file) => {
                let known = debian::known_versions(self.surroundings, file);
                let known = known.map_err(|error| of_client("apt-cache")(&error))?;
                Ok(known.into_iter().map(|known| known.version).collect())
            }
            PackageAddress::Cargo(it) => {
                let _one_question = self.lock_cargo();
                let looked = cargo::look_at(self.surroundings, &it.name);
                looked.map_err(|error| of_client("cargo")(&error))?;
                Ok(newest_first(cargo::versions(self.surroundings, &it.name)))
            }
            PackageAddress::Npm(_) | PackageAddress::Pypi(_) => {
                let releases = self.releases(address)?.into_iter();
                let versions = releases.map(|release| release.version).collect();
                Ok(newest_first(versions))
            }
        }
    }

    fn in_pools(&self, file: &DebianFile, source: &str) -> Told<Vec<Candidate>> {
        let asked = self
            .ecosystems
            .archives
            .get_or_init(|| debian::archives(self.surroundings));
        let archives = asked.as_ref().map_err(of_client("apt-get"))?;
        let places = debian::candidates(archives, file, source);
        if places.is_empty() {
            let distribution = &file.distribution;
            let reason = format!("it knows no mirror of {distribution} over http: or https:");
            return Err(untold("apt-get", reason));
        }
        Ok(places.into_iter().map(Candidate::Web).collect())
    }

    fn of_cargo(&self, it: &NameAndVersion) -> Told<Vec<Candidate>> {
        let mut downloads = self.lock_cargo();
        if downloads.is_none() {
            let spec = format!("{}@{}", it.name, it.version);
            let looked = cargo::look_at(self.surroundings, &spec);
            *downloads = cargo::downloads(self.surroundings);
            if downloads.is_none() {
                looked.map_err(|error| of_client("cargo")(&error))?;
            }
        }
        let place = downloads.as_ref().and_then(|downloads| downloads.place(it));
        Ok(place.map(Candidate::Web).into_iter().collect())
    }

    fn lock_cargo(&self) -> std::sync::MutexGuard<'_, Option<cargo::Downloads>> {
        let lock = self.ecosystems.downloads.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    fn releases(&self, address: &PackageAddress) -> Told<Vec<Release>> {
        let name = address.name();
        if let PackageAddress::Npm(_) = address {
            let asked = self
                .ecosystems
                .npm
                .get_or_init(|| npm::configuration(self.surroundings));
            let place = asked.as_ref().map_err(of_client("npm"))?.document(name)?;
            return npm::releases(&self.reader.read(place, npm::ACCEPT)?);
        }
        let asked = self
            .ecosystems
            .indexes
            .get_or_init(|| pypi::indexes(self.surroundings));
        let indexes = asked.as_ref().map_err(of_client("pip"))?;
        let mut releases = Vec::new();
        let mut first_error = None;
        for index in indexes {
            let read = pypi::document(index, name)
                .and_then(|place| self.reader.read(place, pypi::ACCEPT))
                .and_then(|document| pypi::releases(&document, name));
            match read {
                Ok(more) => releases.extend(more),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        match first_error {
            Some(error) if releases.is_empty() => Err(error),
            _ => Ok(releases),
        }
    }
}

fn newest_first(mut versions: Vec<String>) -> Vec<String> {
    versions.sort_by(|one, other| version_order::compare(other, one));
    versions.dedup();
    versions
}

/// The registry is there and has other versions only.
fn gone(address: &PackageAddress) -> ResolveError {
    ResolveError(Attempt {
        place: address.to_string(),
        problem: Problem::NotListed,
        tries: 1,
    })
}
