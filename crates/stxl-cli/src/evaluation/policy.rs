//! Plans that are refused although they could be built.

use std::path::Path;

use stxl_eval::{
    Evaluation, OpaqueSources, RefusedBy, SETTINGS_FILE, has_opaque, opaque_sources_of,
    refuse_opaque,
};
use stxl_lang::{Diagnostic, SourcePath};
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
    let texts = Texts::of(&child_request(workspace, selection)?);
    let Some(diagnostics) = refusal(plan, asked, &texts)? else {
        return Ok(());
    };
    let refused = Evaluation {
        plan: None,
        diagnostics,
    };
    show(&refused, &texts, audience, terminal)?;
    Err(Failure::shown(Exit::Usage))
}

/// Why a plan with opaque sources is refused, if the request or the workspace does.
pub(crate) fn refusal(
    plan: &Plan,
    asked: OpaqueSources,
    texts: &Texts,
) -> Result<Option<Vec<Diagnostic>>, Failure> {
    if !has_opaque(plan) {
        return Ok(None);
    }
    // It was read when the plan was made, so an error is news.
    let settings = texts.find(SETTINGS_FILE);
    let said = settings.and_then(|text| opaque_sources_of(&SourcePath::new(SETTINGS_FILE), &text));
    let said = said.ok_or_else(|| {
        Failure::environment(format!(
            "`{SETTINGS_FILE}` changed meanwhile, so nobody knows what it refuses"
        ))
        .hint("once more")
    })?;
    let refused_by = match (asked, said) {
        (OpaqueSources::Refused, _) => RefusedBy::Request,
        (OpaqueSources::Allowed, OpaqueSources::Refused) => RefusedBy::Workspace,
        (OpaqueSources::Allowed, OpaqueSources::Allowed) => return Ok(None),
    };
    let text_of = |path: &str| texts.find(path);
    Ok(Some(refuse_opaque(plan, refused_by, &text_of)))
}
