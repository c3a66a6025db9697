//! Nodes of the graph of packages: a label, an output, a configuration; and how references in the
//! text lead to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use stxl_lang::{
    Diagnostic, Expanded, HostError, Operand, OutputExpression, Reference, RootExpression, Site,
};
use stxl_model::{Label, OutputName, PackageLabel, Platform};

use crate::database::{Configured, Db, Package};
use crate::host::check_label;
use crate::queries::{self, error, span_of_site};
use crate::suggestion::nearest;

/// Names of outputs that stand for tests begin with this; no package can name such an output itself
/// and mean something else, for tests are looked up by it last.
const TEST_PREFIX: &str = "test.";

/// An output of a package in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeKey {
    pub(crate) label: PackageLabel,
    pub(crate) configured: Configured,
    pub(crate) output: OutputName,
}

impl NodeKey {
    /// The nodes of some outputs of a package.
    pub(crate) fn of_outputs(
        label: &PackageLabel,
        configured: &Configured,
        outputs: Vec<OutputName>,
    ) -> Vec<Self> {
        let node = |output| Self {
            label: label.clone(),
            configured: configured.clone(),
            output,
        };
        outputs.into_iter().map(node).collect()
    }

    /// The node as a label, without its configuration.
    pub(crate) fn to_label(&self) -> Label {
        Label {
            package: self.label.clone(),
            output: self.output.clone(),
        }
    }
}

/// A node as a key of queries.
#[salsa::interned]
pub(crate) struct Node {
    #[returns(clone)]
    pub(crate) key: NodeKey,
}

/// Nodes without duplicates, in the order of insertion; they are numbers here.
type NodeSet<'db> = IndexSet<Node<'db>, FxBuildHasher>;

/// The nodes that one output is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Everything whose id its lowering reads: what is written, and what that brings.
    pub(crate) nodes: Vec<NodeKey>,
    /// How many of them are written.
    pub(crate) written: usize,
    /// Whether some references lead nowhere.
    pub(crate) is_broken: bool,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What references lead to that is itself wrong.
    pub(crate) faulty: Vec<NodeKey>,
}

/// What every consumer of an output gets besides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Brought {
    pub(crate) nodes: Vec<NodeKey>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What references lead to that is itself wrong.
    pub(crate) faulty: Vec<NodeKey>,
}

/// Why a reference leads nowhere.
pub(crate) enum Unresolved {
    /// The reference is wrong.
    Wrong(Box<Diagnostic>),
    /// What it names has no definition or no outputs; the driver has to ask why.
    Faulty(Box<NodeKey>),
}

impl Unresolved {
    fn sort_into(self, diagnostics: &mut Vec<Diagnostic>, faulty: &mut Vec<NodeKey>) {
        match self {
            Self::Wrong(diagnostic) => diagnostics.push(*diagnostic),
            Self::Faulty(key) => faulty.push(*key),
        }
    }
}

/// Finds an output, or the test that stands for one.
pub(crate) fn output_of<'e>(
    expanded: &'e Expanded,
    output: &OutputName,
) -> Option<&'e OutputExpression> {
    let test = || {
        expanded
            .tests
            .get(output.as_str().strip_prefix(TEST_PREFIX)?)
    };
    expanded.outputs.get(output).or_else(test).map(Arc::as_ref)
}

/// Whether there is such an output.
pub(crate) fn is_output(db: &dyn Db, key: &NodeKey) -> bool {
    let result = queries::expanded(db, db.package(&key.label), &key.configured);
    let expanded = result.expanded.as_ref();
    expanded.is_some_and(|expanded| output_of(expanded, &key.output).is_some())
}

/// The output that stands for a test.
pub(crate) fn output_of_test(test: &str) -> Option<OutputName> {
    OutputName::parse(&format!("{TEST_PREFIX}{test}")).ok()
}

/// The outputs a package has, for checking references. Cut off when only their making changes.
#[salsa::tracked(returns(clone))]
pub(crate) fn output_names(
    db: &dyn Db,
    package: Package,
    platform: Platform,
    options: Arc<BTreeMap<String, String>>,
) -> Option<Arc<Vec<OutputName>>> {
    let configured = Configured { platform, options };
    let result = queries::expanded(db, package, &configured);
    let expanded = result.expanded.as_ref()?;
    Some(Arc::new(expanded.outputs.keys().cloned().collect()))
}

