//! What the store knows about actions, asked for in batches, and what it is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stxl_model::{
    ActionId, BlobId, DerivationId, Directory, FILE_ENTRY, GuardLevel, Node, Plan, PlanNode,
    Realisation, RealisationScope, TreeId,
};
use stxl_store::{Store, StoreError};

use crate::compose::{ComposeError, OpError};
use crate::event::StepFailure;
use crate::failure::FailureCause;
use crate::options::BuildOptions;
use crate::report::JobLog;

/// How many lines of a failed step's log are told.
const LAST_LINES_MAX: usize = 20;

/// How long a line of a failed step's log can be before it is cut.
const LINE_CHARACTERS_MAX: usize = 500;

/// What ran a step, as recorded in its realisation.
const BUILDER: &str = concat!("stxl ", env!("CARGO_PKG_VERSION"), " local");

/// The memos of a plan that hold, by position: action id and the tree chosen for it.
#[derive(Debug)]
pub(crate) struct Memos(Vec<Option<(ActionId, TreeId)>>);

impl Memos {
    /// Reads the memos of all nodes at once.
    pub(crate) fn read(store: &Store, plan: &Plan) -> Result<Self, StoreError> {
        let ids: Vec<DerivationId> = plan.nodes().iter().map(|node| node.id).collect();
        let resolved = store.resolve(&ids)?;
        let memo = |resolved: Option<stxl_store::Resolved>| {
            resolved.map(|resolved| (resolved.action, resolved.tree))
        };
        Ok(Self(resolved.into_iter().map(memo).collect()))
    }

    /// The tree chosen for an action, by memo if it is that of the node, else by record.
    pub(crate) fn chosen(
        &self,
        store: &Store,
        node: usize,
        action: &ActionId,
    ) -> Result<Option<TreeId>, StoreError> {
        match self.0.get(node).copied().flatten() {
            Some((known, tree)) if known == *action => Ok(Some(tree)),
            Some(_) | None => Ok(store.chosen(action)?.map(|realisation| realisation.tree)),
        }
    }

    /// Writes a memo unless it stands already.
    pub(crate) fn remember(
        &mut self,
        store: &Store,
        (node, derivation): (usize, &DerivationId),
        (action, tree): (ActionId, TreeId),
    ) -> Result<(), StoreError> {
        let known = self.0.get_mut(node);
        if known
            .as_ref()
            .is_some_and(|known| **known == Some((action, tree)))
        {
            return Ok(());
        }
        store.set_memo(derivation, &action)?;
        if let Some(known) = known {
            *known = Some((action, tree));
        }
        Ok(())
    }
}

/// The remembered durations of those exec steps of a plan that are asked for, by position.
pub(crate) fn durations(
    store: &Store,
    plan: &Plan,
    is_wanted: impl Fn(usize) -> bool,
) -> Result<Vec<Option<u64>>, StoreError> {
    let mut found = vec![None; plan.nodes().len()];
    let mut known: Option<BTreeMap<(String, String), u64>> = None;
    for (position, node) in plan.nodes().iter().enumerate() {
        if node.derivation.kind() == stxl_model::Kind::Exec && is_wanted(position) {
            let known = match &mut known {
                Some(known) => known,
                None => known.insert(store.durations()?),
            };
            let key = (node.origin.label.to_string(), node.origin.name.clone());
            found[position] = known.get(&key).copied();
        }
    }
    Ok(found)
}

/// What is recorded of one execution.
#[derive(Debug)]
pub(crate) struct Execution {
    /// The action.
    pub action: ActionId,
    /// What it gave.
    pub tree: TreeId,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
    /// The whole log.
    pub log: Option<BlobId>,
    /// Who may use the record.
    pub scope: RealisationScope,
}

impl Execution {
    /// The record.
    pub(crate) fn into_realisation(self) -> Realisation {
        let Self {
            action,
            tree,
            duration_ms,
            log,
            scope,
        } = self;
        Realisation {
            action,
            tree,
            builder: BUILDER.to_owned(),
            duration_ms,
            log,
            guards: GuardLevel::Full,
            scope,
            signature: Vec::new(),
        }
    }
}

/// Puts together what is told about a failed step.
pub(crate) fn failure(
    store: &Store,
    node: &PlanNode,
    cause: FailureCause,
    log: Option<JobLog>,
    (plan, options): (&Plan, &BuildOptions),
) -> StepFailure {
    let left = log.as_ref().and_then(|log| log.left.as_ref());
    // Without its root the step can be entered as it began.
    let is_kept = keep_failed_root(store, node, left).unwrap_or(false);
    let hint = match left {
        Some(Err(why)) => Some(format!("what it left cannot be kept: {why}")),
        Some(Ok(_)) | None => hint_of(plan, node, &cause),
    };
    let enter = match node.derivation.kind() {
        stxl_model::Kind::Exec => {
            let request = options.request_for(&node.origin.label);
            let failed = if is_kept { "--failed " } else { "" };
            Some(format!("stxl shell {failed}{request}"))
        }
        stxl_model::Kind::Fetch
        | stxl_model::Kind::Import
        | stxl_model::Kind::Unpack
        | stxl_model::Kind::Compose
        | stxl_model::Kind::Archive
        | stxl_model::Kind::Image => None,
    };
    // Without a path the blob is still there, and `stxl log` reads it.
    let path = log.as_ref().map(|log| log_path(store, node, log));
    StepFailure {
        enter,
        hint,
        ..failure_with(node, cause, log, path.and_then(Result::ok))
    }
}

