//! Crates, from the registry that the user's cargo has in the place of its own.
//!
//! Which one that is stands in no interface of cargo's; so cargo is asked about one crate, with a
//! home of its own in which it then keeps what the registry says of itself.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stxl_model::NameAndVersion;

use crate::address::WebAddress;
use crate::client::{self, ClientError, Inquiry, Reach, Surroundings};

/// Where a registry has the files of crates: a beginning, or a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Downloads(String);

/// Has cargo look at a crate, for what it then knows; the crate itself comes with it.
pub(crate) fn look_at(surroundings: Surroundings<'_>, crate_spec: &str) -> Result<(), ClientError> {
    let home = home_of(surroundings);
    let users_home = users_home(surroundings);
    let mut arguments: Vec<OsString> = Vec::new();
    let not_started = |error: std::io::Error| ClientError::NotStarted {
        program: "cargo".to_owned(),
        reason: error.to_string(),
    };
    fs::create_dir_all(&home).map_err(not_started)?;
    if let Some(users) = users_home {
        let mut configurations = ["config.toml", "config"].into_iter();
        if let Some(file) = configurations.find(|file| users.join(file).is_file()) {
            arguments.extend(["--config".into(), users.join(file).into()]);
        }
        // Cargo reads passwords in its home only.
        let passwords = "credentials.toml";
        if users.join(passwords).is_file() && home.join(passwords).symlink_metadata().is_err() {
            symlink(users.join(passwords), home.join(passwords)).map_err(not_started)?;
        }
    }
    arguments.extend(["info".into(), "--color".into(), "never".into()]);
    arguments.push(crate_spec.into());
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    let inquiry = Inquiry {
        program: "cargo",
        arguments: &arguments,
        variables: &[
            ("CARGO_HOME", home.as_os_str()),
            ("RUSTUP_AUTO_INSTALL", OsStr::new("0")),
        ],
        reach: Reach::Network,
    };
    client::ask(surroundings, &inquiry).map(drop)
}

fn home_of(surroundings: Surroundings<'_>) -> PathBuf {
    surroundings.folder.join("cargo")
}

fn users_home(surroundings: Surroundings<'_>) -> Option<PathBuf> {
    let variable = |name| surroundings.environment.variable(name).map(PathBuf::from);
    variable("CARGO_HOME").or_else(|| Some(variable("HOME")?.join(".cargo")))
}

/// What the registry says about where its files are, if cargo has asked it.
pub(crate) fn downloads(surroundings: Surroundings<'_>) -> Option<Downloads> {
    let text = folders(&home_of(surroundings).join("registry/index"))
        .into_iter()
        .find_map(|folder| fs::read_to_string(folder.join("config.json")).ok())?;
    let value: Value = serde_json::from_str(&text).ok()?;
    Some(Downloads(value.get("dl")?.as_str()?.to_owned()))
}

/// The file of a crate, if cargo has fetched it.
pub(crate) fn fetched(surroundings: Surroundings<'_>, it: &NameAndVersion) -> Option<PathBuf> {
    let name = format!("{}-{}.crate", it.name, it.version);
    let folders = folders(&home_of(surroundings).join("registry/cache"));
    let mut files = folders.into_iter().map(|folder| folder.join(&name));
    files.find(|file| file.is_file())
}

/// The versions of a crate that were not called back, if cargo has asked for it.
pub(crate) fn versions(surroundings: Surroundings<'_>, name: &str) -> Vec<String> {
    let below = format!(".cache/{}", index_path(name));
    let folders = folders(&home_of(surroundings).join("registry/index"));
    let mut files = folders.into_iter().map(|folder| folder.join(&below));
    let bytes = files.find_map(|file| fs::read(file).ok());
    let mut versions: Vec<String> = Vec::new();
    // Between zeros stand a version and what the registry says about it, in turn.
    for part in bytes.unwrap_or_default().split(|byte| *byte == 0) {
        let Ok(value) = serde_json::from_slice::<Value>(part) else {
            continue;
        };
        let is_called_back = value.get("yanked").and_then(Value::as_bool);
        if let Some(version) = value.get("vers").and_then(Value::as_str)
            && is_called_back == Some(false)
        {
            versions.push(version.to_owned());
        }
    }
    versions
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// Where an index has a crate.
fn index_path(name: &str) -> String {
    format!(
        "{}/{}",
        prefix(&name.to_ascii_lowercase()),
        name.to_ascii_lowercase()
    )
}

fn prefix(name: &str) -> String {
    let part = |from: usize, to: usize| name.get(from..to).unwrap_or_default().to_owned();
    match name.len() {
        1 => "1".to_owned(),
        2 => "2".to_owned(),
        3 => format!("3/{}", part(0, 1)),
        _ => format!("{}/{}", part(0, 2), part(2, 4)),
    }
}

impl Downloads {
    /// The place of a crate's file.
    pub(crate) fn place(&self, it: &NameAndVersion) -> Option<WebAddress> {
        let Self(pattern) = self;
        // A pattern with the hash of the file in it is of no use to whoever does not know it.
        if pattern.contains("{sha256-checksum}") {
            return None;
        }
        let text = if pattern.contains('{') {
            pattern
                .replace("{crate}", &it.name)
                .replace("{version}", &it.version)
                .replace("{prefix}", &prefix(&it.name))
                .replace("{lowerprefix}", &prefix(&it.name.to_ascii_lowercase()))
        } else {
            format!(
                "{}/{}/{}/download",
                pattern.trim_end_matches('/'),
                it.name,
                it.version
            )
        };
        WebAddress::parse(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Downloads, NameAndVersion, index_path};

    #[test]
    fn files_are_where_a_registry_says() {
        let it = NameAndVersion {
            name: "Some_crate".to_owned(),
            version: "1.0.0+x".to_owned(),
        };
        let place = |pattern: &str| {
            let place = Downloads(pattern.to_owned()).place(&it);
            place.map(|place| place.to_string())
        };
        assert_eq!(
            place("https://a.example/dl").as_deref(),
            Some("https://a.example/dl/Some_crate/1.0.0+x/download")
        );
        assert_eq!(
            place("https://a.example/{lowerprefix}/{crate}-{version}.crate").as_deref(),
            Some("https://a.example/so/me/Some_crate-1.0.0+x.crate")
        );
        assert_eq!(place("https://a.example/{sha256-checksum}"), None);
        let paths = ["a", "ab", "abc", "abcd", "Serde"].map(index_path);
        assert_eq!(
            paths,
            ["1/a", "2/ab", "3/a/abc", "ab/cd/abcd", "se/rd/serde"]
        );
    }
}