/// Everything whose id the lowering of an output reads.
#[salsa::tracked(returns(clone))]
pub(crate) fn needed<'db>(db: &'db dyn Db, node: Node<'db>) -> Arc<Needed> {
    let node = node.key(db);
    db.shared().log(|| format!("needed({node})"));
    let result = queries::expanded(db, db.package(&node.label), &node.configured);
    let Some(expression) = result
        .expanded
        .as_ref()
        .and_then(|expanded| output_of(expanded, &node.output))
    else {
        return Arc::default();
    };
    let mut needed = Needed::default();
    let mut seen = NodeSet::default();
    for reference in references_of(expression) {
        match resolve(db, &node, reference) {
            Ok(key) => {
                if seen.insert(Node::new(db, key.clone())) {
                    needed.nodes.push(key);
                }
            }
            Err(unresolved) => {
                needed.is_broken = true;
                unresolved.sort_into(&mut needed.diagnostics, &mut needed.faulty);
            }
        }
    }
    let brought = brought_by_nodes(db, seen);
    needed.written = needed.nodes.len();
    needed.nodes.extend(brought);
    Arc::new(needed)
}

/// What every consumer of an output gets besides, one step far.
#[salsa::tracked(returns(clone))]
pub(crate) fn brings<'db>(db: &'db dyn Db, node: Node<'db>) -> Arc<Brought> {
    let node = node.key(db);
    let result = queries::expanded(db, db.package(&node.label), &node.configured);
    let Some(expanded) = &result.expanded else {
        return Arc::default();
    };
    let mut brought = Brought::default();
    let own = expanded
        .output_brings
        .get(&node.output)
        .into_iter()
        .flatten();
    for reference in expanded.brings.iter().chain(own) {
        match resolve(db, &node, reference) {
            Ok(key) if brought.nodes.contains(&key) => {}
            Ok(key) => brought.nodes.push(key),
            Err(unresolved) => {
                unresolved.sort_into(&mut brought.diagnostics, &mut brought.faulty);
            }
        }
    }
    Arc::new(brought)
}

/// What a list of nodes brings along, over any number of steps, without the nodes themselves: what
/// is brought by something brought stands before it.
pub(crate) fn brought_by(db: &dyn Db, nodes: &[NodeKey]) -> Vec<NodeKey> {
    let nodes = nodes.iter().map(|node| Node::new(db, node.clone()));
    brought_by_nodes(db, nodes.collect())
}

fn brought_by_nodes<'db>(db: &'db dyn Db, nodes: NodeSet<'db>) -> Vec<NodeKey> {
    let mut ordered = Vec::new();
    let mut seen = nodes;
    for position in 0..seen.len() {
        let Some(node) = seen.get_index(position) else {
            break;
        };
        let brought = brings(db, *node);
        if brought.nodes.is_empty() {
            continue;
        }
        let mut stack = vec![(None, brought, 0)];
        while let Some((owner, brought, next)) = stack.pop() {
            let Some(child) = brought.nodes.get(next).cloned() else {
                ordered.extend(owner);
                continue;
            };
            stack.push((owner, brought, next + 1));
            let node = Node::new(db, child.clone());
            if seen.insert(node) {
                stack.push((Some(child), brings(db, node), 0));
            }
        }
    }
    ordered
}

/// The node a reference of `user` leads to.
pub(crate) fn resolve(
    db: &dyn Db,
    user: &NodeKey,
    reference: &Reference,
) -> Result<NodeKey, Unresolved> {
    let label = reference.package.as_ref().unwrap_or(&user.label);
    let package = check_label(db, &user.label, label)
        .map_err(|error| label_error(db, user, reference, &error))?;
    let faulty = || Unresolved::Faulty(Box::new(key_of(user, reference)));
    let facts = queries::facts(db, package).ok_or_else(faulty)?;
    let problem = |id, message: String, hints: Vec<String>| -> Unresolved {
        let mut diagnostic = error(id, message, Some(span_of_site(db, &reference.site)));
        diagnostic.hints = hints;
        Unresolved::Wrong(Box::new(diagnostic))
    };
    let platform = reference.platform.unwrap_or(user.configured.platform);
    if let Some(platforms) = &facts.platforms
        && !platforms.contains(&platform)
    {
        let names: Vec<_> = platforms.iter().map(|it| format!("`{it}`")).collect();
        let message = format!(
            "`{label}` is not for {platform} but for {}",
            names.join(", ")
        );
        let on = |it: &Platform| format!("write `pkg(\"{label}\").on(\"{it}\")`");
        return Err(problem(
            "wrong-platform",
            message,
            platforms.iter().map(on).collect(),
        ));
    }
    if let Some(unknown) = reference
        .options
        .keys()
        .find(|it| !facts.options.contains(*it))
    {
        let near = nearest(unknown, facts.options.iter().map(String::as_str));
        let hints = near
            .iter()
            .map(|it| format!("did you mean `{it}`?"))
            .collect();
        let message = format!("`{label}` has no option `{unknown}`");
        return Err(problem("unknown-option", message, hints));
    }
    let key = key_of(user, reference);
    let options = Arc::clone(&key.configured.options);
    let names = output_names(db, package, platform, options).ok_or_else(faulty)?;
    if !names.contains(&reference.output) {
        let near = nearest(
            reference.output.as_str(),
            names.iter().map(OutputName::as_str),
        );
        let hints = if let Some(near) = near.first() {
            vec![format!("did you mean `{near}`?")]
        } else {
            let all: Vec<_> = names.iter().map(|it| format!("`{it}`")).collect();
            vec![format!("its outputs are: {}", all.join(", "))]
        };
        let message = format!("`{label}` has no output `{}`", reference.output);
        return Err(problem("unknown-output", message, hints));
    }
    Ok(key)
}

