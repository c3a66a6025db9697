//! Steps and packages whose value is thrown away.
//!
//! Root operations give a new root and change nothing, so a call whose value is not used is a step
//! that silently does not happen.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Span};
use crate::schema::BuilderSchema;
use crate::syntax::SyntaxTree;
use crate::syntax::node::{Link, Node, NodeId, NodeKind, Range};

/// Methods of roots and outputs, none of which changes what it is called on.
const OPERATIONS: &[&str] = &[
    "add",
    "argvs",
    "assert_equal",
    "cd",
    "copy",
    "drop",
    "env",
    "keep",
    "mkdir",
    "move",
    "out",
    "patch",
    "put",
    "run",
    "run_all",
    "set_executable",
    "substitute",
    "symlink",
    "timeout",
    "unpack",
    "user",
    "write",
];

/// Those that give an output.
const OUTPUTS: &[&str] = &["assert_equal", "drop", "keep", "out"];

pub(super) fn lint(tree: &SyntaxTree, found: &mut Vec<Diagnostic>) {
    let steps = functions_of_steps(tree);
    found.extend(unread(tree, &steps));
    let mut unused = Vec::new();
    let last = tree.statements().iter().rposition(|id| {
        tree.node(*id)
            .is_some_and(|node| !matches!(node.kind, NodeKind::Function { .. }))
    });
    for (index, id) in tree.statements().iter().enumerate() {
        if Some(index) != last {
            unused.push(*id);
        }
    }
    for node in tree.nodes() {
        match &node.kind {
            NodeKind::Block(statements) => {
                if let Some((_, before)) = statements.split_last() {
                    unused.extend(before);
                }
            }
            NodeKind::Loop { body, .. } => unused.push(*body),
            _ => {}
        }
    }
    while let Some(id) = unused.pop() {
        let Some(node) = tree.node(id) else { continue };
        match &node.kind {
            NodeKind::Block(statements) => unused.extend(statements.last()),
            NodeKind::If {
                branches,
                otherwise,
            } => {
                unused.extend(branches.iter().map(|(_, body)| *body));
                unused.extend(otherwise);
            }
            NodeKind::Switch(bodies) => unused.extend(bodies),
            NodeKind::Try {
                body, otherwise, ..
            } => unused.extend([*body, *otherwise]),
            NodeKind::Group(inner) => unused.push(*inner),
            NodeKind::Chain { head, links } => found.extend(step(tree, node, *head, links)),
            NodeKind::Call { name, .. } => found.extend(call(tree, *name, &steps)),
            _ => {}
        }
    }
}

/// The functions of the file whose value is a step, also by way of one another.
fn functions_of_steps(tree: &SyntaxTree) -> BTreeSet<&str> {
    let functions: Vec<(&str, NodeId)> = tree
        .nodes()
        .iter()
        .filter_map(|node| match &node.kind {
            NodeKind::Function { name, body, .. } => Some((tree.slice(*name), *body)),
            _ => None,
        })
        .collect();
    let mut steps = BTreeSet::new();
    loop {
        let before = steps.len();
        for (name, body) in &functions {
            if is_step(tree, *body, &steps) {
                steps.insert(*name);
            }
        }
        if steps.len() == before {
            return steps;
        }
    }
}

/// Whether the value of a node is a root or an output as far as the text tells.
fn is_step(tree: &SyntaxTree, id: NodeId, steps: &BTreeSet<&str>) -> bool {
    let mut next = Some(id);
    while let Some(node) = next.and_then(|id| tree.node(id)) {
        next = match &node.kind {
            NodeKind::Block(statements) => statements.last().copied(),
            NodeKind::Group(inner) => Some(*inner),
            NodeKind::If {
                otherwise: Some(otherwise),
                ..
            } => Some(*otherwise),
            NodeKind::Chain { links, .. } => {
                return matches!(links.last(), Some(Link::Method { name, .. })
                    if OPERATIONS.contains(&tree.slice(*name)));
            }
            NodeKind::Call { name, .. } => {
                let called = tree.slice(*name);
                let is_qualified = tree.slice(node.range).starts_with(called);
                return is_qualified && (called == "root" || steps.contains(called));
            }
            _ => return false,
        };
    }
    false
}

