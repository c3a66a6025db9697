//! Where in the text, and by which commit, something became another.

use std::collections::BTreeMap;
use std::path::Path;

use stxl_eval::Waypoint;
use stxl_model::{Kind, PartDifference, Plan, PlanNode, RecipePart};

use super::known::{self, File, Kinds, Known};
use crate::evaluation::Surveyed;
use crate::failure::Failure;
use crate::git::{self, Written};
use crate::line_changes::{LineChange, line_changes};

/// Of how many causes the places are looked for.
const PLACED_MAX: usize = 30;

/// How many changes of one text get a place.
const CHANGES_MAX: usize = 8;

/// Files of the embedded standard library.
const STDLIB: &str = "stdlib/";

/// A derivation that is another of itself, with all that is known of it.
pub(super) struct Cause<'c> {
    pub(super) node: &'c PlanNode,
    pub(super) position: usize,
    pub(super) kind: Kinds,
    /// Where it is written that there is such a derivation, of a new one.
    pub(super) place: Option<Place>,
    pub(super) parts: Vec<Part>,
}

/// A part that is another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    /// Whether it is a part of what a step does, and not a file.
    pub(super) is_of_step: bool,
    /// Which lines of it are others, of a text of several.
    pub(super) changes: Vec<LineChange>,
    pub(super) places: Vec<Place>,
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    /// From 1; none for the file as a whole.
    pub(super) line: Option<u32>,
    pub(super) written: Written,
}

/// The causes, each with the parts that are others and where these are written.
pub(super) fn find<'c>(
    workspace: &'c Path,
    surveyed: &'c Surveyed,
    known: &Known,
) -> Result<Vec<Cause<'c>>, Failure> {
    let mut finder = Finder {
        workspace,
        surveyed,
        texts: BTreeMap::new(),
        origins: BTreeMap::new(),
    };
    let causes = known.facts.causes.iter().enumerate();
    causes
        .map(|(number, cause)| finder.cause(cause, known.before.as_ref(), number < PLACED_MAX))
        .collect()
}

struct Finder<'f> {
    workspace: &'f Path,
    surveyed: &'f Surveyed,
    texts: BTreeMap<String, Option<String>>,
    /// Places that were found, by package and field.
    origins: BTreeMap<(String, String), Vec<Waypoint>>,
}

