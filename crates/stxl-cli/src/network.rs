//! How the network is reached, as the user's environment says it.

use std::ffi::OsString;
use std::path::PathBuf;

use stxl_fetch::{ClientEnvironment, FetchOptions, Proxies, Secret, Trust};

/// What the environment says about certificates, proxies, passwords and clients of ecosystems.
pub(crate) fn options() -> FetchOptions {
    let for_all = || secret(["ALL_PROXY", "all_proxy"]);
    FetchOptions {
        trust: Trust {
            file: set("SSL_CERT_FILE").map(PathBuf::from),
            directory: set("SSL_CERT_DIR").map(PathBuf::from),
        },
        proxies: Proxies {
            http: secret(["http_proxy", "HTTP_PROXY"]).or_else(for_all),
            https: secret(["https_proxy", "HTTPS_PROXY"]).or_else(for_all),
            none_for: hosts(["no_proxy", "NO_PROXY"]),
        },
        netrc: netrc(),
        clients: ClientEnvironment {
            path: set("PATH").map_or_else(Vec::new, |path| std::env::split_paths(&path).collect()),
            variables: std::env::vars_os()
                .filter(|(name, _)| ClientEnvironment::is_wanted(name))
                .collect(),
        },
        ..FetchOptions::default()
    }
}

fn netrc() -> Option<PathBuf> {
    let chosen = set("NETRC").map(PathBuf::from);
    chosen.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".netrc")))
}

fn secret(names: [&str; 2]) -> Option<Secret> {
    let value = names.into_iter().find_map(set)?;
    value.into_string().ok().map(Secret::new)
}

fn hosts(names: [&str; 2]) -> Vec<String> {
    let value = names.into_iter().find_map(set).unwrap_or_default();
    let value = value.to_string_lossy();
    let hosts = value.split(',').map(str::trim);
    hosts
        .filter(|host| !host.is_empty())
        .map(str::to_owned)
        .collect()
}

fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
