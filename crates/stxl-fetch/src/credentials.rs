//! Names and passwords: from an address or from the user's netrc, and for whom they are meant.
//!
//! Nothing here can be printed.

use std::fmt;
use std::fs;
use std::path::Path;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

/// The entries of a netrc file, by host.
#[derive(Default)]
pub(crate) struct Netrc(Vec<(String, Credentials)>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whom it is meant.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Credentials {
    /// What stands before the `@` of an address.
    pub(crate) fn of_userinfo(url: &Url) -> Result<Option<Self>, &'static str> {
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| "its user or password is not text")
        };
        if url.username().is_empty() && url.password().is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            user: decode(url.username())?,
            password: decode(url.password().unwrap_or_default())?,
        }))
    }

    /// The value of a header that tells them.
    pub(crate) fn basic(&self) -> String {
        let text = format!("{}:{}", self.user, self.password);
        let encoded = data_encoding::BASE64.encode(text.as_bytes());
        format!("Basic {encoded}")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Netrc {
    /// Reads a file; one that is not there or cannot be read has no entries.
    pub(crate) fn read(path: &Path) -> Self {
        fs::read_to_string(path).map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    /// Entries that name a machine, a login and a password. `default` would send a password to
    /// hosts that nobody named, so it does not count.
    fn parse(text: &str) -> Self {
        let mut entries = Vec::new();
        let mut current: Option<(String, Option<String>)> = None;
        let mut words = words_of(text).into_iter();
        while let Some(word) = words.next() {
            match word {
                "machine" => current = words.next().map(|host| (host.to_owned(), None)),
                "default" => current = None,
                "login" => {
                    let login = words.next();
                    if let Some((_, user)) = &mut current {
                        *user = login.map(str::to_owned);
                    }
                }
                "password" => {
                    let password = words.next();
                    if let (Some((host, Some(user))), Some(password)) = (&current, password) {
                        let credentials = Credentials {
                            user: user.clone(),
                            password: password.to_owned(),
                        };
                        entries.push((host.to_ascii_lowercase(), credentials));
                    }
                }
                "account" => drop(words.next()),
                _ => {}
            }
        }
        Self(entries)
    }

    /// What the user keeps for the host of an address. A password does not go over a network in
    /// the clear because a definition says `http://`.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&Credentials> {
        if url.scheme() != "https" && !is_this_machine(url) {
            return None;
        }
        let host = url.host_str()?;
        let entry = self.0.iter().find(|(machine, _)| machine == host);
        entry.map(|(_, credentials)| credentials)
    }
}

/// The words of a netrc file without comments and macros, which end with an empty line.
fn words_of(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut is_macro = false;
    for line in text.lines() {
        is_macro &= !line.trim().is_empty();
        if line.trim_start().starts_with('#') {
            continue;
        }
        for word in line.split_whitespace() {
            if word == "macdef" {
                is_macro = true;
            }
            if is_macro {
                break;
            }
            words.push(word);
        }
    }
    words
}

/// Whether an address leads to the machine itself.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Netrc;

    #[test]
    fn a_netrc_gives_a_password_to_the_host_it_names() {
        let text = "# machine no login no password no\nmachine a.example login u password p\n\
                    macdef x\nmachine b.example login u password p\n\n\
                    machine C.example\n  login v\n  account z\n  password q\ndefault login d password d";
        let netrc = Netrc::parse(text);
        let has = |url: &str| {
            let url = url::Url::parse(url).expect("an address");
            netrc.for_url(&url).map(super::Credentials::basic)
        };
        assert_eq!(has("https://a.example/x").as_deref(), Some("Basic dTpw"));
        assert_eq!(has("https://c.example/x").as_deref(), Some("Basic djpx"));
        for other in [
            "http://a.example/x",
            "https://b.example/",
            "https://sub.a.example/",
            "https://no/",
            "https://z.example/",
        ] {
            assert_eq!(has(other), None, "{other}");
        }
    }
}
