//! `stxl depends`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stxl_eval::{NeedPlace, Paths, SurveyedOutput};
use stxl_model::Selector;

use crate::arguments::{Arguments, DependsArguments, Selection};
use crate::evaluation::{self, Audience, Surveyed};
use crate::failure::{Exit, Failure};
use crate::place;
use crate::progress::plural;
use crate::terminal::{Terminal, Tone, print_data, print_record};

/// What it prints for programs.
#[derive(Serialize)]
struct DependsRecord<'r> {
    version: u32,
    event: &'static str,
    label: &'r str,
    on: Option<&'r str>,
    /// How many ways there are; none when they were not asked for.
    count: Option<u64>,
    paths: Option<Vec<PathRecord>>,
    needs: Option<Vec<NeedRecord>>,
}

#[derive(Serialize)]
struct PathRecord {
    from: String,
    needs: Vec<NeedRecord>,
}

/// An output that is needed, and where that is written.
#[derive(Serialize)]
struct NeedRecord {
    label: String,
    platform: &'static str,
    /// Whether the package that was asked about needs it itself, or the one before it on the way.
    direct: bool,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    brought_by: Option<String>,
}

/// Needs, by their positions in the survey, and where they are written.
type Places = BTreeMap<(usize, usize), NeedPlace>;

pub(crate) fn run(
    arguments: &Arguments,
    depends: &DependsArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let audience = if depends.json {
        Audience::Program
    } else {
        Audience::Person
    };
    let label = &depends.label;
    let selector = Selector::parse(label).map_err(Failure::usage)?;
    // Planned beside it, so that a slip of its name is explained.
    let labels = [label].into_iter().chain(&depends.on).cloned();
    let selection = Selection {
        labels: labels.collect(),
        variant: depends.variant.clone(),
    };
    let surveyed = evaluation::survey(&workspace, &selection, audience, terminal)?;
    let from = surveyed.named_by(&selector)?;
    if from.is_empty() {
        return Err(Failure::usage(format!("`{label}` has no packages")));
    }
    let telling = Telling {
        surveyed: &surveyed,
        label,
        audience,
        terminal,
    };
    match &depends.on {
        None => telling.needs(&from),
        Some(on) => {
            let other = Selector::parse(on).map_err(Failure::usage)?;
            let to = surveyed.named_by(&other)?;
            if from.iter().any(|position| to.contains(position)) {
                let message = format!("`{label}` and `{on}` have an output in common");
                return Err(Failure::usage(message).hint("name what it needs after --on"));
            }
            let told_max = if depends.all { depends.limit.into() } else { 1 };
            let paths = surveyed.survey.paths(&from, &to, told_max);
            telling.paths(on, &paths, depends.all)
        }
    }
}

/// What is told, and to whom.
struct Telling<'t> {
    surveyed: &'t Surveyed,
    label: &'t str,
    audience: Audience,
    terminal: Terminal,
}

