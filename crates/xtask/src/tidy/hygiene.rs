//! Refuses text that looks different from what it is: blanks, tabs, control characters, width.

use super::finding::Finding;
use super::rust_text::RustText;
use super::tracked::TrackedFile;

/// Characters of a Rust line outside its literals and addresses.
const COLUMNS_MAX: usize = 100;

/// Checks every text file that is not the data of a test.
pub(crate) fn check(files: &[TrackedFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.is_case_data()) {
        check_executable(file, &mut findings);
        // A patch is a quotation.
        if let Some(text) = &file.text
            && file.extension() != "patch"
        {
            check_lines(file, text, &mut findings);
        }
        if let Some(source) = file.rust_source() {
            check_width(&file.path, source, &mut findings);
        }
    }
    findings
}

fn check_executable(file: &TrackedFile, findings: &mut Vec<Finding>) {
    let is_script = file
        .text
        .as_deref()
        .is_some_and(|text| text.starts_with("#!/"));
    if is_script != file.is_executable {
        let message = if is_script {
            "starts with `#!` and is not executable"
        } else {
            "is executable and does not start with `#!`"
        };
        findings.push(Finding::error(&file.path, 1, message));
    }
}

fn check_lines(file: &TrackedFile, text: &str, findings: &mut Vec<Finding>) {
    let takes_tabs = file.extension() == "mk" || file.path.ends_with("Makefile");
    for (index, line) in text.split('\n').enumerate() {
        let mut complain = |message: &str| {
            findings.push(Finding::error(&file.path, index + 1, message));
        };
        if line.ends_with([' ', '\t']) {
            complain("trailing blanks");
        }
        if line.contains('\t') && !takes_tabs {
            complain("a tab; indent with blanks");
        }
        if line
            .chars()
            .any(|character| character.is_control() && character != '\t')
        {
            complain("a control character; write it as an escape");
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(Finding::error(
            &file.path,
            text.lines().count(),
            "the last line has no end",
        ));
    }
    if text.ends_with("\n\n") {
        findings.push(Finding::error(
            &file.path,
            text.lines().count(),
            "ends with an empty line",
        ));
    }
}

fn check_width(path: &str, source: &str, findings: &mut Vec<Finding>) {
    let widths = RustText::new(source).widths();
    for (index, (line, width)) in source.lines().zip(widths).enumerate() {
        // Rows of a table in documentation cannot be broken.
        let is_table = line
            .trim_start()
            .trim_start_matches(['/', '!'])
            .trim_start()
            .starts_with('|');
        if width > COLUMNS_MAX && !line.contains("://") && !is_table {
            let message = format!("{width} columns are more than {COLUMNS_MAX}");
            findings.push(Finding::error(path, index + 1, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::finding::lines_of;
    use crate::tidy::tracked::TrackedFile;

    const NONE: [usize; 0] = [];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        lines_of(check(&[TrackedFile::plain(path, text)]))
    }

    #[test]
    fn unclean_lines_are_found() {
        assert_eq!(lines("a.md", "a \nb\t\n\u{1}\nd\r\n"), [1, 2, 2, 3, 4]);
        assert_eq!(lines("a.md", "a"), [1]);
        assert_eq!(lines("a.md", "a\n\n"), [2]);
        assert_eq!(lines("a.md", "a\n"), NONE);
        assert_eq!(lines("tests/cases/a/tab.rhai", "\t \n"), NONE);
    }

    #[test]
    fn width_counts_outside_literals_and_addresses() {
        let long = "x".repeat(101);
        assert_eq!(lines("a.rs", &format!("// {long}\n")), [1]);
        assert_eq!(lines("a.rs", &format!("let a = \"{long}\";\n")), NONE);
        assert_eq!(lines("a.rs", &format!("// https://{long}\n")), NONE);
        assert_eq!(lines("a.rs", &format!("//! | {long} |\n")), NONE);
        assert_eq!(lines("a.md", &format!("{long}\n")), NONE);
    }

    #[test]
    fn executable_bits_agree_with_the_first_line() {
        let mut file = TrackedFile::plain("run", "#!/bin/sh\n");
        assert_eq!(check(std::slice::from_ref(&file)).len(), 1);
        file.is_executable = true;
        assert_eq!(check(std::slice::from_ref(&file)).len(), 0);
        file.text = Some("x\n".to_owned());
        assert_eq!(check(&[file]).len(), 1);
    }
}
