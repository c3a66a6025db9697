//! Fetching files over a network, by address or by name and version. Start at [`Fetcher`].
//!
//! The sole owner of HTTP. It knows no store and no plan; what is secret is in no text that it
//! gives back. The README.md of this crate has the addresses and the rules.

mod address;
mod client;
mod credentials;
mod download;
mod ecosystem;
mod fetcher;
mod git;
mod options;
mod problem;
mod transfer;
mod web;

pub use address::{Address, AddressError, GitAddress, WebAddress, without_userinfo};
pub use credentials::Secret;
pub use download::{Downloaded, Progress};
pub use ecosystem::{Candidate, ResolveError};
pub use fetcher::{Fetcher, NowhereError, ObtainError, Obtained, Request};
pub use git::{GitEntry, GitError};
pub use options::{ClientEnvironment, FetchOptions, Proxies, TransferLimits, Trust};
pub use problem::{Attempt, Problem};
