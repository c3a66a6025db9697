//! What packages say of themselves that no build needs: asked of a child.

use serde::{Deserialize, Serialize};
use stxl_lang::Value;
use stxl_model::PackageLabel;

use crate::child::{ChildError, ChildRequest, EvaluatorProgram, Inquiry, ask_about};
use crate::database::{Database, Db as _};
use crate::parallel;
use crate::queries;

/// What a package says of itself. Texts are as written, without templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saying {
    /// The package.
    pub label: String,
    /// The builder that it calls.
    pub builder: String,
    /// Its version.
    pub version: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Its license.
    pub license: Option<String>,
    /// The file of the builder call.
    pub file: String,
    /// The line of the builder call, from 1.
    pub line: u32,
}

/// Asks what packages of an evaluated workspace say of themselves, in the order of the labels;
/// those that say nothing any more are left out.
pub fn sayings_of(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    labels: &[PackageLabel],
) -> Result<Vec<Saying>, ChildError> {
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    let inquiry = Inquiry::Sayings(labels.iter().map(ToString::to_string).collect());
    let findings = ask_about(program, request, Vec::new(), &inquiry)?;
    if findings.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&findings).map_err(|error| ChildError::Answer {
        reason: error.to_string(),
    })
}

/// Finds what packages say of themselves, in the child.
pub(crate) fn find_encoded(db: &Database, labels: &[PackageLabel]) -> Vec<u8> {
    let said = parallel::map(db, labels, |db, label| {
        let package = db.package(label);
        let top = queries::top_layer(db, package);
        let definition = queries::definition(db, package, top).outcome.clone().ok()?;
        let facts = queries::build_facts(db, package)?;
        let text = |field: &str| match definition.fields.get(field) {
            Some(Value::Text(text)) => Some(text.to_string()),
            Some(_) | None => None,
        };
        Some(Saying {
            label: label.to_string(),
            builder: definition.builder.to_string(),
            version: text("version"),
            description: text("description"),
            license: text("license"),
            file: facts.path.to_string(),
            line: facts.line,
        })
    });
    let said: Vec<Saying> = said.into_iter().flatten().collect();
    // Texts and numbers can always be written.
    serde_json::to_vec(&said).unwrap_or_default()
}
