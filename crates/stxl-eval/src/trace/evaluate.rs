//! An evaluation with a memory: what holds is recalled, the rest evaluated in the child.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{SourcePath, SourceTree as _};
use stxl_model::PackageLabel;

use super::Trace;
use super::file::{self, Identity, TraceError, TraceFolder, UnsavedTrace};
use super::listing;
use super::recall::{Missing, Reason, Recall, Standing};
use super::verify::{Beginning, Look, stamps_of, verify};
use crate::child::{
    ChildError, ChildRequest, EvaluatorProgram, evaluate_in_child, named_folders, record_in_child,
};
use crate::database::FileState;
use crate::evaluator::{
    Evaluation, EvaluationRequest, ReadSettings, Recorded, Scope, Target, settings_of, sort,
};
use crate::layout::{Layout, PACKAGE_FILE};
use crate::link::{Linked, link};
use crate::read::{Found, Read};
use crate::record::Records;
use crate::settings::{SETTINGS_FILE, Settings};
use crate::source_tree::{DiskSourceTree, WorkspaceTree as _};

/// How often the child is asked for what is missing before everything is evaluated.
const ROUNDS_MAX: usize = 6;

/// More missing parts than this are a reason to evaluate everything, if they are the greater part.
const PARTS_MAX: usize = 64;

/// What is remembered from one evaluation to the next.
#[derive(Clone, Copy, Debug)]
pub enum Memory<'m> {
    /// Nothing: there is no place for it.
    None,
    /// What earlier evaluations left.
    Used(&'m TraceFolder),
    /// What this one leaves: it recalls nothing.
    Renewed(&'m TraceFolder),
}

/// What comes of an evaluation with a memory.
pub struct Remembered {
    /// The plan and the diagnostics: the same as without a memory.
    pub evaluation: Evaluation,
    /// What is to be remembered, if that is anything new.
    pub unsaved: Option<UnsavedTrace>,
    /// What was recalled, and what was evaluated and why.
    pub account: Account,
}

/// What was recalled, and what was evaluated and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How many packages were recalled.
    pub recalled: usize,
    /// The packages that were evaluated, unless all were.
    pub evaluated: BTreeMap<PackageLabel, Reason>,
    /// Why everything was evaluated, if it was.
    pub everything: Option<String>,
}

/// Evaluates with the help of what is remembered of the workspace; the result is what
/// [`crate::evaluate_in_child`] gives. A trace that cannot be used is as good as none.
pub fn evaluate_remembering(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    memory: Memory<'_>,
) -> Result<Remembered, ChildError> {
    let (Memory::Used(folder) | Memory::Renewed(folder)) = memory else {
        return Ok(Remembered {
            evaluation: evaluate_in_child(program, request)?,
            unsaved: None,
            account: Account {
                everything: Some("there is no place to remember it".to_owned()),
                ..Account::default()
            },
        });
    };
    let beginning = Beginning::now();
    let identity = Identity::new(folder, &request.folder, request.evaluation.sandbox_abi);
    let session = Session {
        program,
        request,
        folder,
        identity,
        beginning,
    };
    // Buffers are texts that no file has.
    if !request.buffers.is_empty() {
        return session.evaluate_text("texts of an editor are not remembered".to_owned());
    }
    if let Memory::Renewed(_) = memory {
        return session.evaluate_text("what is remembered is made again".to_owned());
    }
    match file::load(folder, &session.identity) {
        Ok(trace) => match session.recall(trace)? {
            Recalled::Whole(remembered) => Ok(*remembered),
            Recalled::Useless(reason) => session.evaluate_text(reason),
        },
        Err(
            reason @ (TraceError::Missing
            | TraceError::Unreadable { .. }
            | TraceError::Damaged
            | TraceError::OtherProgram),
        ) => session.evaluate_text(reason.to_string()),
    }
}

struct Session<'s> {
    program: &'s EvaluatorProgram,
    request: &'s ChildRequest,
    folder: &'s TraceFolder,
    identity: Identity,
    beginning: Beginning,
}

/// What a trace was good for.
enum Recalled {
    Whole(Box<Remembered>),
    Useless(String),
}

impl Recalled {
    fn useless(reason: &str) -> Self {
        Self::Useless(reason.to_owned())
    }
}

