//! What a workspace or a request refuses of plans that could be built: opaque sources.

use std::collections::{BTreeMap, VecDeque};

use stxl_lang::{Diagnostic, Severity, SourcePath, Span};
use stxl_model::{PackageLabel, Plan, PlanNode};

use crate::settings::OpaqueSources;

/// Why opaque sources are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// The request.
    Request,
    /// The workspace.
    Workspace,
}

/// Whether machine code comes with a source that nothing of the plan made; a seed is none, for it
/// is on a list.
fn is_opaque(node: &PlanNode) -> bool {
    node.origin.brings_machine_code()
}

/// Whether a plan reaches anything opaque.
pub fn has_opaque(plan: &Plan) -> bool {
    plan.nodes().iter().any(is_opaque)
}

/// An error for each package whose sources are opaque, with where they are named and how it comes
/// that the plan needs them; sorted by package. `text_of` gives the text of a definition.
pub fn refuse_opaque(
    plan: &Plan,
    refused_by: RefusedBy,
    text_of: &dyn Fn(&str) -> Option<String>,
) -> Vec<Diagnostic> {
    let reached = reached_from(plan);
    let mut packages: BTreeMap<&PackageLabel, Vec<usize>> = BTreeMap::new();
    let nodes = plan.nodes().iter().enumerate();
    for (position, node) in nodes.filter(|(_, node)| is_opaque(node)) {
        packages
            .entry(&node.origin.label)
            .or_default()
            .push(position);
    }
    let of_package = |(label, sources): (&PackageLabel, Vec<usize>)| {
        let message = format!("`{label}` has machine code that nothing of the plan made");
        let mut said = Diagnostic::error("opaque-refused", message);
        let nearest = sources.iter().min_by_key(|source| reached[**source].steps);
        let Some(nearest) = nearest.copied() else {
            return said;
        };
        let origin = &plan.nodes()[nearest].origin;
        let path = SourcePath::new(&origin.file);
        let text = text_of(&origin.file).unwrap_or_default();
        let below = match sources.len() {
            1 => "this source is opaque".to_owned(),
            count => format!("this source is opaque, and {} more", count - 1),
        };
        if let Some(span) = span_of_line(&path, &text, |line, _| line == origin.line) {
            said = said.at(span, below);
        }
        let says_so = |_: u32, line: &str| line.trim_start().starts_with("opaque:");
        if let Some(span) = span_of_line(&path, &text, says_so) {
            said = said.also(span, "it says why");
        }
        let way: Vec<String> = way_to(plan, &reached, nearest)
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        if way.len() > 1 {
            said = said.note(format!("the way to it: {}", way.join(" needs ")));
        }
        let by = match refused_by {
            RefusedBy::Request => "`--no-opaque` refuses it",
            RefusedBy::Workspace => "`opaque = \"refuse\"` in `stxl.toml` refuses it",
        };
        said.note(by)
            .hint("build it from its source, or choose other options for what needs it: `--with`")
    };
    packages.into_iter().map(of_package).collect()
}

/// How a node is reached from what was asked for.
#[derive(Clone, Copy)]
struct Reached {
    steps: usize,
    /// What needs it, on a shortest way.
    by: Option<usize>,
    /// The package that was asked for, where the way begins.
    root: usize,
}

fn reached_from(plan: &Plan) -> Vec<Reached> {
    let unreached = Reached {
        steps: usize::MAX,
        by: None,
        root: 0,
    };
    let mut reached = vec![unreached; plan.nodes().len()];
    let roots = plan.roots().iter().enumerate();
    let wanted = roots.flat_map(|(root, it)| it.outputs.ids().iter().map(move |id| (root, id)));
    let begin = |root: usize| Reached {
        steps: 0,
        by: None,
        root,
    };
    let mut queue: VecDeque<(usize, Reached)> = wanted
        .filter_map(|(root, id)| Some((plan.position(id)?, begin(root))))
        .collect();
    while let Some((position, how)) = queue.pop_front() {
        if reached[position].steps != usize::MAX {
            continue;
        }
        reached[position] = how;
        let next = Reached {
            steps: how.steps + 1,
            by: Some(position),
            root: how.root,
        };
        let inputs = plan.nodes()[position].derivation.inputs().iter();
        queue.extend(inputs.filter_map(|id| Some((plan.position(id)?, next))));
    }
    reached
}

/// The packages on the way from what was asked for to a node.
fn way_to<'p>(plan: &'p Plan, reached: &[Reached], node: usize) -> Vec<&'p PackageLabel> {
    let mut way = vec![&plan.nodes()[node].origin.label];
    let mut here = reached[node].by;
    while let Some(position) = here {
        way.push(&plan.nodes()[position].origin.label);
        here = reached[position].by;
    }
    // Packages that leave what they need as it is share its derivation.
    way.extend(plan.roots().get(reached[node].root).map(|root| &root.label));
    way.dedup();
    way.reverse();
    way
}

/// The first line, without the blanks around it, of which something holds: of its number and text.
fn span_of_line(path: &SourcePath, text: &str, holds: impl Fn(u32, &str) -> bool) -> Option<Span> {
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if holds(number, line) {
            let indent = line.len() - line.trim_start().len();
            let first = u32::try_from(start + indent).ok()?;
            let last = u32::try_from(start + line.trim_end().len()).ok()?;
            return Some(Span::new(path, first, last));
        }
        start += line.len();
    }
    None
}

/// What a `stxl.toml` says of opaque sources; none if it is wrong.
pub fn opaque_sources_of(path: &SourcePath, text: &str) -> Option<OpaqueSources> {
    let (settings, wrong) = crate::settings::Settings::parse(path, text);
    let is_right = wrong.iter().all(|it| it.severity != Severity::Error);
    is_right.then_some(settings.opaque)
}
