//! Refuses what ties the text to one machine: its paths, and the hosts of package registries.

use std::path::Path;

use super::finding::Finding;
use super::tracked::TrackedFile;

/// Hosts that a registry's own client knows; definitions and code name the registry instead.
const REGISTRY_HOSTS: [&str; 16] = [
    "//crates.io",
    "//index.crates.io",
    "//static.crates.io",
    "//pypi.org",
    "//files.pythonhosted.org",
    "//registry.npmjs.org",
    "//registry.yarnpkg.com",
    "//rubygems.org",
    "//proxy.golang.org",
    "//sum.golang.org",
    "//deb.debian.org",
    "//ftp.debian.org",
    "//snapshot.debian.org",
    "//security.debian.org",
    "//registry-1.docker.io",
    "/artifactory/",
];

/// Beginnings of paths below which people and machines keep their checkouts.
const PRIVATE_FOLDERS: [&str; 2] = ["/home/", "/Users/"];

/// Checks every text file except the lock file, which cargo writes, and this list.
pub(crate) fn check(files: &[TrackedFile], root: &Path) -> Vec<Finding> {
    let root = root.to_string_lossy();
    let mut findings = Vec::new();
    for file in files {
        if file.path == "Cargo.lock" || file.path.ends_with("tidy/host_traces.rs") {
            continue;
        }
        for (index, line) in file.text.as_deref().unwrap_or("").lines().enumerate() {
            if let Some(host) = REGISTRY_HOSTS.iter().find(|host| line.contains(**host)) {
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
        assert_eq!(
            lines("a.rs", "\"/checkout/here/a\"\n\"/home/ann/stxl\"\n"),
            [1, 2]
        );
        let ordinary = "\"/tmp/x/y\"\n\"/home/user\"\nout/home/ann/y\n";
        assert_eq!(lines("a.rs", ordinary), NONE);
    }

    #[test]
    fn hosts_of_registries_are_found() {
        assert_eq!(lines("a.rhai", "url(\"https://pypi.org/x\")\n"), [1]);
        assert_eq!(lines("a.rhai", "url(\"https://www.zlib.net/x\")\n"), NONE);
        assert_eq!(lines("Cargo.lock", "https://index.crates.io/\n"), NONE);
    }
}
