//! Steps of a build of which nothing is made.
//!
//! The lints see a step that is thrown away where it is called. What is thrown away by way of a
//! function or of a variable is seen here: the steps of an evaluation that lead to no output.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::dialect::frame::Frame;
use crate::expression::{Operand, OutputExpression, RootExpression, RootStep, Site};
use crate::lint::discarded;

/// What one build made, in order.
#[derive(Default)]
pub(crate) struct Made {
    /// Its steps.
    pub(crate) steps: Vec<RootExpression>,
    /// Its outputs.
    pub(crate) outputs: Vec<Arc<OutputExpression>>,
}

/// The steps that lead to something, by address, and the outputs that are something: filters keep
/// the place and the root of what they filter.
#[derive(Default)]
struct Used<'a> {
    steps: BTreeSet<usize>,
    outputs: BTreeSet<(&'a Site, usize)>,
    waiting: Vec<&'a RootStep>,
}

impl<'a> Used<'a> {
    fn root(&mut self, RootExpression(root): &'a RootExpression) {
        if self.steps.insert(Arc::as_ptr(root).addr()) {
            self.waiting.push(root);
        }
    }

    fn output(&mut self, output: &'a OutputExpression) {
        self.outputs.insert(place_of(output));
        self.root(&output.root);
    }

    /// Follows what waits.
    fn follow(&mut self) {
        while let Some(step) = self.waiting.pop() {
            if let Some(before) = &step.before {
                self.root(before);
            }
            for operand in step.operation.operands() {
                match operand {
                    Operand::Root(root) => self.root(root),
                    Operand::Output(output) => self.output(output),
                    Operand::Package(_)
                    | Operand::File(_)
                    | Operand::Directory(_)
                    | Operand::Seed(_)
                    | Operand::Fetch(_) => {}
                }
            }
        }
    }

    fn has(&self, RootExpression(root): &RootExpression) -> bool {
        self.steps.contains(&Arc::as_ptr(root).addr())
    }
}

fn place_of(output: &OutputExpression) -> (&Site, usize) {
    (&output.site, Arc::as_ptr(&output.root.0).addr())
}

/// How many are said at most: each takes a look at the whole file.
const SAID_MAX: usize = 20;

/// What is said about the steps and outputs that lead to none of the outputs of the package.
pub(crate) fn diagnostics<'a>(
    frame: &Frame<'_>,
    made: &'a Made,
    outputs: impl Iterator<Item = &'a Arc<OutputExpression>>,
) -> Vec<Diagnostic> {
    let mut used = Used::default();
    for output in outputs {
        used.output(output);
    }
    used.follow();
    let unused_outputs = made.outputs.iter().rev();
    let unused_outputs: Vec<_> = unused_outputs
        .filter(|output| !used.outputs.contains(&place_of(output)))
        .collect();
    let mut found = Vec::new();
    // The last step of a chain stands for all of it, and an output for its steps.
    for output in unused_outputs {
        if found.len() >= SAID_MAX {
            break;
        }
        if used.outputs.contains(&place_of(output)) {
            continue;
        }
        found.extend(thrown_away(
            frame,
            &output.site,
            "This output is thrown away",
        ));
        used.output(output);
        used.follow();
    }
    for step in made.steps.iter().rev() {
        if found.len() >= SAID_MAX {
            break;
        }
        if used.has(step) {
            continue;
        }
        found.extend(thrown_away(frame, &step.0.site, "This step is thrown away"));
        used.root(step);
        used.follow();
    }
    found
}

fn thrown_away(frame: &Frame<'_>, site: &Site, message: &str) -> Option<Diagnostic> {
    let module = frame.module_at(&site.path)?;
    let span = module.span_at(site);
    let tree = module.syntax();
    // Where a lint of the file says so already, this would be an echo.
    let mut faults = module.faults("thrown-away");
    if discarded::may_be_chosen(tree, span.start)
        || faults.any(|fault| discarded::is_cause(tree, fault, span.start))
    {
        return None;
    }
    let mut diagnostic = Diagnostic::error("thrown-away", message)
        .at(span.clone(), "leads to no output of the package")
        .hint("use what it gives: `built = built.run(…)`, or chain it to what uses it")
        .hint("leave it out if nothing needs it");
    if let Some(function) = discarded::function_around(tree, span.start) {
        for call in discarded::calls_of(frame.module.syntax(), function) {
            diagnostic = diagnostic.also(call, "called here");
        }
    }
    Some(diagnostic)
}
