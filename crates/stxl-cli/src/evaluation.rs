//! From labels on the command line to a plan, with whatever is wrong shown.

mod policy;
mod surveyed;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;
use stxl_eval::{
    Account, ChildLimits, ChildRequest, DiskSourceTree, Evaluation, EvaluationRequest,
    EvaluatorProgram, Memory, Profile, Profiled, Provenance, Remembered, Tests, TraceFolder,
    UnsavedTrace, WatchedWorkspace, evaluate_remembering, explain_in_child, profile_in_child,
};
use stxl_lang::render::wire::{DiagnosticRecord, records};
use stxl_lang::render::{Style, render};
use stxl_lang::{Diagnostic, Language, Severity, SourceError, SourcePath, SourceTree};
use stxl_model::{PackageLabel, Plan, Selector};
use stxl_sandbox::{Identity, KeptCapability, become_unprivileged};

use crate::arguments::{Override, Selection, Variant};
use crate::development;
use crate::failure::{Exit, Failure};
use crate::place;
use crate::progress::plural;
use crate::session::THIS_PROGRAM;
use crate::terminal::{Terminal, Tone, print_record};

pub(crate) use policy::{check_opaque, refusal};
pub(crate) use surveyed::{Surveyed, sort_by_place, survey, survey_keeping};

/// The hidden argument that makes this program an evaluator.
pub(crate) const EVALUATOR_ARGUMENT: &str = "__evaluate";

/// How many diagnostics a person is shown at once; `--json` has all of them.
const SHOWN_MAX: usize = 50;

/// Who reads what a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A person: excerpts of the text on standard error.
    Person,
    /// A program: JSON on standard output.
    Program,
}

/// The record that `--json` prints in the place of data when the text is wrong.
#[derive(Serialize)]
struct WireDiagnostics {
    version: u32,
    event: &'static str,
    diagnostics: Vec<DiagnosticRecord>,
}

/// A plan, and what is to be remembered of its making.
#[must_use]
pub(crate) struct Evaluated {
    plan: Plan,
    unsaved: Option<UnsavedTrace>,
}

