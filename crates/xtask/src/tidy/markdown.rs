//! Refuses documents with several titles or with links to nothing.

use std::path::{Component, Path, PathBuf};

use super::finding::Finding;
use super::tracked::TrackedFile;

/// Checks every Markdown file; `exists` answers for paths relative to the workspace.
pub(crate) fn check(files: &[TrackedFile], exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.extension() == "md" && !file.is_case_data())
    {
        let prose = without_code(file.text.as_deref().unwrap_or(""));
        check_title(&file.path, &prose, &mut findings);
        for (line, target) in links(&prose) {
            check_link(file, line, target, &exists, &mut findings);
        }
    }
    findings
}

fn check_title(path: &str, prose: &str, findings: &mut Vec<Finding>) {
    let titles: Vec<usize> = prose
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("# "))
        .map(|(index, _)| index + 1)
        .collect();
    match titles.as_slice() {
        [_] => {}
        [] => findings.push(Finding::error(path, 1, "no title: a first line with `# `")),
        [_, second, ..] => {
            findings.push(Finding::error(path, *second, "a second title: use `##`"));
        }
    }
}

fn check_link(
    file: &TrackedFile,
    line: usize,
    target: &str,
    exists: impl Fn(&Path) -> bool,
    findings: &mut Vec<Finding>,
) {
    let plain = target.split(['#', '?']).next().unwrap_or(target);
    if plain.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return;
    }
    let folder = Path::new(&file.path)
        .parent()
        .unwrap_or_else(|| Path::new(""));
    match resolve(folder, plain) {
        Some(path) if exists(&path) => {}
        _ => {
            let message = format!("the link `{target}` leads nowhere");
            findings.push(Finding::error(&file.path, line, message));
        }
    }
}

/// Returns the path relative to the workspace; nothing when it leaves the workspace.
fn resolve(folder: &Path, target: &str) -> Option<PathBuf> {
    let mut path = folder.to_path_buf();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Returns the text with fenced blocks and code spans emptied, line by line the same.
fn without_code(text: &str) -> String {
    let mut fence: Option<&str> = None;
    let mut prose = String::new();
    for line in text.lines() {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                let parts: Vec<&str> = line.split('`').step_by(2).collect();
                prose.push_str(&parts.join("`"));
            }
            (Some(_), _) => {}
        }
        prose.push('\n');
    }
    prose
}

/// Returns the targets of inline links and of link definitions, with their lines.
fn links(prose: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (index, line) in prose.lines().enumerate() {
        for (start, _) in line.match_indices("](") {
            let rest = &line[start + 2..];
            if let Some(end) = rest.find([')', ' ']) {
                links.push((index + 1, &rest[..end]));
            }
        }
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            links.push((index + 1, target.split(' ').next().unwrap_or(target)));
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check;
    use crate::tidy::finding::lines_of;
    use crate::tidy::tracked::TrackedFile;

    const NONE: [usize; 0] = [];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let there = |path: &Path| path == Path::new("README.md") || path == Path::new("lang");
        lines_of(check(&[TrackedFile::plain(path, text)], there))
    }

    #[test]
    fn one_title_is_wanted() {
        assert_eq!(lines("a.md", "# A\n## B\n```sh\n# comment\n```\n"), NONE);
        assert_eq!(lines("a.md", "# A\n\n# B\n"), [3]);
        assert_eq!(lines("a.md", "text\n"), [1]);
    }

    #[test]
    fn links_to_nothing_are_found() {
        assert_eq!(
            lines(
                "lang/a.md",
                "# A\n[r](../README.md#x) [l](../lang/) [u](https://b)\n"
            ),
            NONE
        );
        assert_eq!(
            lines("lang/a.md", "# A\n[r](README.md)\n[out](../../x)\n"),
            [2, 3]
        );
        assert_eq!(lines("a.md", "# A\n`[r](gone)` [s][t]\n\n[t]: gone\n"), [4]);
    }
}
