//! Refuses what ties the text to one machine: its paths, and the hosts of package registries.

use std::path::Path;

use super::finding::Finding;
use super::tracked::TrackedFile;

/// Parts of the names of hosts that a registry's own client knows; definitions and code name the
/// registry instead. Only parts, so that this list names no host either.
const REGISTRY_NAMES: [&str; 10] = [
    "artifactory",
    "crates",
    "debian",
    "docker",
    "golang",
    "npmjs",
    "pypi",
    "pythonhosted",
    "rubygems",
    "yarnpkg",
];

/// Beginnings of paths below which people and machines keep their checkouts.
const PRIVATE_FOLDERS: [&str; 2] = ["/home/", "/Users/"];

/// Checks every text file except the lock file, which cargo writes.
pub(crate) fn check(files: &[TrackedFile], root: &Path) -> Vec<Finding> {
    let root = root.to_string_lossy();
    let mut findings = Vec::new();
    for file in files {
        if file.path == "Cargo.lock" {
            continue;
        }
        for (index, line) in file.text.as_deref().unwrap_or("").lines().enumerate() {
            if let Some(host) = registry_host(line) {
                let message = format!("`{host}` is a registry's host; name the registry instead");
                findings.push(Finding::error(&file.path, index + 1, message));
            }
            if line.contains(&*root) || has_private_path(line) {
                let message = "a path of one machine; use one relative to the workspace";
                findings.push(Finding::error(&file.path, index + 1, message));
            }
        }
    }
    findings
}

/// Returns the first host of a URL in the line whose name has a part that belongs to a registry.
fn registry_host(line: &str) -> Option<&str> {
    line.match_indices("://").find_map(|(start, mark)| {
        let rest = &line[start + mark.len()..];
        let host = rest
            .split(|end: char| !(end.is_ascii_alphanumeric() || ".-".contains(end)))
            .next()
            .unwrap_or("");
        let is_registry = host.split('.').any(|part| REGISTRY_NAMES.contains(&part));
        is_registry.then_some(host)
    })
}

/// Returns whether the line names a file in a person's folder.
///
/// The folder alone is ordinary in a sandbox and in tests.
fn has_private_path(line: &str) -> bool {
    PRIVATE_FOLDERS.iter().any(|folder| {
        line.match_indices(folder).any(|(start, _)| {
            let is_inside = line[..start].ends_with(|before: char| {
                before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '}' | ')')
            });
            let names: Vec<&str> = line[start + folder.len()..]
                .split(|end: char| !(end.is_alphanumeric() || "/._-+".contains(end)))
                .next()
                .unwrap_or("")
                .split('/')
                .collect();
            !is_inside && names.len() >= 2 && names[0].len() > 1 && !names[1].is_empty()
        })
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check;
    use crate::tidy::finding::lines_of;
    use crate::tidy::tracked::TrackedFile;

    const NONE: [usize; 0] = [];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let file = TrackedFile::plain(path, text);
        lines_of(check(&[file], Path::new("/checkout/here")))
    }

    #[test]
    fn traces_of_a_machine_are_found() {
        // Put together here, so that this file passes its own check.
        let private = ["", "home", "ann", "stxl"].join("/");
        let text = format!("\"/checkout/here/a\"\n\"{private}\"\n");
        assert_eq!(lines("a.rs", &text), [1, 2]);
        let ordinary = "\"/tmp/x/y\"\n\"/home/user\"\nout/home/ann/y\n";
        assert_eq!(lines("a.rs", ordinary), NONE);
    }

    #[test]
    fn hosts_of_registries_are_found() {
        // Put together here, so that this file passes its own check.
        let host = |name: &str| format!("url(\"https://{name}.example.org/x\")\n");
        assert_eq!(lines("a.rhai", &host("files.pythonhosted")), [1]);
        assert_eq!(lines("a.rs", &host("index.crates")), [1]);
        assert_eq!(lines("a.rhai", &host("www.zlib")), NONE);
        assert_eq!(lines("Cargo.lock", &host("index.crates")), NONE);
    }
}
