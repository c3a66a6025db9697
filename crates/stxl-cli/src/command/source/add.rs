//! `stxl source add`: a file is had, and the line for a definition printed.

use serde::Serialize;
use stxl_fetch::without_userinfo;
use stxl_model::{FetchLock, PackageAddress, names_user};

use super::{Sources, workspace_or_here};
use crate::arguments::{AddSourceArguments, Arguments};
use crate::failure::{Exit, Failure};
use crate::terminal::{Terminal, print_data, print_record};

#[derive(Serialize)]
struct AddRecord {
    version: u32,
    event: &'static str,
    addresses: Vec<String>,
    sha256: Option<String>,
    tree: Option<String>,
    bytes: Option<u64>,
    line: String,
}

pub(crate) fn run(
    arguments: &Arguments,
    add: &AddSourceArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    if let Some(address) = add.addresses.iter().find(|it| names_user(it)) {
        let address = without_userinfo(address);
        let message = format!("`{address}`: an address in a definition names no user");
        return Err(Failure::usage(message)
            .hint("who asks belongs in your `.netrc`, where nobody else reads it"));
    }
    let sources = Sources::open(arguments, workspace_or_here(arguments)?)?;
    let addresses: Vec<String> = add
        .addresses
        .iter()
        .map(|address| with_version(&sources, address))
        .collect::<Result<_, _>>()?;
    let mut had = None;
    for address in &addresses {
        let this = sources.obtain(address)?;
        match &had {
            None => had = Some(this),
            Some(first) if first.lock == this.lock => {}
            Some(first) => {
                return Err(Failure {
                    exit: Exit::CheckFailed,
                    message: format!(
                        "`{address}` has {}, and `{}` has {}",
                        this.lock,
                        addresses.first().map_or("", String::as_str),
                        first.lock
                    ),
                    hint: Some("mirrors of one source have the same bytes".to_owned()),
                });
            }
        }
    }
    let Some(had) = had else {
        return Err(Failure::usage("no address is given"));
    };
    let line = line_of(&addresses, &had.lock);
    if add.json {
        return print_record(&AddRecord {
            version: 1,
            event: "source",
            addresses,
            sha256: had.lock.file().map(ToString::to_string),
            tree: match had.lock {
                FetchLock::File(_) => None,
                FetchLock::Tree(tree) => Some(tree.to_string()),
            },
            bytes: had.bytes,
            line,
        });
    }
    let size = had.bytes.map(|bytes| format!("{bytes} bytes; "));
    terminal.note(&format!("{}for a definition:", size.unwrap_or_default()));
    print_data(format!("{line}\n").as_bytes())
}

/// An address of an ecosystem without a version is that of the newest.
fn with_version(sources: &Sources, address: &str) -> Result<String, Failure> {
    let is_open = address.starts_with("pkg:") && !address.contains('@');
    if !is_open {
        return Ok(address.to_owned());
    }
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    let wrong = |reason: &str| Failure::usage(format!("`{address}`: {reason}"));
    let any = PackageAddress::parse(&format!("{path}@0{query}")).map_err(wrong)?;
    let newest = sources.fetcher.newest(&any);
    let newest = newest.map_err(|error| Failure::environment(error.to_string()))?;
    let newest = newest.ok_or_else(|| {
        Failure::environment(format!("nobody tells of a version of `{address}`"))
            .hint("write it out: `pkg:TYPE/NAME@VERSION`")
    })?;
    let newest = any.with_version(&newest).map_err(wrong)?;
    Ok(newest.to_string())
}

fn line_of(addresses: &[String], lock: &FetchLock) -> String {
    // Where a commit is had, each address is `git+ADDRESS#COMMIT`.
    let mut commit = None;
    let bare = |it: &String| match it.strip_prefix("git+").and_then(|it| it.rsplit_once('#')) {
        Some((address, of)) => {
            commit = Some(of.to_owned());
            address.to_owned()
        }
        None => it.clone(),
    };
    let addresses: Vec<String> = addresses.iter().map(bare).collect();
    let addresses: Vec<String> = addresses.iter().map(|it| format!("\"{it}\"")).collect();
    let addresses = match addresses.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    match commit {
        Some(commit) => {
            format!("source: git({addresses}, \"{commit}\",\n    \"{lock}\"),")
        }
        None => format!("source: url({addresses},\n    \"{lock}\"),"),
    }
}
