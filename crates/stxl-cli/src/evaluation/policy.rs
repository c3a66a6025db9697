//! Plans that are refused although they could be built.

use std::path::Path;

use stxl_eval::{
    Evaluation, OpaqueSources, RefusedBy, SETTINGS_FILE, has_opaque, opaque_sources_of,
    refuse_opaque,
};
use stxl_lang::SourcePath;
use stxl_model::Plan;

use super::{Audience, Texts, child_request, show};
use crate::arguments::Selection;
use crate::failure::{Exit, Failure};
use crate::terminal::Terminal;

/// Refuses a plan with opaque sources if the request or the workspace does, and shows why.
pub(crate) fn check_opaque(
    plan: &Plan,
    asked: OpaqueSources,
    (workspace, selection): (&Path, &Selection),
    audience: Audience,
    terminal: Terminal,
) -> Result<(), Failure> {
    if !has_opaque(plan) {
        return Ok(());
    }
    let texts = Texts::of(&child_request(workspace, selection)?);
    // A child has read the same text without harm.
    let settings = texts.find(SETTINGS_FILE).unwrap_or_default();
    let said = opaque_sources_of(&SourcePath::new(SETTINGS_FILE), &settings);
    let refused_by = match (asked, said) {
        (OpaqueSources::Refused, _) => RefusedBy::Request,
        (OpaqueSources::Allowed, OpaqueSources::Refused) => RefusedBy::Workspace,
        (OpaqueSources::Allowed, OpaqueSources::Allowed) => return Ok(()),
    };
    let evaluation = Evaluation {
        plan: None,
        diagnostics: refuse_opaque(plan, refused_by, &|path| texts.find(path)),
    };
    show(&evaluation, &texts, audience, terminal)?;
    Err(Failure::shown(Exit::Usage))
}