impl<'f> Finder<'f> {
    fn cause(
        &mut self,
        cause: &known::Cause,
        before: Option<&Plan>,
        is_placed: bool,
    ) -> Result<Cause<'f>, Failure> {
        let node = &self.surveyed.plan.nodes()[cause.node];
        let mut parts: Vec<Part> = Vec::new();
        if let (Kinds::Changed(former), Some(before)) = (cause.kind, before)
            && let Some(former) = before.nodes().get(former)
        {
            let different = PartDifference::between((before, former), (&self.surveyed.plan, node));
            let different = different.map_err(Failure::environment)?;
            for difference in different {
                if difference.part == RecipePart::Content {
                    parts.extend(self.content(node, cause.files.as_deref()));
                } else {
                    let mut part = Part::of(&difference);
                    if is_placed {
                        part.places = self.places(node, (before, former), &difference, &part)?;
                    }
                    parts.push(part);
                }
            }
        }
        let is_new = is_placed && cause.kind == Kinds::New;
        let place = is_new.then(|| self.line(&node.origin.file, node.origin.line));
        Ok(Cause {
            node,
            position: cause.node,
            kind: cause.kind,
            place,
            parts,
        })
    }

    /// Adds lines of the package's texts that stand in no commit, if none of the places is such a
    /// line: a value may come from where nobody looks, such as a function of a library.
    fn add_uncommitted(&mut self, node: &PlanNode, places: &mut Vec<Place>) {
        if places.iter().any(|it| it.written == Written::Uncommitted) {
            return;
        }
        for file in self.surveyed.survey.texts_of(&node.origin.label) {
            let Some(text) = self.text(file) else {
                continue;
            };
            let path = self.workspace.join(file);
            let line = git::first_uncommitted(&path, &text);
            places.extend(line.map(|line| Place {
                file: file.to_owned(),
                line: Some(line),
                written: Written::Uncommitted,
            }));
        }
    }

    /// The files of an import that are others.
    fn content(&self, node: &PlanNode, files: Option<&[File]>) -> Vec<Part> {
        let source = node.origin.import.as_ref();
        let path = source.map_or("", |source| source.path.as_str());
        let Some(files) = files else {
            // What it was is gone, so that only who touched it last can be told.
            return vec![Part {
                name: format!("content of {path}"),
                places: vec![self.whole_file(path)],
                ..Part::default()
            }];
        };
        files.iter().map(|file| self.file(file)).collect()
    }

    fn file(&self, file: &File) -> Part {
        let File {
            path,
            before,
            after,
            is_new,
            is_gone,
        } = file;
        let mut part = Part {
            name: match (is_new, is_gone) {
                (true, _) => format!("{path} is new"),
                (_, true) => format!("{path} is gone"),
                (false, false) => format!("content of {path}"),
            },
            ..Part::default()
        };
        if let (Some(before), Some(after)) = (before, after) {
            part.changes = line_changes(before, after);
            let changes = part.changes.iter().take(CHANGES_MAX);
            let places = changes.map(|change| self.line_in(path, after, change.line));
            part.places = places.collect();
        }
        // An executable bit is no line.
        if part.places.is_empty() {
            part.places.push(self.whole_file(path));
        }
        part
    }

    /// Where a part of a derivation is written.
    fn places(
        &mut self,
        node: &PlanNode,
        before: (&Plan, &PlanNode),
        difference: &PartDifference,
        part: &Part,
    ) -> Result<Vec<Place>, Failure> {
        let origin = &node.origin;
        let step = step_number(node);
        let field = match (&difference.part, step) {
            (RecipePart::Variable(name), Some(step)) => Some(format!("step.{step}.env.{name}")),
            (RecipePart::Command(number), Some(step)) => {
                // A script in a file is written there.
                let lines = self.lines_of(&origin.file, origin.script_line, part);
                if !lines.is_empty() {
                    return Ok(lines);
                }
                Some(format!("step.{step}.command[{}]", number - 1))
            }
            _ => None,
        };
        if let Some(field) = field {
            let chain = self.origin(node, &field);
            let places = self.of_chain(node, &chain, part);
            if !places.is_empty() {
                return Ok(places);
            }
        }
        if difference.part == RecipePart::Operations {
            let places = self.new_inputs(node, before)?;
            if !places.is_empty() {
                return Ok(places);
            }
        }
        let mut places = self.lines_of(&origin.file, origin.line, part);
        if places.is_empty() {
            places.push(self.line(&origin.file, origin.line));
        }
        self.add_uncommitted(node, &mut places);
        Ok(places)
    }

    /// The places of a chain that say a value: those where it is read in the text, or else the
    /// first, with what stands in no commit.
    fn of_chain(&mut self, node: &PlanNode, chain: &[Waypoint], part: &Part) -> Vec<Place> {
        let own = chain.iter().filter(|it| !it.file.starts_with(STDLIB));
        let own: Vec<&Waypoint> = own.collect();
        for waypoint in &own {
            let lines = self.lines_of(&waypoint.file, waypoint.line, part);
            if !lines.is_empty() {
                return lines;
            }
            let value = part.after.as_deref().unwrap_or_default();
            if !value.is_empty() && waypoint.text.contains(value) {
                return vec![self.line(&waypoint.file, waypoint.line)];
            }
        }
        let first = own.first().copied().or(chain.first());
        let Some(first) = first else {
            return Vec::new();
        };
        let mut places = vec![self.line(&first.file, first.line)];
        self.add_uncommitted(node, &mut places);
        places
    }

    /// Where the lines of a part stand that are others, in a text from a line on.
    fn lines_of(&mut self, file: &str, line: u32, part: &Part) -> Vec<Place> {
        let Some(text) = self.text(file) else {
            return Vec::new();
        };
        let mut found: Vec<u32> = Vec::new();
        for change in part.changes.iter().take(CHANGES_MAX) {
            let mut added = change.added.iter().map(|line| line.trim());
            let Some(wanted) = added.find(|line| !line.is_empty()) else {
                continue;
            };
            let lines = (1..).zip(text.lines());
            let mut lines = lines.skip_while(|(number, _)| *number < line);
            let place = lines.find(|(_, line)| line.trim() == wanted);
            found.extend(place.map(|(number, _)| number));
        }
        found
            .into_iter()
            .map(|line| self.line(file, line))
            .collect()
    }

    /// Where it is written that something is needed which was not before.
    fn new_inputs(
        &mut self,
        node: &PlanNode,
        (before, former): (&Plan, &PlanNode),
    ) -> Result<Vec<Place>, Failure> {
        let survey = &self.surveyed.survey;
        let known = former.derivation.inputs().iter();
        let known = known.filter_map(|input| Some(before.node(input)?.origin.name.as_str()));
        let known: Vec<&str> = known.collect();
        let outputs = || (0..).zip(survey.outputs());
        let users = outputs().filter(|(_, output)| output.derivations.contains(&node.id));
        let Some((user, output)) = users.into_iter().next() else {
            return Ok(Vec::new());
        };
        let is_new = |need: &&usize| {
            let id = survey.outputs()[**need].id;
            let name = self.surveyed.plan.node(&id).map(|it| &it.origin.name);
            node.derivation.inputs().contains(&id)
                && name.is_some_and(|name| !known.contains(&name.as_str()))
        };
        let pairs = output.needs.iter().filter(is_new).map(|need| (user, *need));
        let pairs: Vec<(usize, usize)> = pairs.collect();
        let places = self.surveyed.places(&pairs)?.into_iter().flatten();
        Ok(places
            .map(|place| self.line(&place.file, place.line))
            .collect())
    }

    fn origin(&mut self, node: &PlanNode, field: &str) -> Vec<Waypoint> {
        let label = &node.origin.label;
        let key = (label.to_string(), field.to_owned());
        if let Some(known) = self.origins.get(&key) {
            return known.clone();
        }
        let found = self.surveyed.origin(label, field);
        let chain = found.map_or_else(Vec::new, |found| found.chain);
        self.origins.insert(key, chain.clone());
        chain
    }

    fn text(&mut self, file: &str) -> Option<String> {
        let surveyed = self.surveyed;
        let text = self.texts.entry(file.to_owned());
        text.or_insert_with(|| surveyed.text_of(file)).clone()
    }

    /// A line of a text that is evaluated.
    fn line(&mut self, file: &str, line: u32) -> Place {
        match self.text(file).filter(|_| !file.starts_with(STDLIB)) {
            Some(text) => self.line_in(file, &text, line),
            None => Place {
                file: file.to_owned(),
                line: Some(line),
                written: Written::Unknown,
            },
        }
    }

    fn line_in(&self, file: &str, text: &str, line: u32) -> Place {
        Place {
            file: file.to_owned(),
            line: Some(line),
            written: git::who_wrote(&self.workspace.join(file), text, line),
        }
    }

    fn whole_file(&self, file: &str) -> Place {
        Place {
            file: file.to_owned(),
            line: None,
            written: git::who_changed(&self.workspace.join(file)),
        }
    }
}

impl Part {
    fn of(difference: &PartDifference) -> Self {
        let PartDifference {
            part,
            before,
            after,
        } = difference;
        let changes = match (before, after) {
            (Some(before), Some(after)) if before.contains('\n') || after.contains('\n') => {
                line_changes(&ended(before), &ended(after))
            }
            _ => Vec::new(),
        };
        Self {
            name: part.to_string(),
            before: before.clone(),
            after: after.clone(),
            is_of_step: true,
            changes,
            places: Vec::new(),
        }
    }
}

/// A text whose last line ends, as the others do.
fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end_matches('\n'))
}

/// The number of a step among those of its package, from 1: `core/zlib: run 2 of 3` is 2.
fn step_number(node: &PlanNode) -> Option<usize> {
    if node.derivation.kind() != Kind::Exec {
        return None;
    }
    let name = node.origin.name.strip_prefix(node.origin.label.as_str())?;
    match name.strip_prefix(": run")?.trim_start() {
        "" => Some(1),
        rest => rest.split(' ').next()?.parse().ok(),
    }
}
