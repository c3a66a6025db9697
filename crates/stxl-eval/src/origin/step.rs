//! Where a part of a step comes from: the fields it is made of, and the calls that make it.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{
    Built, Command, Definition, ExpandRequest, Operand, RootExpression, RootOperation, SourcePath,
};

use super::changed::{Change, ChangedHost};
use super::path::{
    How, Part, Step, change_operand, leaves, shown, shown_operand, value_at, with_changed, written,
};
use super::{Found, Search};
use crate::database::{Configured, Db as _};
use crate::host::QueryHost;
use crate::lowering::runs_in_order;
use crate::queries;

/// How many packages are followed that read one another.
const PACKAGES_MAX: u32 = 16;

/// How many values of a definition are changed, one after the other.
const VALUES_MAX: usize = 1000;

/// The fields with which every script is told something, by variable.
const STANDARD: [(&str, &str); 1] = [("VERSION", "version")];

/// Where a part of a step comes from, and what it is.
pub(super) fn find(
    search: Search<'_>,
    configured: &Configured,
    number: usize,
    part: &Part,
) -> Result<(Option<String>, Found), String> {
    let missing = || format!("`{}` cannot be built", search.label);
    let build = Build::new(search, configured).ok_or_else(missing)?;
    let built = build
        .run(&build.definition, &build.request)
        .ok_or_else(missing)?;
    let runs = runs_in_order(&built.expanded);
    let run = number.checked_sub(1).and_then(|index| runs.get(index));
    let Some(run) = run else {
        return Err(format!(
            "`{}` has no step {number}, only {}",
            search.label,
            runs.len()
        ));
    };
    let run = built.steps.iter().position(|step| address(step) == *run);
    let run = run.ok_or_else(missing)?;
    let Some(place) = place_of(&built.steps, run, part) else {
        return match part {
            Part::Variable(name) => build.standard_variable(name, number),
            Part::Commands => Err(missing()),
            Part::Command(index) => Err(format!("step {number} has no command {index}")),
            Part::Input(index) => Err(format!("the root of step {number} has no input {index}")),
        };
    };
    let value = facet(&built.steps, place, part).ok_or_else(missing)?;
    let mut found = build.fields_in(place, part, &value);
    let language = &search.db.shared().language;
    let host = build.host();
    let host = ChangedHost::new(&host, Change::Nothing);
    let way = search.evaluating(&build.definition.path, || {
        language.way_to_step(&build.definition, &build.request, &host, place.step)
    });
    let last = way.len().saturating_sub(1);
    for (index, call) in way.iter().enumerate() {
        let what = match (index == last, part) {
            (false, _) => format!("{}, which is called here", call.what),
            (true, Part::Variable(name)) => format!("`{name}` is set here"),
            (true, Part::Input(_)) => "put into the root here".to_owned(),
            (true, Part::Commands | Part::Command(_)) => format!("step {number} is made here"),
        };
        found.chain.push(search.waypoint(what, &call.span));
    }
    let mut files: Vec<&SourcePath> = way.iter().map(|call| &call.span.path).collect();
    files.dedup();
    for file in files {
        let module = search.module(file);
        if module.is_some_and(|module| module.syntax().has_choices()) {
            found.unknown.push(format!(
                "whether a condition in {file} chose what is given there"
            ));
        }
    }
    if way.is_empty() {
        found.unknown.push("which call makes the step".to_owned());
    }
    Ok((Some(value), found))
}

/// A package's build, to be evaluated again and again.
struct Build<'b> {
    search: Search<'b>,
    definition: Arc<Definition>,
    request: ExpandRequest,
}

/// The root operation that says something, and which of several things.
#[derive(Clone, Copy)]
struct Place {
    step: usize,
    operand: usize,
}

impl<'b> Build<'b> {
    fn new(search: Search<'b>, configured: &Configured) -> Option<Self> {
        let definition = search.top_definition()?;
        let facts = queries::facts(search.db, search.db.package(search.label))?;
        let declared = configured.options.iter();
        let declared = declared.filter(|(name, _)| facts.options.contains(name));
        let options: BTreeMap<String, String> = declared
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let (db, target) = (search.db, configured.platform);
        let request = queries::expand_request(db, search.label, &definition, target, options);
        let request = request.ok()?;
        Some(Self {
            search,
            definition,
            request,
        })
    }

