//! Refuses source files that have outgrown one idea.

use super::finding::Finding;
use super::tracked::TrackedFile;

/// Lines from which a file asks for a reason in review.
const LINES_TO_WARN: usize = 500;
/// Lines above which a file is refused.
const LINES_MAX: usize = 800;

/// Checks Rust sources and the language's own files.
pub(crate) fn check(files: &[TrackedFile]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| matches!(file.extension(), "rs" | "rhai") && !file.is_test())
        .filter_map(|file| check_one(&file.path, body_lines(file.text.as_deref()?)))
        .collect()
}

/// Returns a line of figures over all sources, which helps to see where the code is heading.
pub(crate) fn summary(files: &[TrackedFile]) -> String {
    let mut lengths: Vec<(usize, &str)> = files
        .iter()
        .filter(|file| !file.is_test())
        .filter_map(|file| Some((body_lines(file.rust_source()?), file.path.as_str())))
        .collect();
    lengths.sort_unstable();
    let at = |per_cent: usize| {
        lengths
            .get(lengths.len() * per_cent / 100)
            .map_or(0, |entry| entry.0)
    };
    let longest: Vec<String> = lengths
        .iter()
        .rev()
        .take(5)
        .map(|(lines, path)| format!("{path} {lines}"))
        .collect();
    format!(
        "{} source files, lines without tests: median {}, p95 {}; longest: {}",
        lengths.len(),
        at(50),
        at(95),
        longest.join(", ")
    )
}

fn check_one(path: &str, lines: usize) -> Option<Finding> {
    if lines > LINES_MAX {
        let message = format!("{lines} lines are more than {LINES_MAX}; split the file by idea");
        return Some(Finding::error(path, 1, message));
    }
    (lines >= LINES_TO_WARN).then(|| {
        Finding::warning(
            path,
            1,
            format!("{lines} lines; say why in review, or split"),
        )
    })
}

/// Returns the number of lines before the file's own tests.
fn body_lines(text: &str) -> usize {
    let tests = text.lines().position(|line| line == "#[cfg(test)]");
    tests.unwrap_or_else(|| text.lines().count())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::finding::Weight;
    use crate::tidy::tracked::TrackedFile;

    const NONE: [Weight; 0] = [];

    fn weights(path: &str, text: &str) -> Vec<Weight> {
        check(&[TrackedFile::plain(path, text)])
            .into_iter()
            .map(|finding| finding.weight)
            .collect()
    }

    #[test]
    fn long_files_warn_and_longer_ones_fail() {
        assert_eq!(weights("lang/src/a.rs", &"x\n".repeat(499)), NONE);
        assert_eq!(
            weights("lang/src/a.rs", &"x\n".repeat(500)),
            [Weight::Warning]
        );
        assert_eq!(
            weights("lang/src/a.rs", &"x\n".repeat(800)),
            [Weight::Warning]
        );
        assert_eq!(
            weights("lang/src/a.rs", &"x\n".repeat(801)),
            [Weight::Error]
        );
    }

    #[test]
    fn tests_do_not_count() {
        let own_tests = format!("x\n#[cfg(test)]\n{}", "x\n".repeat(900));
        assert_eq!(weights("lang/src/a.rs", &own_tests), NONE);
        assert_eq!(weights("tests/tests/a.rs", &"x\n".repeat(900)), NONE);
    }
}