impl Session<'_> {
    /// Evaluates everything that the request needs.
    fn evaluate_text(&self, reason: String) -> Result<Remembered, ChildError> {
        let recorded = record_in_child(self.program, self.request, &Scope::Everything)?;
        let unsaved = match &recorded.outcome {
            Some((records, _)) if self.request.buffers.is_empty() => self.trace_of(records.clone()),
            Some(_) | None => None,
        };
        Ok(Remembered {
            evaluation: recorded.into_evaluation(),
            unsaved,
            account: Account {
                everything: Some(reason),
                ..Account::default()
            },
        })
    }

    /// What to remember of an evaluation of everything; nothing if the workspace changed meanwhile.
    fn trace_of(&self, records: Records) -> Option<UnsavedTrace> {
        let (tree, read) = self.open(&records)?;
        let mut listing = listing::list(&tree, &read.settings);
        listing.diagnostics.extend(read.diagnostics);
        let mut trace = Trace {
            records,
            ..Trace::default()
        };
        if listing.is_wrong() || !listing.note_in(&mut trace) {
            return None;
        }
        self.stamp_rest(&tree, &mut trace);
        self.unsaved(&trace)
    }

    fn unsaved(&self, trace: &Trace) -> Option<UnsavedTrace> {
        // Whoever sets the clock meanwhile makes every stamp doubtful.
        self.beginning
            .is_steady()
            .then(|| UnsavedTrace::new(self.folder, &self.identity, trace))
    }

    /// The workspace with all folders that its definitions may name, and its settings, which are
    /// looked into only if they are those that the records were made with: the child has read them
    /// without harm.
    fn open(&self, records: &Records) -> Option<(DiskSourceTree, ReadSettings)> {
        let tree = DiskSourceTree::open(&self.request.folder).ok()?;
        let path = SourcePath::new(SETTINGS_FILE);
        let bytes = tree.read(&path).ok()?;
        if Found::of_file(&FileState::File(Arc::clone(&bytes)))
            != records.reads.get(&Read::File(path)).copied()
        {
            return None;
        }
        let read = settings_of(Ok(bytes));
        let local = named_folders(&tree, &self.request.folder);
        let readable = self.request.readable.iter().chain(&local);
        for name in read.settings.overlays.iter().chain(readable) {
            tree.allow_folder(name);
        }
        Some((tree, read))
    }

    /// Stamps what was read since the trace was made.
    fn stamp_rest(&self, tree: &DiskSourceTree, trace: &mut Trace) {
        let reads = trace.records.reads.iter().skip(trace.stamps.len());
        let reads: Vec<(&Read, Found)> = reads.map(|(read, found)| (read, *found)).collect();
        let stamps = stamps_of(tree, &reads, self.beginning);
        trace.stamps.extend(stamps);
    }

    fn recall(&self, mut trace: Trace) -> Result<Recalled, ChildError> {
        let Some((tree, read)) = self.open(&trace.records) else {
            return Ok(Recalled::useless("`stxl.toml` changed"));
        };
        let looks = verify(&tree, &trace, self.beginning);
        let known = trace.records.reads.values();
        let is_changed: Vec<bool> = looks
            .iter()
            .zip(known)
            .map(|(look, found)| look.found != Some(*found))
            .collect();
        let is_listed_anew = is_listing_stale(&trace, &looks, &is_changed);
        let has_news =
            is_changed.contains(&true) || is_listed_anew || has_new_stamp(&trace, &looks);
        take_over(&mut trace, looks);
        if is_listed_anew {
            let mut listing = listing::list(&tree, &read.settings);
            listing.diagnostics.extend(read.diagnostics);
            if listing.is_wrong() {
                return Ok(Recalled::useless("the list of packages is wrong"));
            }
            if !listing.note_in(&mut trace) {
                return Ok(Recalled::useless("the workspace changed meanwhile"));
            }
        }
        let layout = std::mem::take(&mut trace.layout);
        let records = std::mem::take(&mut trace.records);
        let mut recall = Recall::new(records, &trace.stale, &is_changed, &layout);
        let targets = match self.complete(&mut recall, &read.settings, &layout)? {
            Completed::Targets(targets) => targets,
            Completed::Useless(reason) => return Ok(Recalled::useless(reason)),
        };
        let linked = match link(&recall.records, &targets) {
            Ok(linked) => linked,
            Err(wrong) => return Ok(Recalled::Useless(wrong.to_string())),
        };
        let Linked {
            plan,
            options,
            mut diagnostics,
        } = linked;
        let mut asked = self.request.evaluation.options.keys();
        if asked.any(|option| !options.contains(option)) {
            return Ok(Recalled::useless("the request is wrong"));
        }
        diagnostics.extend(trace.diagnostics.iter().cloned());
        sort(&mut diagnostics);
        let account = recall.account();
        let unsaved = if has_news || !account.evaluated.is_empty() {
            (trace.records, trace.stale) = recall.into_records(&layout);
            trace.layout = layout;
            self.stamp_rest(&tree, &mut trace);
            trace.compact();
            self.unsaved(&trace)
        } else {
            None
        };
        Ok(Recalled::Whole(Box::new(Remembered {
            evaluation: Evaluation {
                plan: Some(plan),
                diagnostics,
            },
            unsaved,
            account,
        })))
    }

    /// Has evaluated what is missing until nothing is.
    fn complete(
        &self,
        recall: &mut Recall,
        settings: &Settings,
        layout: &Layout,
    ) -> Result<Completed, ChildError> {
        for _ in 0..ROUNDS_MAX {
            let missing = match recall.standing(&self.request.evaluation, settings, layout) {
                Standing::Complete(targets) => return Ok(Completed::Targets(targets)),
                Standing::Wrong => return Ok(Completed::Useless("the request is wrong")),
                Standing::Incomplete(missing) => missing,
            };
            let count = missing.selectors.len() + missing.parts.nodes.len();
            if count > PARTS_MAX && count > recall.records.packages.len() / 2 {
                return Ok(Completed::Useless("most packages have to be evaluated"));
            }
            let Some(records) = self.evaluated(missing)? else {
                return Ok(Completed::Useless("something is wrong"));
            };
            if !recall.learn(&records) {
                return Ok(Completed::Useless("the workspace changed meanwhile"));
            }
        }
        Ok(Completed::Useless("references lead ever further"))
    }

    /// Evaluates parts; none when there is an error, which is explained best by an evaluation of
    /// everything.
    fn evaluated(&self, missing: Missing) -> Result<Option<Records>, ChildError> {
        let request = ChildRequest {
            evaluation: EvaluationRequest {
                selectors: missing.selectors,
                ..self.request.evaluation.clone()
            },
            ..self.request.clone()
        };
        let scope = Scope::Only(missing.parts);
        let Recorded { outcome, .. } = record_in_child(self.program, &request, &scope)?;
        Ok(outcome.map(|(records, _)| records))
    }
}