/// Puts together what is told about a step that fails in another world than its own. Nothing keeps
/// the log, which is not that of a step that fails.
pub(crate) fn failure_elsewhere(
    store: &Store,
    node: &PlanNode,
    cause: FailureCause,
    log: Option<JobLog>,
) -> StepFailure {
    let checked_out = |log: &JobLog| checked_out_log(store, log).ok();
    let path = log.as_ref().and_then(checked_out).map(|(_, path)| path);
    failure_with(node, cause, log, path)
}

/// A failure with its log, and nothing to be done about it.
fn failure_with(
    node: &PlanNode,
    cause: FailureCause,
    log: Option<JobLog>,
    log_path: Option<PathBuf>,
) -> StepFailure {
    StepFailure {
        node: node.clone(),
        cause,
        last_lines: log
            .as_ref()
            .map(|log| last_lines(&log.tail))
            .unwrap_or_default(),
        log_path,
        log: log.map(|log| log.blob),
        enter: None,
        hint: None,
    }
}

/// What may be done about a directory of this machine that is not as a release is: a patch may be
/// applied there, and generated files may be missing.
fn hint_of(plan: &Plan, node: &PlanNode, cause: &FailureCause) -> Option<String> {
    let FailureCause::Compose(ComposeError {
        source, operation, ..
    }) = cause
    else {
        return None;
    };
    let label = &node.origin.label;
    let own = plan.nodes().iter().filter(|it| it.origin.label == *label);
    let mut imports = own.filter_map(|it| it.origin.import.as_ref());
    let is_outside = |path: &str| path.starts_with("../") || path.starts_with('/');
    let directory = imports.find(|it| plan.is_local() && is_outside(&it.path))?;
    let path = &directory.path;
    if matches!(source, OpError::Patch { .. }) {
        return Some(format!(
            "if it is applied in `{path}` already: `--override-patched {label}=DIR`, or `patches: []` in `local/{label}/package.rhai`"
        ));
    }
    let is_missing = matches!(source, OpError::Tree { .. }) && operation.starts_with("remove ");
    is_missing.then(|| {
        format!(
            "if `{path}` has no generated files: `regenerate: []` in `local/{label}/package.rhai`"
        )
    })
}

/// The log of a step's last failed execution, if it is still there.
pub fn failed_log(store: &Store, node: &PlanNode) -> Result<Option<BlobId>, StoreError> {
    let roots = store.roots()?;
    let Some(tree) = roots.named.get(&failed_log_root(node)) else {
        return Ok(None);
    };
    Ok(match store.directory(tree)?.find(FILE_ENTRY) {
        Some(Node::File { blob, .. }) => Some(*blob),
        Some(Node::Symlink { .. } | Node::Directory { .. }) | None => None,
    })
}

/// The root of a step as its last execution left it, which failed, if that was kept. What another
/// recipe of the same name left is not this step's.
pub fn failed_root(store: &Store, node: &PlanNode) -> Result<Option<TreeId>, StoreError> {
    let roots = store.roots()?;
    let own = failed_root_name(node);
    Ok(roots.named.get(&own).copied())
}

/// Keeps what a failed execution left, and gives up what one before it did, whatever its recipe
/// was; whether there is something to enter.
fn keep_failed_root(
    store: &Store,
    node: &PlanNode,
    left: Option<&Result<TreeId, String>>,
) -> Result<bool, StoreError> {
    let tree = left.and_then(|left| left.as_ref().ok()).copied();
    let roots = store.roots()?;
    let before = roots.named.keys();
    let before: Vec<&String> = before.filter(|name| is_failed_root(name, node)).collect();
    if tree.is_some() || !before.is_empty() {
        for name in before {
            store.set_root(name, None);
        }
        store.set_root(&failed_root_name(node), tree);
        store.publish()?;
    }
    Ok(tree.is_some())
}

/// The name of the root that keeps what a step left when it failed.
fn failed_root_name(node: &PlanNode) -> String {
    format!("failed root of {} ({})", node.origin.name, node.id)
}

/// Whether a root keeps what a step of this name left.
pub(crate) fn is_failed_root(name: &str, node: &PlanNode) -> bool {
    let rest = name.strip_prefix("failed root of ");
    let rest = rest.and_then(|rest| rest.strip_prefix(node.origin.name.as_str()));
    rest.is_some_and(|rest| rest.starts_with(" ("))
}

/// The name of the root that keeps the log of a step's last failed execution from collection.
pub(crate) fn failed_log_root(node: &PlanNode) -> String {
    format!("failed log of {}", node.origin.name)
}

/// Checks a log out, so that other programs can read it, and keeps it.
fn log_path(store: &Store, node: &PlanNode, log: &JobLog) -> Result<PathBuf, StoreError> {
    let (tree, path) = checked_out_log(store, log)?;
    store.set_root(&failed_log_root(node), Some(tree));
    store.publish()?;
    Ok(path)
}

fn checked_out_log(store: &Store, log: &JobLog) -> Result<(TreeId, PathBuf), StoreError> {
    let tree = store.put_directory(&Directory::of_file(log.blob, log.size_bytes))?;
    Ok((tree, store.checkout(&tree)?.path().join("file")))
}

/// The last lines of a log, invalid text replaced, long lines cut.
fn last_lines(tail: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(tail);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LAST_LINES_MAX);
    let cut = |line: &&str| line.chars().take(LINE_CHARACTERS_MAX).collect();
    lines[first..].iter().map(cut).collect()
}