impl Telling<'_> {
    /// Tells everything that some outputs need.
    fn needs(&self, from: &[usize]) -> Result<(), Failure> {
        let survey = &self.surveyed.survey;
        let mut direct: Vec<(usize, usize)> = Vec::new();
        let mut seen: BTreeSet<usize> = from.iter().copied().collect();
        for user in from {
            let needs = survey.outputs()[*user].needs.iter();
            direct.extend(
                needs
                    .filter(|need| seen.insert(**need))
                    .map(|need| (*user, *need)),
            );
        }
        let others = survey.all_needs(from);
        let others: Vec<usize> = others.into_iter().filter(|it| !seen.contains(it)).collect();
        let places = self.places(&direct)?;
        match self.audience {
            Audience::Program => {
                let own = direct.iter().map(|pair| self.record(*pair, &places));
                let others = others.iter().map(|need| NeedRecord {
                    direct: false,
                    ..self.record((*need, *need), &places)
                });
                self.print(None, None, None, Some(own.chain(others).collect()))
            }
            Audience::Person => {
                let mut table = Table::default();
                for pair in &direct {
                    table.add(self.shown(pair.1, from[0]), told(places.get(pair)));
                }
                let mut text = table.text();
                if !others.is_empty() {
                    text += "and through these\n";
                    for need in &others {
                        text += &format!("  {}\n", self.shown(*need, from[0]));
                    }
                }
                print_data(text.as_bytes())?;
                let (own, all) = (direct.len(), direct.len() + others.len());
                let label = self.label;
                let own = plural(own, "output");
                self.terminal
                    .note(&format!("{label} needs {own} itself, {all} in all"));
                Ok(())
            }
        }
    }

    /// Tells the ways from one label to another.
    fn paths(&self, on: &str, paths: &Paths, are_all: bool) -> Result<(), Failure> {
        let Paths { count, paths } = paths;
        let pairs = paths.iter().flat_map(|path| path.windows(2));
        let pairs: BTreeSet<(usize, usize)> = pairs.map(|pair| (pair[0], pair[1])).collect();
        let places = self.places(&pairs.into_iter().collect::<Vec<_>>())?;
        match self.audience {
            Audience::Program => {
                let records = paths.iter().map(|path| PathRecord {
                    from: self.output(path[0]).label.to_string(),
                    needs: path
                        .windows(2)
                        .map(|pair| self.record((pair[0], pair[1]), &places))
                        .collect(),
                });
                let records = records.collect();
                self.print(Some(on), Some(*count), Some(records), None)?;
            }
            Audience::Person => {
                let texts = paths.iter().map(|path| self.path_text(path, &places));
                let texts: Vec<String> = texts.collect();
                print_data(texts.join("\n").as_bytes())?;
                self.note_count(*count, paths.len(), are_all);
            }
        }
        if *count > 0 {
            return Ok(());
        }
        if self.audience == Audience::Person {
            let no = self.terminal.paint(Tone::Bad, "no");
            let label = self.label;
            self.terminal
                .note(&format!("{no}: {label} does not need {on}"));
        }
        Err(Failure::shown(Exit::CheckFailed))
    }

    fn note_count(&self, count: u64, told: usize, are_all: bool) {
        let is_more = count > told as u64;
        let ways = match count {
            0 => return,
            1 => "this is the only way".to_owned(),
            u64::MAX => "there are more ways than can be counted".to_owned(),
            count => format!("there are {count} ways"),
        };
        let hint = match (is_more, are_all) {
            (false, _) => "",
            (true, false) => ", `--all` tells them",
            (true, true) => ", `--limit N` tells more",
        };
        self.terminal.note(&format!("{ways}{hint}"));
    }

    fn path_text(&self, path: &[usize], places: &Places) -> String {
        let first = path[0];
        let mut table = Table::default();
        for pair in path.windows(2) {
            let needs = format!("needs {}", self.shown(pair[1], first));
            table.add(needs, told(places.get(&(pair[0], pair[1]))));
        }
        format!("{}\n{}", self.output(first).label, table.text())
    }

    fn places(&self, needs: &[(usize, usize)]) -> Result<Places, Failure> {
        let places = self.surveyed.places(needs)?;
        let known = needs.iter().copied().zip(places);
        Ok(known
            .filter_map(|(pair, place)| Some((pair, place?)))
            .collect())
    }

    fn output(&self, position: usize) -> &SurveyedOutput {
        &self.surveyed.survey.outputs()[position]
    }

    /// An output, with what it is built for where that is another than of the first one.
    fn shown(&self, position: usize, first: usize) -> String {
        let (output, first) = (self.output(position), self.output(first));
        let mut text = output.label.to_string();
        if output.platform != first.platform {
            text += &format!(" on {}", output.platform);
        }
        let is_another =
            |(name, value): &(&String, &String)| first.options.get(*name) != Some(*value);
        for (name, value) in output.options.iter().filter(is_another) {
            text += &format!(" with {name}={value}");
        }
        text
    }

    fn record(&self, pair: (usize, usize), places: &Places) -> NeedRecord {
        let output = self.output(pair.1);
        let place = places.get(&pair);
        NeedRecord {
            label: output.label.to_string(),
            platform: output.platform.name(),
            direct: true,
            file: place.map(|place| place.file.clone()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column).filter(|column| *column > 0),
            brought_by: place
                .and_then(|place| place.brought_by.as_ref())
                .map(ToString::to_string),
        }
    }

    fn print(
        &self,
        on: Option<&str>,
        count: Option<u64>,
        paths: Option<Vec<PathRecord>>,
        needs: Option<Vec<NeedRecord>>,
    ) -> Result<(), Failure> {
        print_record(&DependsRecord {
            version: 1,
            event: "depends",
            label: self.label,
            on,
            count,
            paths,
            needs,
        })
    }
}

fn told(place: Option<&NeedPlace>) -> String {
    let Some(NeedPlace {
        file,
        line,
        column: _,
        brought_by,
    }) = place
    else {
        return String::new();
    };
    match brought_by {
        None => format!("{file}:{line}"),
        Some(label) => format!("{file}:{line}, brought by {label}"),
    }
}

/// Lines of two columns.
#[derive(Default)]
struct Table(Vec<(String, String)>);

impl Table {
    fn add(&mut self, left: String, right: String) {
        self.0.push((left, right));
    }

    fn text(&self) -> String {
        let width = self.0.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (left, right) in &self.0 {
            let line = format!("  {left:<width$}  {right}");
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}
