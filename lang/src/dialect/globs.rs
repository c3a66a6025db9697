//! Globs over the paths of a tree, and patterns of what is left out of one, checked where they are
//! written.

use globset::GlobBuilder;
use rhai::Dynamic;
use stxl_model::{LeftOut, PATTERN_BYTES_MAX};

use crate::dialect::complaint::Complaint;
use crate::dialect::constructors::{texts, wrong_type};

/// Reads a list of globs.
pub(crate) fn read(value: &Dynamic) -> Result<Vec<String>, Complaint> {
    read_checked(value, "a list of globs", check)
}

/// Reads a list of patterns of what is left out.
pub(crate) fn read_patterns(value: &Dynamic) -> Result<Vec<String>, Complaint> {
    read_checked(value, "a list of patterns", |pattern| {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(Complaint::limit("bytes in a pattern", PATTERN_BYTES_MAX));
        }
        let compiled = LeftOut::new(&[pattern]);
        compiled.map(drop).map_err(|error| {
            Complaint::new("bad-glob", error.to_string())
                .hint("patterns are written as in a `.gitignore`: `*.o`, `/build/`, `!keep.o`")
        })
    })
}

fn read_checked(
    value: &Dynamic,
    what: &str,
    check: impl Fn(&str) -> Result<(), Complaint>,
) -> Result<Vec<String>, Complaint> {
    let Ok(list) = value.as_array_ref() else {
        return Err(wrong_type(what, value));
    };
    let globs = texts(&list)?;
    let checked = globs.into_iter().enumerate().map(|(item, glob)| {
        check(&glob).map_err(|complaint| complaint.item(item))?;
        Ok(glob)
    });
    Complaint::all(checked)
}

/// Bytes of one glob: as long as a path can be. Its alternatives are taken apart recursively.
const GLOB_BYTES_MAX: usize = 4096;

/// Checks one glob.
pub(crate) fn check(glob: &str) -> Result<(), Complaint> {
    if glob.len() > GLOB_BYTES_MAX {
        return Err(Complaint::limit("bytes in a glob", GLOB_BYTES_MAX));
    }
    if glob.starts_with('/') {
        return Err(
            Complaint::new("bad-glob", format!("The glob `{glob}` begins with `/`"))
                .hint("globs are relative to the output, as in `usr/bin/*`"),
        );
    }
    if glob.is_empty() {
        return Err(Complaint::new("bad-glob", "A glob is empty"));
    }
    let parsed = GlobBuilder::new(glob).literal_separator(true).build();
    parsed.map(drop).map_err(|error| {
        Complaint::new(
            "bad-glob",
            format!("`{glob}` is not a glob: {}", error.kind()),
        )
    })
}
