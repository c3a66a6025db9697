//! The text of an overlay that takes a package's source from a directory, and who wrote a file.

use stxl_eval::quoted_text;
use stxl_model::{BlobId, PackageLabel};

/// What is left out of every directory, whatever its `.gitignore` says: what version control and
/// editors keep, and what compilers leave. Every file in a root is of the same age, so that `make`
/// would take an object file made here for one that is up to date.
const LEFT_OUT: [&str; 22] = [
    ".git",
    ".hg",
    ".svn",
    ".jj",
    "*.o",
    "*.lo",
    "*.la",
    "*.a",
    "*.so",
    "*.so.*",
    "*.gcda",
    "*.gch",
    "*.gcno",
    "*.pyc",
    ".deps/",
    ".libs/",
    "__pycache__/",
    "*~",
    ".*.swp",
    ".*.swo",
    ".#*",
    "\\#*#",
];

/// What becomes of the patches of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patches {
    /// They are applied to what is in the directory.
    Applied,
    /// They are in it already.
    Left,
}

/// How a package is built from a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// What becomes of its patches.
    pub(crate) patches: Patches,
    /// Whether a build goes on from what the last one left.
    pub(crate) is_incremental: bool,
}

/// The text of an overlay whose source is a directory.
pub(crate) fn text(directory: &str, manner: Manner) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let left_out: Vec<String> = LEFT_OUT.iter().map(|it| quoted(it)).collect();
    let lines: Vec<String> = left_out.chunks(11).map(|line| line.join(", ")).collect();
    let patches = match manner.patches {
        Patches::Applied => "",
        Patches::Left => "    patches: [],  // they are in the directory already\n",
    };
    let incremental = if manner.is_incremental {
        "    incremental: true,  // a build finds what the last one left\n"
    } else {
        ""
    };
    format!(
        "let replaced = prior().source;  // a package without one cannot take it from elsewhere

prior().change(#{{
    source: dir({}, #{{
        gitignore: true,  // what the directory's own .gitignore names is left out
        ignore: [
            {},
        ],
    }}),
{patches}{incremental}}})
",
        quoted(directory),
        lines.join(",\n            "),
    )
}

/// The file that `stxl dev` writes: the text below a line that tells whether anybody changed it.
pub(crate) fn file_text(label: &PackageLabel, directory: &str, manner: Manner) -> String {
    let text = text(directory, manner);
    format!(
        "// Written by `stxl dev`; `stxl dev {label} --off` takes it away. {}\n{text}",
        mark(&text)
    )
}

fn mark(text: &str) -> String {
    let digest = BlobId::of(text.as_bytes()).to_string();
    digest.get(..16).unwrap_or(&digest).to_owned()
}

/// The directory that a text of [`text`] names, also after changes elsewhere in it.
pub(crate) fn directory_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("source: dir(\"")?;
    quoted_text(rest)
}

/// Who wrote a file in the place of an overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// `stxl dev`, and nobody changed it since.
    Ours,
    /// `stxl dev`, and somebody changed it since.
    Edited,
    /// Somebody else.
    Other,
}

/// Tells who wrote a file.
pub(crate) fn writer_of(text: &str) -> Writer {
    let Some((head, rest)) = text.split_once('\n') else {
        return Writer::Other;
    };
    if !head.starts_with("// Written by `stxl dev`; ") {
        Writer::Other
    } else if head.ends_with(&mark(rest)) {
        Writer::Ours
    } else {
        Writer::Edited
    }
}
