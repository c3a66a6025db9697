//! Runs all checks over the workspace and prints what they found.

use std::process::ExitCode;

use super::finding::{Finding, Weight};
use super::{
    file_length, host_traces, hygiene, layering, manifests, markdown, module_head, names, orphans,
    suppressions, tracked,
};
use crate::console::say;
use crate::workspace;

/// Runs every check; prints one line per finding, ordered by place.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let root = workspace::root();
    let files = tracked::read_all(&root)?;
    if workspace::is_blessing() {
        suppressions::bless(&files, &root)?;
    }
    let mut findings: Vec<Finding> = [
        layering::check(&layering::packages()?),
        manifests::check(&files),
        file_length::check(&files),
        module_head::check(&files),
        names::check(&files),
        hygiene::check(&files),
        markdown::check(&files, |path| root.join(path).exists()),
        orphans::check(&files),
        suppressions::check(&files, &root)?,
        host_traces::check(&files, &root),
    ]
    .concat();
    findings.sort();
    findings
        .iter()
        .for_each(|finding| say(&finding.to_string()));
    let errors = findings
        .iter()
        .filter(|finding| finding.weight == Weight::Error)
        .count();
    say(&format!("tidy: {}", file_length::summary(&files)));
    say(&format!("tidy: {} files, {errors} errors", files.len()));
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
