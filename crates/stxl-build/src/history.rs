//! What is remembered of requests: the plan built last, what it gave, what an unfinished one made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use stxl_model::{BlobId, PackageLabel, Plan, TreeId};
use stxl_store::{HistoryEntry, Store, StoreError};

use crate::event::BuiltOutput;
use crate::kept_plan::kept_bytes;
use crate::options::BuildOptions;

/// How the request ends under which is kept what a build that did not finish has made; no
/// label looks like it.
const UNFINISHED: &str = " (unfinished)";

/// How the request ends under which is kept what was built to enter a step; no label looks like
/// it.
pub(crate) const STEP_ROOT: &str = ": root";

/// How many labels a request can have for each to get a history of its own.
const LABEL_HISTORIES_MAX: usize = 64;

/// Keeps what a request has come to so far from collection, beside what it last came to as a whole;
/// nothing lets go of it.
pub(crate) fn set_unfinished(
    store: &Store,
    plan: &Plan,
    options: &BuildOptions,
    trees: BTreeSet<TreeId>,
) -> Result<(), StoreError> {
    let workspace = options.workspace.display().to_string();
    let request = format!("{}{UNFINISHED}", options.request);
    let known = store.history(&workspace, &request)?;
    let outputs: Vec<TreeId> = trees.into_iter().collect();
    if known.map(|entry| entry.outputs).unwrap_or_default() == outputs {
        return Ok(());
    }
    store.set_history(HistoryEntry {
        workspace,
        request,
        plan: store.put_blob(&kept_bytes(plan))?,
        outputs,
    });
    Ok(())
}

/// Whether something was written down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// It was.
    Written,
    /// It stood there already.
    Known,
}

/// Writes down what was asked for and what came of it, unless that stands there already.
pub(crate) fn remember_request(
    store: &Store,
    plan: &Plan,
    options: &BuildOptions,
    outputs: &[BuiltOutput],
) -> Result<Remembered, StoreError> {
    let workspace = options.workspace.display().to_string();
    // Every output has a history of its own, as if it had been asked for alone: what is asked for
    // later lets go of nothing else. What was asked for comes last, since it may be one of them.
    let mut requests: Vec<(String, Vec<TreeId>)> = Vec::new();
    if plan.roots().len() <= LABEL_HISTORIES_MAX {
        let own = outputs
            .iter()
            .map(|output| (options.request_for(&output.label), vec![output.tree]));
        requests.extend(own.filter(|(request, _)| *request != options.request));
    }
    let all = outputs.iter().map(|output| output.tree).collect();
    requests.push((options.request.clone(), all));
    let known = store.requests(&workspace)?.into_iter();
    let known: BTreeMap<String, HistoryEntry> =
        known.map(|entry| (entry.request.clone(), entry)).collect();
    let bytes = kept_bytes(plan);
    // Another plan may give the same trees: it is what the next one is compared with.
    let plan = BlobId::of(&bytes);
    let mut remembered = Remembered::Known;
    for (request, outputs) in requests {
        let workspace = workspace.clone();
        let entry = HistoryEntry {
            workspace,
            request,
            plan,
            outputs,
        };
        if known.get(&entry.request) == Some(&entry) {
            continue;
        }
        if remembered == Remembered::Known {
            store.put_blob(&bytes)?;
            remembered = Remembered::Written;
        }
        store.set_history(entry);
    }
    Ok(remembered)
}

/// A plan that was built before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltPlan {
    /// What was asked for, as it was typed.
    pub request: String,
    /// The plan.
    pub plan: Plan,
}

/// The plan with anything of a package that was built last in a workspace, for the same variant.
/// Plans that another version wrote count as none.
pub fn last_plan_with(
    store: &Store,
    workspace: &Path,
    variant: &str,
    label: &PackageLabel,
) -> Result<Option<BuiltPlan>, StoreError> {
    let mut seen: BTreeSet<BlobId> = BTreeSet::new();
    for entry in store.requests(&workspace.display().to_string())? {
        let HistoryEntry { request, plan, .. } = entry;
        let is_whole = !request.ends_with(UNFINISHED) && !request.ends_with(STEP_ROOT);
        if !is_whole || variant_of(&request) != variant || !seen.insert(plan) {
            continue;
        }
        let Ok(plan) = Plan::from_bytes(&store.read_blob(&plan)?) else {
            continue;
        };
        let mut nodes = plan.nodes().iter();
        if nodes.any(|node| node.origin.label == *label)
            || plan.roots().iter().any(|root| root.label == *label)
        {
            return Ok(Some(BuiltPlan { request, plan }));
        }
    }
    Ok(None)
}

/// The words of a request that say for what is built: those from the first switch on.
fn variant_of(request: &str) -> &str {
    if request.starts_with("--") {
        return request;
    }
    let switch = request.find(" --");
    switch.and_then(|at| request.get(at + 1..)).unwrap_or("")
}
