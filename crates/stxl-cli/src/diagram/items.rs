//! Packages and derivations as items of a diagram.

use std::collections::{BTreeMap, BTreeSet};

use stxl_build::NodeStatus;
use stxl_eval::{Saying, Survey};
use stxl_model::{Kind, PackageLabel, Plan, PlanNode};

use super::{Diagram, Item, ItemKind, ItemStatus};

/// The packages of a plan. What each needs is what any output of it needs.
pub(crate) fn of_packages(
    plan: &Plan,
    survey: &Survey,
    sayings: &[Saying],
    statuses: Option<&[NodeStatus]>,
) -> Diagram {
    let outputs = survey.outputs();
    let labels: BTreeSet<&PackageLabel> = outputs.iter().map(|it| &it.label.package).collect();
    let positions: BTreeMap<&PackageLabel, usize> = labels
        .iter()
        .enumerate()
        .map(|(at, label)| (*label, at))
        .collect();
    let sayings: BTreeMap<&str, &Saying> = sayings
        .iter()
        .map(|saying| (saying.label.as_str(), saying))
        .collect();
    let mut items: Vec<Item> = labels.iter().map(|label| item_of(label)).collect();
    let mut pairs = Vec::new();
    let mut steps: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); items.len()];
    for output in outputs {
        let user = positions[&output.label.package];
        let needs = output.needs.iter().filter_map(|need| outputs.get(*need));
        pairs.extend(needs.map(|need| (user, positions[&need.label.package])));
        for position in output.derivations.iter().filter_map(|id| plan.position(id)) {
            let node = &plan.nodes()[position];
            let item = &mut items[user];
            item.is_opaque |= node.origin.is_opaque;
            if node.derivation.kind() == Kind::Exec {
                steps[user].insert(position);
            }
            if let Some(status) = statuses.and_then(|statuses| statuses.get(position)) {
                item.status = item.status.max(Some(item_status(*status)));
            }
        }
    }
    for ((item, label), steps) in items.iter_mut().zip(&labels).zip(steps) {
        let steps = steps.into_iter().map(|position| &plan.nodes()[position]);
        item.steps = steps.map(|node| own_name(label, node)).collect();
        if statuses.is_some() {
            // One without derivations of its own gives what another one gives.
            item.status = item.status.or(Some(ItemStatus::Cached));
        }
        if let Some(saying) = sayings.get(label.as_str()) {
            item.version.clone_from(&saying.version);
            item.description.clone_from(&saying.description);
            item.file.clone_from(&saying.file);
            item.line = saying.line;
        }
    }
    Diagram {
        stages: stages_of(plan),
        ..Diagram::new(ItemKind::Package, items, pairs)
    }
}

/// The derivations of a plan.
pub(crate) fn of_steps(plan: &Plan, statuses: Option<&[NodeStatus]>) -> Diagram {
    let nodes = plan.nodes();
    let items = nodes.iter().enumerate().map(|(position, node)| {
        let label = &node.origin.label;
        let status = statuses.and_then(|statuses| statuses.get(position));
        Item {
            id: node.id.to_string(),
            text: format!("{}: {}", label.package(), own_name(label, node)),
            kind: Some(node.derivation.kind().name()),
            status: status.map(|status| item_status(*status)),
            file: node.origin.file.clone(),
            line: node.origin.line,
            is_opaque: node.origin.is_opaque,
            ..item_of(label)
        }
    });
    let mut pairs = Vec::new();
    for (user, node) in nodes.iter().enumerate() {
        let inputs = node.derivation.inputs().iter();
        pairs.extend(inputs.filter_map(|input| Some((user, plan.position(input)?))));
    }
    Diagram {
        stages: stages_of(plan),
        ..Diagram::new(ItemKind::Step, items.collect(), pairs)
    }
}

/// The stages of a plan in the order in which they are needed.
fn stages_of(plan: &Plan) -> Vec<String> {
    let mut stages: Vec<String> = Vec::new();
    let nodes = plan.nodes().iter().map(|node| &node.origin.label);
    for label in nodes.chain(plan.roots().iter().map(|root| &root.label)) {
        if !stages.iter().any(|stage| stage == label.stage()) {
            stages.push(label.stage().to_owned());
        }
    }
    stages
}

fn item_of(label: &PackageLabel) -> Item {
    Item {
        id: label.to_string(),
        text: label.package().to_owned(),
        label: label.to_string(),
        stage: label.stage().to_owned(),
        ..Item::default()
    }
}

/// The name of a derivation within its package.
fn own_name(label: &PackageLabel, node: &PlanNode) -> String {
    let name = node.origin.name.as_str();
    match name.strip_prefix(label.as_str()) {
        Some("") => "main".to_owned(),
        Some(rest) => rest.trim_start_matches([':', ' ']).to_owned(),
        None => name.to_owned(),
    }
}

fn item_status(status: NodeStatus) -> ItemStatus {
    match status {
        NodeStatus::Cached => ItemStatus::Cached,
        NodeStatus::Run => ItemStatus::Run,
        NodeStatus::Pending => ItemStatus::Pending,
    }
}
