//! Addresses of sources, taken apart strictly: what cannot be read is refused before anything is
//! asked of anybody.

use std::fmt;
use std::path::PathBuf;

use stxl_model::PackageAddress;
use url::Url;

use crate::credentials::Credentials;

/// Where a source can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A file on a server.
    Web(WebAddress),
    /// A file of this machine.
    File(PathBuf),
    /// A file of an ecosystem, by name and version.
    Package(PackageAddress),
    /// The files of a commit.
    Git(GitAddress),
}

/// A commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitAddress {
    /// Where the repository is.
    pub(crate) repository: Repository,
    // Invariant: 40 hexadecimal digits in lower case.
    pub(crate) commit: String,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repository {
    /// On a server.
    Web(WebAddress),
    /// On this machine.
    Folder(PathBuf),
}

/// An `http:` or `https:` address.
#[derive(Clone, PartialEq, Eq)]
pub struct WebAddress {
    // Invariant: the scheme is http or https, there is a host, and neither userinfo nor fragment.
    url: Url,
    credentials: Option<Credentials>,
}

/// Why a text is no address. It is shown without a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{address}`: {reason}")]
pub struct AddressError {
    /// The text.
    pub address: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Address {
    /// Takes a text apart.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError {
            address: without_userinfo(text),
            reason,
        };
        if text.starts_with("pkg:") {
            return PackageAddress::parse(text)
                .map(Self::Package)
                .map_err(wrong);
        }
        if let Some(text) = text.strip_prefix("git+") {
            return GitAddress::parse(text).map(Self::Git).map_err(wrong);
        }
        if text.starts_with("file:") {
            return file_path(text).map(Self::File).map_err(wrong);
        }
        WebAddress::parse(text).map(Self::Web).map_err(wrong)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(address) => address.fmt(f),
            Self::File(path) => write!(f, "file://{}", path.display()),
            Self::Package(address) => address.fmt(f),
            Self::Git(address) => address.fmt(f),
        }
    }
}

impl GitAddress {
    /// Takes apart what follows `git+`: an address, `#` and a commit.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (repository, commit) = text
            .rsplit_once('#')
            .ok_or("a commit stands behind `#` in the address of a repository")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if commit.len() != 40 || !commit.bytes().all(is_digit) {
            return Err("a commit is 40 hexadecimal digits in lower case");
        }
        let repository = if repository.starts_with("file:") {
            Repository::Folder(file_path(repository)?)
        } else {
            Repository::Web(WebAddress::parse(repository)?)
        };
        Ok(Self {
            repository,
            commit: commit.to_owned(),
        })
    }
}

impl fmt::Display for GitAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, commit } = self;
        match repository {
            Repository::Web(address) => write!(f, "git+{address}#{commit}"),
            Repository::Folder(path) => write!(f, "git+file://{}#{commit}", path.display()),
        }
    }
}

impl WebAddress {
    /// Takes an `http:` or `https:` address apart.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or("an address begins with `https://`, `http://`, `file:///` or `pkg:`")?;
        if text
            .bytes()
            .any(|byte| !byte.is_ascii_graphic() || byte == b'\\')
        {
            return Err("blanks, backslashes and letters outside of ASCII are escaped with `%`");
        }
        if rest.starts_with('/') {
            return Err("it names no host");
        }
        let url = Url::parse(text).map_err(|_| "it is not an address")?;
        Self::of_url(url)
    }

    /// Makes an address of a parsed one: what is a secret in it is set apart.
    pub(crate) fn of_url(mut url: Url) -> Result<Self, &'static str> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err("it leads to something other than `https://` and `http://`");
        }
        let host = url.host_str().ok_or("it names no host")?;
        if host.starts_with('-') || url.username().starts_with('-') {
            return Err("a host or user that begins with `-` is refused");
        }
        let credentials = Credentials::of_userinfo(&url)?;
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| "it names no host")?;
        url.set_fragment(None);
        Ok(Self { url, credentials })
    }

    /// The address, without what is secret.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Who asks, if the address says so.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The same credentials for something below.
    pub(crate) fn join(&self, below: &str) -> Option<Self> {
        let url = self.url.join(below).ok()?;
        let is_same_host = url.origin() == self.url.origin();
        Some(Self {
            credentials: self.credentials.clone().filter(|_| is_same_host),
            ..Self::of_url(url).ok()?
        })
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn file_path(text: &str) -> Result<PathBuf, &'static str> {
    let local = text
        .strip_prefix("file://localhost")
        .or_else(|| text.strip_prefix("file://"));
    match local.or_else(|| text.strip_prefix("file:")) {
        Some(path) if path.starts_with('/') && !path.contains('%') => Ok(PathBuf::from(path)),
        _ => Err("a `file:` address is an absolute path without escapes"),
    }
}

/// A text with every `user:password@` behind a `://` left out, whatever else it is.
pub fn without_userinfo(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        clean.push_str(before);
        clean.push_str("://");
        let authority = after
            .find(|end: char| "/?#\"'<>".contains(end) || end.is_whitespace())
            .unwrap_or(after.len());
        let secret = after[..authority].rfind('@').map_or(0, |at| at + 1);
        rest = &after[secret..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::{Address, without_userinfo};

    #[test]
    fn userinfo_is_left_out_of_any_text() {
        let cases = [
            ("https://u:p@h/x", "https://h/x"),
            ("https://u:p@q@h/x", "https://h/x"),
            (
                "see http://u@h and https://a:b@c?d@e",
                "see http://h and https://c?d@e",
            ),
            ("https://h/a@b", "https://h/a@b"),
            ("nothing", "nothing"),
        ];
        for (text, clean) in cases {
            assert_eq!(without_userinfo(text), clean);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_its_password() {
        let cases = [
            "ftp://u:canary@h/x",
            "https://",
            "https:///x",
            "https://u:canary@-h/x",
            "https://-u:canary@h/x",
            "https://u:canary@h/a b",
            "https://u:canary@h\\x",
            "https://u:canary@[::1/x",
            "file:x",
            "file:///a%20b",
            "ssh://-oProxyCommand=canary/x",
        ];
        for text in cases {
            let error = Address::parse(text).expect_err(text).to_string();
            let is_secret = text.contains("u:canary");
            assert!(!is_secret || !error.contains("canary"), "{error}");
        }
        let address = Address::parse("https://u:canary@h/x#y").expect("an address");
        assert_eq!(address.to_string(), "https://h/x");
        assert!(!format!("{address:?}").contains("canary"));
    }
}
