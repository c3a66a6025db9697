//! What is left out of a directory: patterns as git reads them.

use stxl_model::LeftOut;

/// Patterns in their order, and paths: what is left out, and what stays. Those of directories end
/// with `/`.
const CASES: &[(&[&str], &[&str], &[&str])] = &[
    (&[], &[], &["a", "a/b", "d/"]),
    (&["*.o"], &["x.o", "a/b/x.o", "d.o/"], &["x.obj", "o"]),
    (
        &["build"],
        &["build", "build/", "a/build/"],
        &["builds", "a/rebuild"],
    ),
    (&["build/"], &["build/", "a/build/"], &["build", "a/build"]),
    (&["/build"], &["build/", "build"], &["a/build"]),
    (&["sub/x"], &["sub/x"], &["x", "a/sub/x"]),
    (&["sub/*.o"], &["sub/x.o"], &["sub/a/x.o", "x.o"]),
    (&["sub/**"], &["sub/x", "sub/a/x"], &["sub/", "sub"]),
    (&["**/x"], &["x", "a/x", "a/b/x"], &["ax"]),
    (&["a/**/x"], &["a/x", "a/b/c/x"], &["b/x"]),
    (&["*.o", "!keep.o"], &["x.o"], &["keep.o", "a/keep.o"]),
    (&["!keep.o", "*.o"], &["keep.o"], &["keep.c"]),
    (&["x[0-9]", "y?"], &["x1", "yz"], &["xa", "y"]),
    (&["\\#*#", "\\!x"], &["#a#", "!x"], &["a", "x"]),
    (&[".*.swp"], &[".a.c.swp", "d/.b.swp"], &["a.swp"]),
    (&["trailing  "], &["trailing"], &["trailing  "]),
    (&["*.{o,lo}"], &["a.o", "a.lo"], &["a.l"]),
];

fn is_left_out(left_out: &LeftOut, path: &str) -> bool {
    match path.strip_suffix('/') {
        Some(directory) => left_out.is_directory_left_out(directory.as_bytes()),
        None => left_out.is_file_left_out(path.as_bytes()),
    }
}

#[test]
fn patterns_are_read_as_git_reads_them() {
    for (patterns, left, stays) in CASES {
        let left_out = LeftOut::new(patterns).unwrap();
        for path in *left {
            assert!(is_left_out(&left_out, path), "{path} by {patterns:?}");
        }
        for path in *stays {
            assert!(!is_left_out(&left_out, path), "{path} by {patterns:?}");
        }
    }
}

#[test]
fn names_that_are_no_text_are_matched_by_their_bytes() {
    let left_out = LeftOut::new(&["*.o"]).unwrap();
    assert!(left_out.is_file_left_out(b"a/\xff.o"));
    assert!(!left_out.is_file_left_out(b"a/\xff.c"));
}

#[test]
fn what_is_no_pattern_is_refused_by_its_text() {
    let long = "x".repeat(5000);
    let cases = [
        ("", "`` is not a pattern: it says nothing"),
        (" ", "` ` is not a pattern: it says nothing"),
        ("# a", "`# a` is not a pattern: it says nothing"),
        ("!", "`!` is not a pattern: it says nothing"),
        ("/", "`/` is not a pattern: it says nothing"),
        ("a\nb", "it has more than one line"),
        ("a[", "`a[` is not a pattern: unclosed character class"),
        ("a{b", "`a{b` is not a pattern: unclosed alternate group"),
        (&long, "it has more than 4096 bytes"),
    ];
    for (pattern, expected) in cases {
        let error = LeftOut::new(&["*.o", pattern]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.len() < 200, "{error}");
    }
}