enum Completed {
    Targets(Vec<Target>),
    Useless(&'static str),
}

/// Whether the list of packages may be another one.
fn is_listing_stale(trace: &Trace, looks: &[Look], is_changed: &[bool]) -> bool {
    let is_changed_at = |position: &u32| is_changed.get(*position as usize) != Some(&false);
    // A definition that is gone, or was not there, is a package less or more.
    let is_other_package = || {
        let reads = trace.records.reads.iter().zip(looks);
        reads.into_iter().any(|((read, known), look)| {
            let is_there = |found: Option<Found>| matches!(found, Some(Found::Bytes(_)));
            let Read::File(path) = read else { return false };
            let name = path.as_str().rsplit('/').next();
            name == Some(PACKAGE_FILE) && is_there(look.found) != is_there(Some(*known))
        })
    };
    trace.listing.iter().any(is_changed_at) || is_other_package()
}

fn has_new_stamp(trace: &Trace, looks: &[Look]) -> bool {
    let mut pairs = trace.stamps.iter().zip(looks);
    pairs.any(|(known, look)| look.stamp.is_some() && look.stamp != *known)
}

/// Puts on record what is there: whatever was made from something else is taken out by that.
fn take_over(trace: &mut Trace, looks: Vec<Look>) {
    trace.stamps.clear();
    for (found, look) in trace.records.reads.values_mut().zip(looks) {
        // What cannot be read is nothing that anybody could have evaluated with.
        let stamp = look.stamp.filter(|_| look.found.is_some());
        *found = look.found.unwrap_or(Found::Nothing);
        trace.stamps.push(stamp);
    }
}