/// The node a reference of `user` names, whether or not there is one.
pub(crate) fn key_of(user: &NodeKey, reference: &Reference) -> NodeKey {
    let configured = Configured {
        platform: reference.platform.unwrap_or(user.configured.platform),
        options: joined(&user.configured.options, &reference.options),
    };
    let label = reference.package.as_ref().unwrap_or(&user.label).clone();
    NodeKey {
        label,
        configured,
        output: reference.output.clone(),
    }
}

fn joined(
    inherited: &Arc<BTreeMap<String, String>>,
    set: &BTreeMap<String, String>,
) -> Arc<BTreeMap<String, String>> {
    if set.is_empty() {
        return Arc::clone(inherited);
    }
    let mut options = inherited.as_ref().clone();
    options.extend(
        set.iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Arc::new(options)
}

/// What is wrong with a label, for references that the language did not see (`base` of a stage).
fn label_error(
    db: &dyn Db,
    user: &NodeKey,
    reference: &Reference,
    wrong: &HostError,
) -> Unresolved {
    let label = reference.package.as_ref().unwrap_or(&user.label);
    let span = span_of_site(db, &reference.site);
    let diagnostic = match wrong {
        HostError::Unknown { suggestions } => {
            let message = format!("There is no package `{label}`");
            let mut diagnostic = error("unknown-package", message, Some(span));
            let hint = suggestions.iter().map(|it| format!("did you mean `{it}`?"));
            diagnostic.hints = hint.collect();
            diagnostic
        }
        HostError::LaterStage { from, stage } => {
            let message =
                format!("`{label}` is in the stage `{stage}`, which is later than `{from}`");
            let mut diagnostic = error("later-stage", message, Some(span));
            let hint = "a package may need packages of its own group of stages and of earlier ones";
            diagnostic.hints = vec![hint.to_owned()];
            diagnostic
        }
        HostError::Cycle { .. } | HostError::Unreadable { .. } | HostError::Failed => {
            return Unresolved::Faulty(Box::new(key_of(user, reference)));
        }
    };
    Unresolved::Wrong(Box::new(diagnostic))
}

/// The references an output is made of, in the order of its operations, each step visited once.
pub(crate) fn references_of(output: &OutputExpression) -> Vec<&Reference> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    visit_root(&output.root, &mut seen, &mut found);
    found
}

fn visit_root<'e>(
    root: &'e RootExpression,
    seen: &mut BTreeSet<usize>,
    found: &mut Vec<&'e Reference>,
) {
    let mut steps = Vec::new();
    let mut next = Some(root);
    while let Some(RootExpression(step)) = next {
        if !seen.insert(Arc::as_ptr(step).addr()) {
            break;
        }
        steps.push(step);
        next = step.before.as_ref();
    }
    for step in steps.into_iter().rev() {
        for operand in step.operation.operands() {
            match operand {
                Operand::Package(reference) => found.push(reference),
                Operand::Root(root) => visit_root(root, seen, found),
                Operand::Output(output) => visit_root(&output.root, seen, found),
                Operand::File(_) | Operand::Directory(_) | Operand::Seed(_) | Operand::Fetch(_) => {
                }
            }
        }
    }
}

/// Where a node first names another one, or else what brings that one, and what this is.
pub(crate) fn site_of_need(
    db: &dyn Db,
    node: &NodeKey,
    needed: &NodeKey,
) -> Option<(Site, Option<NodeKey>)> {
    let result = queries::expanded(db, db.package(&node.label), &node.configured);
    let expression = output_of(result.expanded.as_ref()?, &node.output)?;
    let references = references_of(expression);
    let named = references.iter().filter_map(|reference| {
        let key = resolve(db, node, reference).ok()?;
        Some((&reference.site, key))
    });
    let named: Vec<(&Site, NodeKey)> = named.collect();
    if let Some((site, _)) = named.iter().find(|(_, key)| key == needed) {
        return Some(((*site).clone(), None));
    }
    let brings = |key: &NodeKey| brought_by(db, std::slice::from_ref(key)).contains(needed);
    let (site, bringing) = named.into_iter().find(|(_, key)| brings(key))?;
    Some((site.clone(), Some(bringing)))
}

impl std::fmt::Display for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}, {}",
            self.label, self.output, self.configured.platform
        )?;
        for (name, value) in self.configured.options.iter() {
            write!(f, ", {name}={value}")?;
        }
        Ok(())
    }
}
