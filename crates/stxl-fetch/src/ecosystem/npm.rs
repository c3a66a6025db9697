//! npm: tarballs, from the registry that the user's npm is configured with.

use std::ffi::OsStr;

use serde_json::Value;

use super::{Document, Release, Told, untold};
use crate::address::WebAddress;
use crate::client::{self, ClientError, Inquiry, Reach, Surroundings, words};

/// The document that registries keep for installing, which is the smallest.
pub(super) const ACCEPT: &str =
    "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";

/// What npm is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Configuration(Value);

/// Asks npm for its configuration.
pub(crate) fn configuration(surroundings: Surroundings<'_>) -> Result<Configuration, ClientError> {
    let text = client::ask(
        surroundings,
        &Inquiry {
            program: "npm",
            arguments: &words(["config", "list", "-l", "--json"]),
            variables: &[
                ("npm_config_cache", surroundings.folder.as_os_str()),
                ("npm_config_logs_max", OsStr::new("0")),
                ("npm_config_update_notifier", OsStr::new("false")),
            ],
            reach: Reach::Machine,
        },
    )?;
    let unreadable = || ClientError::Unreadable {
        program: "npm".to_owned(),
    };
    // A notice may stand in front of it.
    let begin = text.find('{').ok_or_else(unreadable)?;
    let text = text.get(begin..).unwrap_or_default();
    let value = serde_json::from_str(text).map_err(|_| unreadable())?;
    Ok(Configuration(value))
}

impl Configuration {
    /// The place of the document about a package.
    pub(crate) fn document(&self, name: &str) -> Told<WebAddress> {
        let of_scope = name.split_once('/').and_then(|(scope, _)| {
            let key = format!("{scope}:registry");
            self.0.get(key)?.as_str()
        });
        let of_all = || self.0.get("registry").and_then(Value::as_str);
        let registry = of_scope
            .or_else(of_all)
            .ok_or_else(|| untold("npm", "it is configured with no registry"))?;
        let below = name.replace('/', "%2f");
        let text = format!("{}/{below}", registry.trim_end_matches('/'));
        WebAddress::parse(&text).map_err(|reason| untold("npm", reason))
    }
}

/// Reads what a registry says about a package.
pub(super) fn releases(document: &Document) -> Told<Vec<Release>> {
    let wrong = || untold("npm", "the registry's document about it cannot be read");
    let value: Value = serde_json::from_slice(&document.bytes).map_err(|_| wrong())?;
    let versions = value.get("versions").and_then(Value::as_object);
    let mut releases: Vec<Release> = Vec::new();
    for (version, about) in versions.ok_or_else(wrong)? {
        let tarball = about.pointer("/dist/tarball").and_then(Value::as_str);
        let Some(place) = tarball.and_then(|it| document.address.join(it)) else {
            continue;
        };
        releases.push(Release {
            version: version.clone(),
            place,
        });
    }
    Ok(releases)
}
