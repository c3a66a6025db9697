//! A sequence of edits from one seed: [`run`].

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stxl_eval::{Evaluation, EvaluationRequest, Suspects, Tests, WatchedWorkspace};
use stxl_model::Platform;

use super::check::{Checked, Site, check, compare, evaluation_of, request};
use super::edit::Edited;
use super::model::{Model, Package};
use super::random::Random;

/// Longer than files have to rest before they are known by their stamps.
const REST: Duration = Duration::from_millis(130);

/// What is counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Sequences.
    pub sequences: usize,
    /// Evaluations with a memory.
    pub evaluations: usize,
    /// Those of them that gave a plan.
    pub plans: usize,
    /// Those of them that used the memory.
    pub warm: usize,
    /// Those of them that used it and gave errors.
    pub warm_errors: usize,
    /// Packages that were recalled.
    pub recalled: usize,
    /// Packages that were evaluated because something changed, where others were recalled.
    pub evaluated: usize,
    /// Evaluations that differed from one without a memory.
    pub differences: usize,
}

impl Figures {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.sequences += other.sequences;
        self.evaluations += other.evaluations;
        self.plans += other.plans;
        self.warm += other.warm;
        self.warm_errors += other.warm_errors;
        self.recalled += other.recalled;
        self.evaluated += other.evaluated;
        self.differences += other.differences;
    }

    fn count(&mut self, checked: &Checked) {
        self.evaluations += 1;
        self.plans += usize::from(checked.has_plan);
        let is_warm = checked.account.everything.is_none();
        self.warm += usize::from(is_warm);
        self.warm_errors += usize::from(is_warm && !checked.has_plan);
        self.recalled += checked.account.recalled;
        self.evaluated += checked.account.evaluated.len();
    }
}

/// Edits a workspace and evaluates after every edit. A difference is told with the seed and all
/// that was done before.
pub fn run(program: &Path, seed: u64, edits: usize) -> Result<Figures, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let site = Site::below(folder.path(), program);
    let mut random = Random::new(seed);
    let mut edited = Edited::new(&site.workspace, &mut random);
    let mut figures = Figures {
        sequences: 1,
        ..Figures::default()
    };
    let mut done = vec!["a workspace".to_owned()];
    let mut watched = Watched::new(&site);
    let mut older = Vec::new();
    let mut has_plan = true;
    std::thread::sleep(REST);
    for step in 0..=edits {
        if step > 0 {
            done.push(if !has_plan && !random.one_in(3) {
                edited.repair()
            } else {
                edited.edit(&mut random)
            });
        }
        done.extend(disturb(&site, &edited.model, &mut older, &mut random));
        if random.one_in(8) {
            std::thread::sleep(REST);
        }
        let request = random_request(&edited.model, &mut random);
        done.push(format!("  {}", shown(&request)));
        let checked = check(&site, &request).map_err(|wrong| {
            let done = done.join("\n  ");
            format!("seed {seed}, step {step}: {wrong}\n  {done}")
        })?;
        has_plan = checked.has_plan;
        figures.count(&checked);
        if random.one_in(3) {
            let compared = watched.compare(&site);
            compared.map_err(|wrong| {
                let done = done.join("\n  ");
                format!("seed {seed}, step {step}, watched: {wrong}\n  {done}")
            })?;
        }
    }
    Ok(figures)
}

/// The workspace with a memory that stays in the process, and what it told last.
struct Watched {
    workspace: WatchedWorkspace,
    told: Option<Evaluation>,
}

impl Watched {
    fn new(site: &Site) -> Self {
        Self {
            workspace: site.watched(&request(&[])),
            told: None,
        }
    }

    /// Evaluates again, and compares with a first evaluation.
    fn compare(&mut self, site: &Site) -> Result<(), String> {
        let round = self.workspace.evaluate(&Suspects::All);
        if let Some(round) = round.map_err(|error| error.to_string())? {
            self.told = Some(evaluation_of(round));
        }
        // As whoever watches asks, which is when the trace is made smaller.
        drop(self.workspace.take_dependencies(&Suspects::All));
        let told = self.told.as_ref().ok_or("nothing was told")?;
        compare(told, &site.evaluate(&request(&[])))
    }
}

fn shown(request: &EvaluationRequest) -> String {
    let selectors = request.selectors.iter().map(ToString::to_string);
    let selectors = selectors.collect::<Vec<_>>().join(" ");
    format!(
        "evaluate [{selectors}] {:?} {:?} {:?}",
        request.platform, request.options, request.tests
    )
}

/// The whole workspace, a stage, packages or an output; sometimes with tests, another platform or
/// options.
pub fn random_request(model: &Model, random: &mut Random) -> EvaluationRequest {
    let mut labels: Vec<String> = model.packages.iter().map(Package::label).collect();
    labels.push("user/new".to_owned());
    let mut label = || random.pick(&labels).cloned().unwrap_or_default();
    let (one, other) = (label(), label());
    let output = format!("{one}:dev");
    let mut asked = match random.below(9) {
        0..3 => request(&[]),
        3 => request(&[random.pick(&["core", "user", "stage0"]).unwrap_or(&"core")]),
        4 => request(&[&one, &other]),
        5 => request(&[&output]),
        6 => request(&[&output, &other]),
        _ => request(&[&one]),
    };
    if random.one_in(4) {
        asked.tests = Tests::Planned;
    }
    if random.one_in(6) {
        asked.platform = Platform::parse(random.pick(&["i686", "x86_64"]).unwrap_or(&"i686"));
    }
    if random.one_in(6) {
        let value = random.pick(&["yes", "no"]).unwrap_or(&"no");
        asked.options.insert("fast".to_owned(), (*value).to_owned());
    }
    asked
}

/// Sometimes makes the trace, or the changes beside it, another one or none.
fn disturb(
    site: &Site,
    model: &Model,
    older: &mut Vec<(PathBuf, Vec<u8>)>,
    random: &mut Random,
) -> Option<String> {
    let file = random.pick(&site.trace_files())?.clone();
    if older.len() < 16
        && let Ok(bytes) = fs::read(&file)
    {
        older.push((file.clone(), bytes));
    }
    let kind = random.below(24);
    match kind {
        0 | 1 => {
            let (file, bytes) = random.pick(older)?;
            fs::write(file, bytes).ok()?;
        }
        2 => {
            let opened = fs::OpenOptions::new()
                .write(true)
                .read(true)
                .open(&file)
                .ok()?;
            let length = usize::try_from(opened.metadata().ok()?.len()).ok()?;
            let at = random.below(length) as u64;
            let mut byte = [0];
            opened.read_exact_at(&mut byte, at).ok()?;
            byte[0] ^= 1 << random.below(8);
            opened.write_all_at(&byte, at).ok()?;
        }
        3 => {
            let opened = fs::OpenOptions::new().write(true).open(&file).ok()?;
            let length = usize::try_from(opened.metadata().ok()?.len()).ok()?;
            opened.set_len(random.below(length) as u64).ok()?;
        }
        4 => fs::remove_file(&file).ok()?,
        5 | 6 => {
            let mut both = Vec::new();
            for _ in 0..2 {
                let request = random_request(model, random);
                both.push(super::harm::start(site, &request).ok()?);
            }
            for mut one in both {
                one.wait().ok()?;
            }
        }
        _ => return None,
    }
    Some(format!("  trace: {kind}"))
}
