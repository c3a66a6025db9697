//! What a fetcher may do and how it reaches the network. Nothing is read from the environment here:
//! the command line passes it in.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::credentials::Secret;

/// Choices of a fetcher; the defaults reach the network without proxy and without passwords.
#[derive(Clone, Debug, Default)]
pub struct FetchOptions {
    /// Whom to believe that a server is who it says.
    pub trust: Trust,
    /// Through whom the network is reached.
    pub proxies: Proxies,
    /// The user's file of passwords for hosts.
    pub netrc: Option<PathBuf>,
    /// What the clients of ecosystems see.
    pub clients: ClientEnvironment,
    /// Times and sizes.
    pub limits: TransferLimits,
}

/// Certificates of those who vouch for servers. Without a choice, those of the machine.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A file of certificates, in place of the machine's.
    pub file: Option<PathBuf>,
    /// A directory of certificates, in place of the machine's.
    pub directory: Option<PathBuf>,
}

/// Proxies, by what is reached through them. They are asked to connect, also for `http:`.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For `http:` addresses.
    pub http: Option<Secret>,
    /// For `https:` addresses.
    pub https: Option<Secret>,
    /// Hosts that are reached without one, as `NO_PROXY` lists them.
    pub none_for: Vec<String>,
}

/// What the clients of ecosystems see: where programs are, and how the user configured them.
#[derive(Clone, Debug, Default)]
pub struct ClientEnvironment {
    /// Directories that are searched for programs; relative ones are not.
    pub path: Vec<PathBuf>,
    /// Variables that are passed on, see [`ClientEnvironment::is_wanted`].
    pub variables: Vec<(OsString, OsString)>,
}

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct TransferLimits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer begins.
    pub answer: Duration,
    /// Without a byte, or with only a few.
    pub stall: Duration,
    /// How often one place is tried.
    pub attempts: u32,
    /// Before the second attempt; twice as long before each further one.
    pub back_off: Duration,
    /// The longest that a server can make us wait before the next attempt.
    pub back_off_max: Duration,
    /// The largest file.
    pub file_bytes_max: u64,
    /// How long a client of an ecosystem may take.
    pub client: Duration,
    /// How long a repository may take.
    pub repository: Duration,
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            answer: Duration::from_mins(1),
            stall: Duration::from_secs(30),
            attempts: 4,
            back_off: Duration::from_millis(500),
            back_off_max: Duration::from_secs(20),
            file_bytes_max: 8 << 30,
            client: Duration::from_secs(30),
            repository: Duration::from_hours(1),
        }
    }
}

/// Variables that clients of ecosystems and what starts them read their configuration from.
const WANTED: [&str; 11] = [
    "APT_CONFIG",
    "HOME",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Beginnings of such variables.
const WANTED_BEGINNINGS: [&str; 6] = [
    "CARGO_",
    "NPM_CONFIG_",
    "PIP_",
    "PYENV_",
    "RUSTUP_",
    "npm_config_",
];

impl ClientEnvironment {
    /// Whether a variable is of those that clients are configured by.
    pub fn is_wanted(name: &OsStr) -> bool {
        let name = name.as_bytes();
        let begins = |beginning: &str| name.starts_with(beginning.as_bytes());
        WANTED.iter().any(|wanted| wanted.as_bytes() == name)
            || WANTED_BEGINNINGS.into_iter().any(begins)
            || matches!(name, b"HTTP_PROXY" | b"HTTPS_PROXY" | b"ALL_PROXY")
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_os_str())
    }
}