    fn host(&self) -> QueryHost<'_> {
        let path = self.definition.path.clone();
        QueryHost::new(self.search.db, self.search.label.clone(), path)
    }

    fn run(&self, definition: &Definition, request: &ExpandRequest) -> Option<Built> {
        let host = self.host();
        let host = ChangedHost::new(&host, Change::Nothing);
        let language = &self.search.db.shared().language;
        let build = || language.build(definition, request, &host);
        self.search.evaluating(&definition.path, build)
    }

    /// The fields that a part is made of, found by changing each.
    fn fields_in(&self, place: Place, part: &Part, value: &str) -> Found {
        let mut found = Found::default();
        let mut undecided = Vec::new();
        let leaves = leaves(&self.definition);
        for leaf in leaves.iter().take(VALUES_MAX) {
            let ways = How::ALL.into_iter().filter_map(|how| {
                let changed = with_changed(&self.definition, leaf, how)?;
                let built = self.run(&changed, &self.request)?;
                facet(&built.steps, place, part)
            });
            let ways: Vec<String> = ways.collect();
            if ways.is_empty() {
                undecided.push(leaf);
            } else if ways.iter().any(|now| now != value) {
                found.add(self.field(leaf));
            }
        }
        if leaves.len() > VALUES_MAX {
            found
                .unknown
                .push(format!("whether fields beyond {VALUES_MAX} play a part"));
        }
        for leaf in undecided {
            found
                .unknown
                .push(format!("whether `{}` plays a part", written(leaf)));
        }
        if !self.definition.fields.contains_key("base") {
            let mut request = self.request.clone();
            let changed: Vec<_> = request.base.iter_mut().map(change_operand).collect();
            let built = (!changed.is_empty()).then(|| self.run(&self.definition, &request));
            let now = built.flatten();
            let now = now.and_then(|built| facet(&built.steps, place, part));
            if now.is_some_and(|now| now != value) {
                let stage = self.search.label.stage();
                found.unknown.push(format!(
                    "the line in `stxl.toml` that gives `{stage}` its base"
                ));
            }
        }
        found
    }

    fn field(&self, leaf: &[Step]) -> Found {
        let mut origin = self.search.field(leaf, PACKAGES_MAX);
        if let Some(last) = origin.chain.last_mut() {
            last.what = format!("`{}`, {}", written(leaf), last.what);
        }
        origin
    }

    /// What is known of a variable that no operation sets.
    fn standard_variable(
        &self,
        name: &str,
        number: usize,
    ) -> Result<(Option<String>, Found), String> {
        let standard = crate::lowering::is_standard_variable(name);
        if !standard {
            return Err(format!("step {number} has no variable `{name}`"));
        }
        let field = STANDARD.iter().find(|(variable, _)| *variable == name);
        let mut found = Found::default();
        let mut value = None;
        if let Some((_, field)) = field {
            let steps = [Step::Key((*field).to_owned())];
            value = value_at(&self.definition, &steps).map(shown);
            found.add(self.field(&steps));
        } else {
            found.unknown.push(format!(
                "`{name}` is set by stxl for every step, by no text"
            ));
        }
        Ok((value, found))
    }
}

fn address(root: &RootExpression) -> usize {
    Arc::as_ptr(&root.0).addr()
}

/// The operations that lead to a step, first one first, by their numbers.
fn operations_before(steps: &[RootExpression], run: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    let mut next = steps.get(run);
    while let Some(root) = next {
        numbers.extend(steps.iter().position(|step| address(step) == address(root)));
        next = root.0.before.as_ref();
    }
    numbers.reverse();
    numbers
}

fn place_of(steps: &[RootExpression], run: usize, part: &Part) -> Option<Place> {
    let before = operations_before(steps, run);
    let operation = |number: &usize| steps.get(*number).map(|step| &step.0.operation);
    match part {
        Part::Commands => Some(Place {
            step: run,
            operand: 0,
        }),
        Part::Command(index) => {
            let RootOperation::Run(commands) = operation(&run)? else {
                return None;
            };
            commands.get(*index).map(|_| Place {
                step: run,
                operand: 0,
            })
        }
        Part::Variable(name) => {
            let sets = |number: &&usize| match operation(number) {
                Some(RootOperation::Env(set)) => set.contains_key(name),
                Some(_) | None => false,
            };
            let step = before.iter().rev().find(sets)?;
            Some(Place {
                step: *step,
                operand: 0,
            })
        }
        Part::Input(index) => {
            let mut left = *index;
            for number in before {
                let operands = operation(&number)?.operands().len();
                if left < operands {
                    return Some(Place {
                        step: number,
                        operand: left,
                    });
                }
                left -= operands;
            }
            None
        }
    }
}

/// A part of an operation, as text.
fn facet(steps: &[RootExpression], place: Place, part: &Part) -> Option<String> {
    let operation = &steps.get(place.step)?.0.operation;
    match (part, operation) {
        (Part::Commands, RootOperation::Run(commands)) => {
            let commands: Vec<String> = commands.iter().map(shown_command).collect();
            Some(commands.join("\n"))
        }
        (Part::Command(index), RootOperation::Run(commands)) => {
            commands.get(*index).map(shown_command)
        }
        (Part::Variable(name), RootOperation::Env(set)) => {
            Some(set.get(name).map(|value| format!("{value:?}"))?)
        }
        (Part::Input(_), operation) => {
            let operand: &Operand = operation.operands().get(place.operand)?;
            Some(shown_operand(operand))
        }
        _ => None,
    }
}

fn shown_command(command: &Command) -> String {
    match command {
        Command::Argv(words) => format!("{words:?}"),
        Command::Script { text, .. } => text.to_string(),
    }
}
