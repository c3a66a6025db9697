//! Sources by their sha256: from a directory of files, or from `file:` addresses.
//!
//! There is no network here. Whatever a file is called and wherever it comes from, it counts only
//! if the bytes that lie in the store afterwards have the locked hash.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use stxl_model::{BlobId, Directory, Fetch, PlanNode, Sha256, Sha256Hasher};
use stxl_store::{Store, StoreError};

use crate::failure::FailureCause;
use crate::options::BuildOptions;
use crate::regular_file;
use crate::worker::{Ended, Product, failed, store_end};

/// Why a source could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no source with {sha256}{}", tried_text(tried))]
pub struct FetchError {
    /// The lock.
    pub sha256: Sha256,
    /// What was tried, in this order.
    pub tried: Vec<Tried>,
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

/// Finds a source, takes it in and checks its hash.
pub(crate) fn fetch(
    store: &Store,
    options: &BuildOptions,
    recipe: &Fetch,
    node: &PlanNode,
) -> Ended<Product> {
    let mut tried = Vec::new();
    for candidate in candidates(options.source_dir.as_deref(), recipe, &node.origin.urls) {
        let (place, path) = match candidate {
            Candidate::File(path) => (path.display().to_string(), path),
            Candidate::Unreachable(place, problem) => {
                tried.push(Tried { place, problem });
                continue;
            }
        };
        let file = match regular_file::open(&path) {
            Ok(file) => file,
            Err(error) => {
                tried.push(Tried {
                    place,
                    problem: error.to_string(),
                });
                continue;
            }
        };
        let cancelled = options.cancel.flag();
        let (blob, size_bytes) = store
            .put_blob_from_unless(&file, &cancelled)
            .map_err(|source| store_end(node, source))?;
        let found =
            sha256_of(store, &blob, &cancelled).map_err(|source| store_end(node, source))?;
        if found == recipe.sha256 {
            let directory = Directory::of_file(blob, size_bytes);
            let tree = store
                .put_directory(&directory)
                .map_err(|source| store_end(node, source))?;
            return Ok(Product::of_tree(tree));
        }
        tried.push(Tried {
            place,
            problem: format!("it has {found}"),
        });
    }
    Err(failed(FailureCause::Fetch(FetchError {
        sha256: recipe.sha256,
        tried,
    })))
}

enum Candidate {
    File(PathBuf),
    Unreachable(String, String),
}

fn candidates(source_dir: Option<&Path>, recipe: &Fetch, urls: &[String]) -> Vec<Candidate> {
    let mut found = Vec::new();
    if let Some(directory) = source_dir {
        let named = recipe.sha256.to_string();
        let hex = named.strip_prefix("sha256:").unwrap_or(&named);
        let names = [hex.to_owned(), format!("sha256-{hex}")].into_iter();
        let from_urls = urls.iter().filter_map(|url| {
            let name = url.split(['?', '#']).next()?.rsplit('/').next()?;
            (!name.is_empty() && name != "." && name != "..").then(|| name.to_owned())
        });
        found.extend(
            names
                .chain(from_urls)
                .map(|name| Candidate::File(directory.join(name))),
        );
    }
    found.extend(urls.iter().map(|url| candidate_of(url)));
    found
}

fn candidate_of(url: &str) -> Candidate {
    let local = url
        .strip_prefix("file://localhost")
        .or_else(|| url.strip_prefix("file://"));
    match local.or_else(|| url.strip_prefix("file:")) {
        Some(path) if path.starts_with('/') && !path.contains('%') => {
            Candidate::File(PathBuf::from(path))
        }
        Some(_) => Candidate::Unreachable(
            url.to_owned(),
            "a `file:` address is an absolute path without escapes".to_owned(),
        ),
        None => {
            let scheme = url.split(':').next().unwrap_or(url);
            let problem = format!("no fetcher for {scheme} in this version; give --source-dir");
            Candidate::Unreachable(url.to_owned(), problem)
        }
    }
}

/// The sha256 of the bytes as they lie in the store.
fn sha256_of(store: &Store, blob: &BlobId, cancelled: &AtomicBool) -> Result<Sha256, StoreError> {
    let mut reader = store.open_blob(blob)?;
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
