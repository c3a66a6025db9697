//! What may befall a process that evaluates and saves, and what it saved: [`kill`] and
//! [`corrupt`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stxl_eval::{EvaluationRequest, Tests};
use stxl_model::{Platform, Selector};

use super::check::{EVALUATOR_ARGUMENT, Site, check, request};
use super::edit::Edited;
use super::random::Random;
use super::sequence::random_request;

/// The argument that makes the program evaluate with a memory and save.
const SAVE_ARGUMENT: &str = "save";

/// What came of many kills or corruptions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Harm {
    /// How many there were.
    pub count: usize,
    /// Processes that had ended before they were killed.
    pub ended_before: usize,
    /// Partial files that were left.
    pub partial: usize,
}

/// The program of the tests: an evaluator, or a process that evaluates and saves. None if its
/// arguments say something else.
pub fn dispatch(arguments: &[String]) -> Option<std::process::ExitCode> {
    match arguments {
        [name] if name == EVALUATOR_ARGUMENT => Some(stxl_eval::child_main()),
        [name, workspace, traces, rest @ ..] if name == SAVE_ARGUMENT => {
            let site = Site {
                program: "/proc/self/exe".into(),
                workspace: workspace.into(),
                traces: traces.into(),
            };
            if let Some(unsaved) = site.remember(&request_of(rest)).unsaved {
                unsaved.save().expect("a trace can be saved");
            }
            Some(std::process::ExitCode::SUCCESS)
        }
        _ => None,
    }
}

/// Starts a process that evaluates and saves.
pub fn start(site: &Site, request: &EvaluationRequest) -> std::io::Result<Child> {
    let mut command = Command::new(&site.program);
    command
        .arg(SAVE_ARGUMENT)
        .arg(&site.workspace)
        .arg(&site.traces);
    command.arg(match request.tests {
        Tests::Planned => "tests",
        Tests::Left => "-",
    });
    command.arg(request.platform.map_or("-", Platform::name));
    command.arg(request.options.get("fast").map_or("-", String::as_str));
    command.args(request.selectors.iter().map(Selector::to_string));
    command.stdin(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn request_of(words: &[String]) -> EvaluationRequest {
    let [tests, platform, option, selectors @ ..] = words else {
        return request(&[]);
    };
    let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
    let mut asked = request(&selectors);
    if tests == "tests" {
        asked.tests = Tests::Planned;
    }
    asked.platform = Platform::parse(platform);
    if option != "-" {
        asked.options.insert("fast".to_owned(), option.clone());
    }
    asked
}

/// Kills processes that evaluate and save, each at a random time; the next evaluation is right.
pub fn kill(program: &Path, seed: u64, kills: usize) -> Result<Harm, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let site = Site::below(folder.path(), program);
    let mut random = Random::new(seed);
    let mut edited = Edited::new(&site.workspace, &mut random);
    let began = Instant::now();
    let started = start(&site, &request(&[]));
    started
        .and_then(|mut it| it.wait())
        .map_err(|error| error.to_string())?;
    let length = began.elapsed();
    let mut harm = Harm::default();
    while harm.count < kills {
        let done = edited.repair() + ", " + &edited.edit(&mut random);
        let request = random_request(&edited.model, &mut random);
        let mut child = start(&site, &request).map_err(|error| error.to_string())?;
        let after =
            length.mul_f64(f64::from(u32::try_from(random.below(1000)).unwrap_or(0)) / 800.0);
        std::thread::sleep(after);
        match child.try_wait() {
            Ok(None) => harm.count += 1,
            _ => harm.ended_before += 1,
        }
        child.kill().ok();
        child.wait().map_err(|error| error.to_string())?;
        harm.partial = harm.partial.max(partial_files(&site));
        check(&site, &request)
            .map_err(|wrong| format!("seed {seed}, kill {}, {done}: {wrong}", harm.count))?;
    }
    expect_removed(&site, &mut random)?;
    Ok(harm)
}

fn partial_files(site: &Site) -> usize {
    let entries = fs::read_dir(&site.traces).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|it| it == "part"))
        .count()
}

/// After an hour the next trace that is saved takes partial files along.
fn expect_removed(site: &Site, random: &mut Random) -> Result<(), String> {
    let wrong = |error: std::io::Error| error.to_string();
    fs::write(site.traces.join("0.trace.0.part"), "cut").map_err(wrong)?;
    let hours_ago = std::time::SystemTime::now() - Duration::from_hours(2);
    for entry in fs::read_dir(&site.traces).map_err(wrong)?.flatten() {
        if entry.path().extension().is_some_and(|it| it == "part") {
            let file = fs::OpenOptions::new().write(true).open(entry.path());
            file.and_then(|file| file.set_modified(hours_ago))
                .map_err(wrong)?;
        }
    }
    // The next that is good is saved.
    for _ in 0..50 {
        Edited::new(&site.workspace, random);
        for file in site.trace_files() {
            fs::remove_file(file).map_err(wrong)?;
        }
        if check(site, &request(&[]))?.has_plan {
            break;
        }
    }
    match partial_files(site) {
        0 => Ok(()),
        left => Err(format!("{left} partial files are left")),
    }
}

/// Damages traces at random; every evaluation is right.
pub fn corrupt(program: &Path, seed: u64, corruptions: usize) -> Result<Harm, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut random = Random::new(seed);
    let sites = ["one", "other"].map(|name| Site::below(&folder.path().join(name), program));
    let mut traces = Vec::new();
    for site in &sites {
        let edited = Edited::new(&site.workspace, &mut random);
        traces.push(saved_with_changes(site, edited, &mut random)?);
    }
    let [saved, others] = traces.as_slice() else {
        return Err("there are two workspaces".to_owned());
    };
    let expected = sites[0].evaluate(&request(&[]));
    let mut harm = Harm::default();
    for number in 0..corruptions {
        let position = random.below(saved.len());
        for (file, whole) in saved {
            fs::write(file, whole).map_err(|error| error.to_string())?;
        }
        let ((file, whole), (_, other)) = (&saved[position], &others[position]);
        fs::write(file, damaged(whole, other, &mut random)).map_err(|error| error.to_string())?;
        let actual = sites[0].remember(&request(&[])).evaluation;
        super::check::compare(&actual, &expected)
            .map_err(|wrong| format!("seed {seed}, corruption {number}: {wrong}"))?;
        harm.count += 1;
    }
    Ok(harm)
}

/// Edits and evaluates until there are changes beside a trace; both files as they are then.
fn saved_with_changes(
    site: &Site,
    mut edited: Edited,
    random: &mut Random,
) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    for _ in 0..50 {
        let checked = check(site, &request(&[]))?;
        let files = site.trace_files();
        if checked.has_plan && files.len() == 2 {
            let read = |file: PathBuf| Ok((file.clone(), fs::read(file)?));
            let saved: std::io::Result<Vec<_>> = files.into_iter().map(read).collect();
            return saved.map_err(|error| error.to_string());
        }
        edited.edit(random);
        if !checked.has_plan {
            edited.repair();
        }
    }
    Err("no changes were saved".to_owned())
}

fn damaged(whole: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let (one, two) = (random.below(bytes.len()), random.below(bytes.len()));
    match random.below(8) {
        0..3 => bytes[one] ^= 1 << random.below(8),
        3 => bytes.truncate(one),
        4 => bytes[one.min(two)..one.max(two)].fill(0),
        5 => bytes = other.to_vec(),
        6 => {
            let end = one.min(other.len());
            bytes[..end].copy_from_slice(&other[..end]);
        }
        _ => bytes.extend_from_slice(&other[..one.min(other.len())]),
    }
    bytes
}
