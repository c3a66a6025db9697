//! Where it is written that an output needs another: asked of a child, since only the text tells.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stxl_lang::Site;
use stxl_model::Label;

use super::{Survey, SurveyedOutput};
use crate::child::{ChildError, ChildRequest, EvaluatorProgram, Inquiry, NodeWire, ask_about};
use crate::database::{Configured, Database};
use crate::node::{NodeKey, site_of_need};

/// Where it is written that an output needs another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedPlace {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1; 0 when it is not known.
    pub column: u32,
    /// What is named there and brings the other one; none when the other one itself is named.
    pub brought_by: Option<Label>,
}

/// Asks where it is written that outputs of a survey need others, by their positions: none for each
/// that no text tells. The request is the one the survey came of.
pub fn places_of_needs(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    survey: &Survey,
    needs: &[(usize, usize)],
) -> Result<Vec<Option<NeedPlace>>, ChildError> {
    let key = |position: &usize| survey.output(*position).map(SurveyedOutput::key);
    let pairs: Vec<Option<(NodeKey, NodeKey)>> = needs
        .iter()
        .map(|(user, need)| key(user).zip(key(need)))
        .collect();
    let users: BTreeSet<NodeKey> = pairs
        .iter()
        .flatten()
        .map(|(user, _)| user.clone())
        .collect();
    if users.is_empty() {
        return Ok(vec![None; needs.len()]);
    }
    let wire = pairs.iter().flatten();
    let wire = wire.map(|(user, need)| (NodeWire::from(user), NodeWire::from(need)));
    let inquiry = Inquiry::Needs(wire.collect());
    let users = users.into_iter().collect();
    let findings = ask_about(program, request, users, &inquiry)?;
    let mut told: Vec<Option<PlaceWire>> = Vec::new();
    if !findings.is_empty() {
        told = serde_json::from_slice(&findings).map_err(|error| ChildError::Answer {
            reason: error.to_string(),
        })?;
    }
    let mut told = told.into_iter();
    let places = pairs.into_iter().map(|pair| {
        // One is told for every pair there was.
        let told = pair.and_then(|_| told.next().flatten())?;
        told.into_place()
    });
    Ok(places.collect())
}

/// Finds the places, in the child.
pub(crate) fn find_encoded(db: &Database, needs: &[(NodeKey, NodeKey)]) -> Vec<u8> {
    let find = |(user, need): &(NodeKey, NodeKey)| {
        let (Site { path, line, column }, brought_by) = site_of_need(db, user, need)?;
        Some(PlaceWire {
            file: path.to_string(),
            line,
            column,
            brought_by: brought_by.map(|key| key.to_label().to_string()),
        })
    };
    let places: Vec<Option<PlaceWire>> = needs.iter().map(find).collect();
    // Texts and numbers can always be written.
    serde_json::to_vec(&places).unwrap_or_default()
}

#[derive(Serialize, Deserialize)]
struct PlaceWire {
    file: String,
    line: u32,
    column: u32,
    brought_by: Option<String>,
}

impl PlaceWire {
    fn into_place(self) -> Option<NeedPlace> {
        let brought_by = match self.brought_by {
            Some(text) => Some(Label::parse(&text).ok()?),
            None => None,
        };
        Some(NeedPlace {
            file: self.file,
            line: self.line,
            column: self.column,
            brought_by,
        })
    }
}

impl SurveyedOutput {
    pub(super) fn key(&self) -> NodeKey {
        NodeKey {
            label: self.label.package.clone(),
            configured: Configured {
                platform: self.platform,
                options: self.options.clone(),
            },
            output: self.label.output.clone(),
        }
    }
}