/// Variables of functions that are set to a step and never read.
fn unread(tree: &SyntaxTree, steps: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let mut functions: Vec<Range> = Vec::new();
    let mut set: BTreeSet<u32> = BTreeSet::new();
    for node in tree.nodes() {
        match node.kind {
            NodeKind::Function { .. } => functions.push(node.range),
            NodeKind::Assign => {
                set.insert(node.range.start);
            }
            _ => {}
        }
    }
    functions.sort_by_key(|range| range.start);
    let function_at = |offset: u32| {
        let index = functions.partition_point(|range| range.start <= offset);
        let index = index.checked_sub(1)?;
        functions.get(index)?.contains(offset).then_some(index)
    };
    // Where each variable of each function is read last.
    let mut read: BTreeMap<(usize, &str), u32> = BTreeMap::new();
    for node in tree.nodes() {
        let is_read = matches!(node.kind, NodeKind::Name) && !set.contains(&node.range.start);
        if is_read && let Some(function) = function_at(node.range.start) {
            let last = read.entry((function, tree.slice(node.range))).or_default();
            *last = node.range.start.max(*last);
        }
    }
    let lost = tree.nodes().iter().filter_map(|node| {
        let NodeKind::Let { name, value, .. } = &node.kind else {
            return None;
        };
        let function = function_at(name.start)?;
        let last = read.get(&(function, tree.slice(*name)));
        let is_read = last.is_some_and(|last| *last > name.end);
        let value = value.filter(|value| !is_read && is_step(tree, *value, steps))?;
        Some(unread_variable(tree, *name, value))
    });
    lost.collect()
}

fn unread_variable(tree: &SyntaxTree, name: Range, value: NodeId) -> Diagnostic {
    let text = tree.slice(name);
    let is_output = tree.node(value).is_some_and(|node| {
        matches!(&node.kind, NodeKind::Chain { links, .. }
            if matches!(links.last(), Some(Link::Method { name, .. })
                if OUTPUTS.contains(&tree.slice(*name))))
    });
    let (message, hint) = if is_output {
        (
            "This output is thrown away",
            format!("give it back: `#{{ main: …, {text}: {text} }}`; otherwise leave it out"),
        )
    } else {
        (
            "This step is thrown away",
            format!("go on with it: `{text}.run(…)` or `{text}.out()`; otherwise leave it out"),
        )
    };
    Diagnostic::error("thrown-away", message)
        .at(tree.span(name), "nothing reads it")
        .hint(hint)
}

/// Whether what is made at a place is there for a choice: one of several in a list or map, or a
/// variable that is read in a branch, which may not be taken.
pub(crate) fn may_be_chosen(tree: &SyntaxTree, offset: u32) -> bool {
    let around = |node: &&Node| node.range.contains(offset);
    tree.nodes()
        .iter()
        .filter(around)
        .any(|node| match &node.kind {
            NodeKind::List(_) | NodeKind::Map(_) => true,
            NodeKind::Let { name, .. } => is_read_in_a_branch(tree, tree.slice(*name), node.range),
            NodeKind::Assign => {
                let target = tree.slice(node.range).split(['=', '+']).next();
                is_read_in_a_branch(tree, target.unwrap_or_default().trim(), node.range)
            }
            _ => false,
        })
}

/// Whether a step at a place is thrown away because of what a lint found at `fault`: the step
/// itself, the variable it is set to, or a call of a function that makes it.
pub(crate) fn is_cause(tree: &SyntaxTree, fault: &Span, offset: u32) -> bool {
    let is_name = |name: &Range| name.start == fault.start && name.end == fault.end;
    fault.start == offset
        || tree.nodes().iter().any(|node| match &node.kind {
            NodeKind::Let { name, .. } => is_name(name) && node.range.contains(offset),
            NodeKind::Call { name, .. } => {
                let function = function_around(tree, offset);
                is_name(name) && function.is_some_and(|function| function != "build")
            }
            _ => false,
        })
}