impl Evaluated {
    /// The plan, before anything is remembered.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Remembers the evaluation while its plan is told: both take their time.
    pub(crate) fn remember_while<T>(self, terminal: Terminal, tell: impl FnOnce(&Plan) -> T) -> T {
        let Some(unsaved) = self.unsaved else {
            return tell(&self.plan);
        };
        let (told, saved) = std::thread::scope(|scope| {
            let saving = scope.spawn(|| unsaved.save());
            let told = tell(&self.plan);
            match saving.join() {
                Ok(saved) => (told, saved),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
        note_unsaved(saved, terminal);
        told
    }

    /// Remembers the evaluation for the next one. That it cannot be remembered costs time only.
    pub(crate) fn remember(self, terminal: Terminal) -> Plan {
        save(self.unsaved, terminal);
        self.plan
    }
}

/// Saves what is to be remembered, as [`Evaluated::remember`] does.
pub(crate) fn save(unsaved: Option<UnsavedTrace>, terminal: Terminal) {
    if let Some(unsaved) = unsaved {
        note_unsaved(unsaved.save(), terminal);
    }
}

fn note_unsaved(saved: std::io::Result<()>, terminal: Terminal) {
    if let Err(error) = saved {
        terminal.note(&format!("the evaluation cannot be remembered: {error}"));
    }
}

/// Whether what is remembered of earlier evaluations counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    /// It does.
    Remembered,
    /// Everything is evaluated from the text, and remembered anew.
    Nothing,
}

/// Evaluates in a limited child process what is not remembered, and shows diagnostics.
pub(crate) fn evaluate(
    recall: Recall,
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Evaluated, Failure> {
    let (remembered, texts) = remembered(recall, workspace, selection)?;
    evaluated(remembered, &texts, audience, terminal)
}

/// As [`evaluate`] with what is remembered, and has told what was recalled and what was evaluated,
/// errors or not.
pub(crate) fn evaluate_and_tell(
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
    tell: impl FnOnce(&Account),
) -> Result<Evaluated, Failure> {
    let (mut remembered, texts) = remembered(Recall::Remembered, workspace, selection)?;
    let account = std::mem::take(&mut remembered.account);
    let evaluated = evaluated(remembered, &texts, audience, terminal);
    tell(&account);
    evaluated
}

fn remembered(
    recall: Recall,
    workspace: &Path,
    selection: &Selection,
) -> Result<(Remembered, Texts), Failure> {
    let request = child_request(workspace, selection)?;
    let traces = traces()?;
    let memory = match (&traces, recall) {
        (None, _) => Memory::None,
        (Some(traces), Recall::Remembered) => Memory::Used(traces),
        (Some(traces), Recall::Nothing) => Memory::Renewed(traces),
    };
    let remembered = evaluate_remembering(&evaluator(), &request, memory);
    let remembered = remembered.map_err(Failure::environment)?;
    Ok((remembered, Texts::of(&request)))
}

/// What came of an evaluation, once its diagnostics are shown.
fn evaluated(
    remembered: Remembered,
    texts: &Texts,
    audience: Audience,
    terminal: Terminal,
) -> Result<Evaluated, Failure> {
    let Remembered {
        evaluation,
        unsaved,
        account: _,
    } = remembered;
    show(&evaluation, texts, audience, terminal)?;
    let plan = evaluation.plan.ok_or_else(|| Failure::shown(Exit::Usage))?;
    Ok(Evaluated { plan, unsaved })
}

/// The workspace, to be evaluated whenever something in it changes, and its texts.
pub(crate) fn watched(
    workspace: &Path,
    selection: &Selection,
) -> Result<(WatchedWorkspace, Texts), Failure> {
    let request = child_request(workspace, selection)?;
    let texts = Texts::of(&request);
    let watched = WatchedWorkspace::new(evaluator(), request, traces()?);
    Ok((watched, texts))
}

/// Where evaluations are remembered, if anywhere.
fn traces() -> Result<Option<TraceFolder>, Failure> {
    let program = this_program().map_err(Failure::environment)?;
    Ok(place::evaluation_cache().map(|path| TraceFolder { path, program }))
}

/// Evaluates everything in a limited child process, and measures what that costs.
pub(crate) fn profile(
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Profile, Failure> {
    let request = child_request(workspace, selection)?;
    let Profiled {
        evaluation,
        profile,
    } = profile_in_child(&evaluator(), &request).map_err(Failure::environment)?;
    show(&evaluation, &Texts::of(&request), audience, terminal)?;
    if evaluation.plan.is_none() {
        return Err(Failure::shown(Exit::Usage));
    }
    profile.ok_or_else(|| {
        Failure::environment(std::io::Error::other(
            "the evaluation cannot be measured: it needs nearly all that an evaluation may use",
        ))
    })
}

/// Evaluates everything in a limited child process, and has it tell where a value comes from.
pub(crate) fn origin(
    workspace: &Path,
    selection: &Selection,
    field: &str,
    audience: Audience,
    terminal: Terminal,
) -> Result<Provenance, Failure> {
    let request = child_request(workspace, selection)?;
    let is_one = |selector: &Selector| selector.package().is_some();
    if request.evaluation.selectors.len() != 1 || !request.evaluation.selectors.iter().all(is_one) {
        let message = "`--origin` is asked of one package";
        return Err(Failure::usage(message));
    }
    let explained =
        explain_in_child(&evaluator(), &request, field).map_err(Failure::environment)?;
    show(
        &explained.evaluation,
        &Texts::of(&request),
        audience,
        terminal,
    )?;
    let origin = explained
        .origin
        .filter(|_| explained.evaluation.plan.is_some());
    let origin = origin.ok_or_else(|| Failure::shown(Exit::Usage))?;
    origin.map_err(Failure::usage)
}

/// This program, as an evaluator.
fn evaluator() -> EvaluatorProgram {
    EvaluatorProgram {
        path: THIS_PROGRAM.into(),
        args: vec![EVALUATOR_ARGUMENT.to_owned()],
    }
}

/// What a child is asked to evaluate.
fn child_request(workspace: &Path, selection: &Selection) -> Result<ChildRequest, Failure> {
    let selectors: Vec<Selector> = selection
        .labels
        .iter()
        .map(|label| Selector::parse(label))
        .collect::<Result<_, _>>()
        .map_err(Failure::usage)?;
    let variant = &selection.variant;
    let (overrides, mut readable) = development::overrides(variant, workspace)?;
    readable.extend(development::folders::of_workspace(workspace)?.into_values());
    Ok(ChildRequest {
        folder: workspace.to_path_buf(),
        readable,
        buffers: BTreeMap::new(),
        overrides,
        evaluation: EvaluationRequest {
            selectors,
            platform: variant.platform,
            options: options_of(variant)?,
            tests: if variant.tests {
                Tests::Planned
            } else {
                Tests::Left
            },
            sandbox_abi: stxl_sandbox::ABI,
        },
        limits: ChildLimits::default(),
    })
}

/// Evaluates, and remembers the evaluation at once.
pub(crate) fn plan(
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    let evaluated = evaluate(Recall::Remembered, workspace, selection, audience, terminal)?;
    Ok(evaluated.remember(terminal))
}

/// The plan, if there is one, for what is said beside another problem: nothing is told.
pub(crate) fn silent_plan(workspace: &Path, selection: &Selection) -> Option<Plan> {
    let remembered = recalled(workspace, selection).ok()?;
    remembered.evaluation.plan
}

/// Refuses a package that is not there, with the names that it may have been meant by.
pub(crate) fn require_package(
    workspace: &Path,
    label: &PackageLabel,
    terminal: Terminal,
) -> Result<(), Failure> {
    let selection = Selection::of(label.as_str(), &Variant::default());
    let mut remembered = recalled(workspace, &selection)?;
    let message = format!("There is no package `{label}`");
    let diagnostics = &mut remembered.evaluation.diagnostics;
    diagnostics.retain(|one| one.message == message);
    if diagnostics.is_empty() {
        return Ok(());
    }
    let texts = Texts::of(&child_request(workspace, &selection)?);
    evaluated(remembered, &texts, Audience::Person, terminal).map(drop)
}

fn recalled(workspace: &Path, selection: &Selection) -> Result<Remembered, Failure> {
    let request = child_request(workspace, selection)?;
    let traces = traces()?;
    let memory = traces.as_ref().map_or(Memory::None, Memory::Used);
    evaluate_remembering(&evaluator(), &request, memory).map_err(Failure::environment)
}

/// Evaluates a workspace that is there for a moment only: nothing is recalled or remembered.
pub(crate) fn forgotten_plan(
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    let request = child_request(workspace, selection)?;
    let remembered = evaluate_remembering(&evaluator(), &request, Memory::None);
    let remembered = remembered.map_err(Failure::environment)?;
    Ok(evaluated(remembered, &Texts::of(&request), audience, terminal)?.plan)
}

/// What tells this program from every other: its version, and which file it is. Another build of
/// the same version may evaluate differently.
fn this_program() -> std::io::Result<String> {
    let file = std::fs::metadata(THIS_PROGRAM)?;
    Ok(format!(
        "stxl {} {}:{} {} bytes, changed {}.{:09}",
        env!("CARGO_PKG_VERSION"),
        file.dev(),
        file.ino(),
        file.len(),
        file.ctime(),
        file.ctime_nsec(),
    ))
}

/// What the evaluator's process does. Definitions meet no process of root's: that one reads
/// `stxl.toml`, once a child has read the same bytes without harm, and names of folders in
/// `local/`.
pub(crate) fn child_main() -> ExitCode {
    // Only what lets it read a workspace that belongs to root is kept.
    match become_unprivileged(Identity::fallback(), KeptCapability::DacOverride) {
        Ok(_) => stxl_eval::child_main(),
        Err(error) => {
            Terminal::new(crate::arguments::ColorChoice::Never).note(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The options that are set, each once.
fn options_of(variant: &Variant) -> Result<BTreeMap<String, String>, Failure> {
    let mut options = BTreeMap::new();
    for (name, value) in &variant.with {
        if options.insert(name.clone(), value.clone()).is_some() {
            return Err(Failure::usage(format!("the option `{name}` is set twice")));
        }
    }
    Ok(options)
}

/// What was asked for, as it is typed; under this the store keeps the history of a request. No two
/// requests have the same text, whatever the values of options hold.
pub(crate) fn request_text(selection: &Selection) -> String {
    let mut words = selection.labels.clone();
    words.push(variant_text(&selection.variant));
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

/// For what packages are built, as it is typed; nothing for what the workspace says.
pub(crate) fn variant_text(variant: &Variant) -> String {
    let Variant {
        platform,
        with,
        tests,
        overrides,
        patched_overrides,
    } = variant;
    let platform = platform.map(|platform| format!("--platform {platform}"));
    let mut words: Vec<String> = platform.into_iter().collect();
    let mut with: Vec<_> = with.iter().collect();
    with.sort();
    words.extend(
        with.iter()
            .map(|(name, value)| format!("--with {}", word(&format!("{name}={value}")))),
    );
    if *tests {
        words.push("--tests".to_owned());
    }
    for (switch, overrides) in [
        ("--override", overrides),
        ("--override-patched", patched_overrides),
    ] {
        let mut overrides: Vec<String> = overrides.iter().map(override_text).collect();
        overrides.sort();
        words.extend(overrides.iter().map(|it| format!("{switch} {}", word(it))));
    }
    words.join(" ")
}

/// A directory that is no text is refused before anything is built with it.
fn override_text(one: &Override) -> String {
    format!("{}={}", one.label, one.directory.display())
}

/// A text as one word of a command line, in quotes where a shell would take it apart.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.,:=/+@%".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn show(
    evaluation: &Evaluation,
    texts: &Texts,
    audience: Audience,
    terminal: Terminal,
) -> Result<(), Failure> {
    let diagnostics = &evaluation.diagnostics;
    if diagnostics.is_empty() {
        return Ok(());
    }
    let is_failed = evaluation.plan.is_none();
    match audience {
        Audience::Program if is_failed => {
            let diagnostics = diagnostic_records(diagnostics, texts)?;
            let record = WireDiagnostics {
                version: 1,
                event: "diagnostics",
                diagnostics,
            };
            print_record(&record)
        }
        Audience::Person | Audience::Program => {
            terminal.text(&first_excerpts(diagnostics, texts, terminal)?);
            let errors = count_errors(diagnostics);
            if errors > 0 {
                let word = terminal.paint(Tone::Bad, "no plan");
                terminal.note(&format!("{word}: {}", plural(errors, "error")));
            }
            Ok(())
        }
    }
}

/// How many of the diagnostics are errors.
pub(crate) fn count_errors(diagnostics: &[Diagnostic]) -> usize {
    let errors = diagnostics.iter();
    errors.filter(|one| one.severity == Severity::Error).count()
}

/// Diagnostics for programs.
pub(crate) fn diagnostic_records(
    diagnostics: &[Diagnostic],
    texts: &Texts,
) -> Result<Vec<DiagnosticRecord>, Failure> {
    Ok(records(diagnostics, &WithStdlib::open(texts)?))
}

/// Diagnostics for a person, the first ones if there are many.
pub(crate) fn first_excerpts(
    diagnostics: &[Diagnostic],
    texts: &Texts,
    terminal: Terminal,
) -> Result<String, Failure> {
    let style = if terminal.is_colored() {
        Style::Colored
    } else {
        Style::Plain
    };
    let shown = diagnostics.get(..SHOWN_MAX).unwrap_or(diagnostics);
    let mut text = excerpts(shown, texts, style)?;
    if diagnostics.len() > shown.len() {
        text += &format!("and {} more\n", diagnostics.len() - shown.len());
    }
    Ok(text)
}

/// Diagnostics with the lines they are about.
pub(crate) fn excerpts(
    diagnostics: &[Diagnostic],
    texts: &Texts,
    style: Style,
) -> Result<String, Failure> {
    Ok(render(diagnostics, &WithStdlib::open(texts)?, style))
}

/// The texts that a request evaluates: a workspace's, and its own.
pub(crate) struct Texts {
    workspace: PathBuf,
    overrides: BTreeMap<PackageLabel, String>,
}

impl Texts {
    /// The texts of a request.
    fn of(request: &ChildRequest) -> Self {
        Self {
            workspace: request.folder.clone(),
            overrides: request.overrides.clone(),
        }
    }

    /// One of them, or of the embedded stdlib's; none when it is not there, or no text.
    fn find(&self, path: &str) -> Option<String> {
        let tree = WithStdlib::open(self).ok()?;
        let bytes = tree.read(&SourcePath::new(path)).ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    }
}

/// The texts of a request, and those of the embedded stdlib, for excerpts.
struct WithStdlib {
    disk: DiskSourceTree,
    language: Language,
}

impl WithStdlib {
    fn open(texts: &Texts) -> Result<Self, Failure> {
        let disk = DiskSourceTree::open(&texts.workspace).map_err(Failure::environment)?;
        Ok(Self {
            disk: disk.with_overrides(&texts.overrides),
            language: Language::new(),
        })
    }
}

impl SourceTree for WithStdlib {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        match self.language.stdlib_text(path) {
            Some(text) => Ok(text.as_bytes().into()),
            None => self.disk.read(path),
        }
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        self.disk.list(path)
    }
}