/// The name of the function around a place.
pub(crate) fn function_around(tree: &SyntaxTree, offset: u32) -> Option<&str> {
    tree.nodes().iter().find_map(|node| match &node.kind {
        NodeKind::Function { name, .. } if node.range.contains(offset) => Some(tree.slice(*name)),
        _ => None,
    })
}

/// Where a file calls a function of this name.
pub(crate) fn calls_of(tree: &SyntaxTree, function: &str) -> Vec<Span> {
    let calls = tree.nodes().iter().filter_map(|node| match &node.kind {
        NodeKind::Call { name, .. } if tree.slice(*name) == function => Some(tree.span(*name)),
        _ => None,
    });
    calls.collect()
}

/// Whether a variable is read in a branch that the statement which sets it is not in.
fn is_read_in_a_branch(tree: &SyntaxTree, name: &str, set: Range) -> bool {
    let mut branches: Vec<Range> = Vec::new();
    let range = |id: &NodeId| tree.node(*id).map(|node| node.range);
    for node in tree.nodes() {
        match &node.kind {
            NodeKind::If {
                branches: bodies,
                otherwise,
            } => {
                branches.extend(bodies.iter().filter_map(|(_, body)| range(body)));
                branches.extend(otherwise.iter().filter_map(range));
            }
            NodeKind::Switch(bodies) => branches.extend(bodies.iter().filter_map(range)),
            NodeKind::Loop { body, .. } => branches.extend(range(body)),
            NodeKind::Closure(_) => branches.push(node.range),
            _ => {}
        }
    }
    branches.retain(|branch| branch.start > set.start);
    tree.nodes().iter().any(|node| {
        matches!(node.kind, NodeKind::Name)
            && tree.slice(node.range) == name
            && branches
                .iter()
                .any(|branch| branch.contains(node.range.start))
    })
}

fn step(tree: &SyntaxTree, node: &Node, head: NodeId, links: &[Link]) -> Option<Diagnostic> {
    let Some(Link::Method { name, .. }) = links.last() else {
        return None;
    };
    let operation = tree.slice(*name);
    if !OPERATIONS.contains(&operation) {
        return None;
    }
    let diagnostic = Diagnostic::error("thrown-away", "This step is thrown away")
        .at(tree.span(*name), "gives a new root, which nothing uses");
    let is_variable = matches!(tree.node(head), Some(head) if matches!(head.kind, NodeKind::Name));
    if !is_variable {
        return Some(diagnostic.hint("keep the value: `let built = …;`, or go on with the chain"));
    }
    let root = tree.text_of(head);
    let text = tree.slice(node.range);
    let fix = if text.len() <= 60 && !text.contains('\n') {
        format!("{root} = {text}")
    } else {
        format!("{root} = {root}.{operation}(…)")
    };
    Some(diagnostic.hint(format!("write `{fix}`, or chain it to what uses it")))
}

fn call(tree: &SyntaxTree, name: Range, steps: &BTreeSet<&str>) -> Option<Diagnostic> {
    let called = tree.slice(name);
    if steps.contains(called) {
        return Some(
            Diagnostic::error(
                "thrown-away",
                format!("What `{called}` gives is thrown away"),
            )
            .at(tree.span(name), "gives a new root, which nothing uses")
            .hint(format!("keep it, as in `built = {called}(built)`")),
        );
    }
    if called == "root" {
        return Some(
            Diagnostic::error("thrown-away", "This root is thrown away")
                .at(tree.span(name), "nothing uses it")
                .hint("keep it: `let built = root(…);`"),
        );
    }
    BuilderSchema::find(called).is_some().then(|| {
        Diagnostic::error("thrown-away", "This package is thrown away")
            .at(tree.span(name), "only the last value of the file counts")
            .hint("one file is one package: give the other one a folder of its own")
    })
}
