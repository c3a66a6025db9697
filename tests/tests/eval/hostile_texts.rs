//! Hostile texts as data: every case ends as diagnostics at the right places, in bounded time,
//! memory and output, and never as a signal.
//!
//! A case is one file in `cases/hostile/`: a sentence, the files of a workspace, each after a line
//! `--- path`, and after `--- said` the diagnostics, each as `error ID at FILE:LINE`, or `nothing`;
//! after a line `or` what may be said instead, where it depends on the machine. The package is
//! `core/hostile`; cases that have nothing else share a workspace, under other names.
//! `STXL_BLESS=1` writes what is said.
//!
//! In texts and paths `‹N × TEXT›` stands for N times the text, in which `%i`, `%j`, `%k` and `%0`
//! are the number from 0, 1 and 2, and a NUL; `‹e2 80 ae›` stands for bytes. Before a path may
//! stand `N ×` and what is there: `fifo`, `socket`, `device`, `folder`, or `link`, with
//! `-> TARGET`.
//!
//! `STXL_HOSTILE_PROGRAM` names another program, as built for users, which then has to keep the
//! limits it promises, and every case is alone. `STXL_HOSTILE_ONLY` chooses cases by a part of
//! their names.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

use crate::world::{SETTINGS, script_package};

/// Where the package under test is, in the text of cases.
const PACKAGE: &str = "core/hostile";
/// The section with the expectation.
const SAID: &str = "said";
/// Diagnostics that are listed.
const LISTED_MAX: usize = 4;
/// Cases in one workspace.
const BATCH: usize = 24;
/// Bytes that may be said in all.
const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// What the program promises for a package; unoptimised it takes longer.
const TIME_MAX: Duration = Duration::from_secs(2);
const TIME_UNOPTIMISED_MAX: Duration = Duration::from_secs(12);
/// Beside other work, which a test cannot know of.
const WALL_MAX: Duration = Duration::from_mins(1);
/// Resident memory of the client and of the evaluator, each.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Beside other work the thread that watches the memory has to wait for its turn.
const MEMORY_UNOPTIMISED_BYTES_MAX: u64 = 384 << 20;

struct Case {
    path: PathBuf,
    name: String,
    /// With the mark of the expectation.
    head: String,
    files: Vec<(String, String)>,
    expected: String,
}

impl Case {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap();
        let mark = format!("--- {SAID}\n");
        let at = text.find(&mark);
        let at = at.unwrap_or_else(|| panic!("{} has no `{mark}`", path.display())) + mark.len();
        let (head, expected) = text.split_at(at);
        let sections = head[..at - mark.len()].split("\n--- ").skip(1);
        let files = sections.map(|section| {
            let (name, content) = section.split_once('\n').unwrap_or((section, ""));
            (name.to_owned(), content.trim_end_matches('\n').to_owned())
        });
        Self {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            files: files.collect(),
            expected: expected.trim_end().to_owned(),
            head: head.to_owned(),
            path,
        }
    }

    /// Whether it is one package and nothing else, and can be evaluated in a moment.
    fn can_share_a_workspace(&self) -> bool {
        let folder = format!("stages/{PACKAGE}/");
        let large = ["huge-", "many-", "roots-", "template-", "nested-groups"];
        let ends = ["limit-time", "limit-memory", "limit-stack"];
        self.files.iter().all(|(name, _)| name.starts_with(&folder))
            && !self.expected.is_empty()
            && !large.iter().any(|it| self.name.starts_with(it))
            && !ends.iter().any(|it| self.expected.contains(it))
    }

    /// Whether it takes as long as it may. Of those a few are enough for a test that runs often.
    fn is_slow(&self) -> bool {
        let slow = ["outputs-by-the-thousand-of-a-long-chain", "huge-options"];
        let is_over = self.expected.contains("limit-time") && !self.name.starts_with("time-");
        is_over || slow.contains(&self.name.as_str())
    }

    /// Writes its files; the package gets another name.
    fn write(&self, workspace: &Path, package: &str) {
        for (name, content) in &self.files {
            let (count, name) = match name.split_once(" × ") {
                Some((count, name)) if !count.contains('‹') => (count.parse().unwrap(), name),
                _ => (1, name.as_str()),
            };
            for index in 0..count {
                let own = |text: &str| numbered(&text.replace(PACKAGE, package), index);
                let content = if count == 1 {
                    content.replace(PACKAGE, package)
                } else {
                    own(content)
                };
                let name = if count == 1 {
                    name.replace(PACKAGE, package)
                } else {
                    own(name)
                };
                let name = String::from_utf8(expanded(&name)).unwrap();
                write_entry(workspace, &name, &expanded(&content));
            }
        }
    }

    /// What is wrong with what was said, or nothing; writes it down when that is wanted.
    fn check(&self, said: &str) -> Option<String> {
        // Unoptimised, the time or the stack may be over first.
        let is_over = ["error limit-time at ", "error limit-stack at "];
        if released().is_none() && is_over.iter().any(|it| said.starts_with(it)) {
            return None;
        }
        let mut allowed = self.expected.split("\nor\n");
        if allowed.any(|it| it == said) {
            return None;
        }
        if stxl_tests::is_blessing() {
            std::fs::write(&self.path, format!("{}{said}\n", self.head)).unwrap();
            return None;
        }
        let Self { name, expected, .. } = self;
        Some(format!(
            "{name}\n--- expected\n{expected}\n--- said\n{said}"
        ))
    }
}

/// A text with a number in the place of `%i`.
fn numbered(text: &str, index: usize) -> String {
    text.replace("%i", &index.to_string())
        .replace("%j", &(index + 1).to_string())
        .replace("%k", &(index + 2).to_string())
        .replace("%0", "\0")
}

/// A text with what stands between `‹` and `›` written out.
fn expanded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('‹') {
        bytes.extend_from_slice(before.as_bytes());
        let (inside, behind) = after.split_once('›').expect("`‹` has a `›`");
        if let Some((count, text)) = inside.split_once(" × ") {
            for index in 0..count.parse().unwrap() {
                bytes.extend_from_slice(numbered(text, index).as_bytes());
            }
        } else {
            let byte = |it: &str| u8::from_str_radix(it, 16).unwrap();
            bytes.extend(inside.split(' ').map(byte));
        }
        rest = behind;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn write_entry(workspace: &Path, name: &str, content: &[u8]) {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat, symlinkat};
    let (kind, rest) = name.split_once(' ').unwrap_or(("", name));
    let made = |name: &str| {
        let path = workspace.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let node = |kind, device| {
        let mode = Mode::from_raw_mode(0o600);
        let path = made(rest);
        mknodat(CWD, &path, kind, mode, device)
            // Only root makes devices; what has no bytes and no end either is in its place.
            .or_else(|_| mknodat(CWD, &path, FileType::Fifo, mode, 0))
            .unwrap();
    };
    match kind {
        "fifo" => node(FileType::Fifo, 0),
        "socket" => node(FileType::Socket, 0),
        "device" => node(FileType::CharacterDevice, makedev(1, 5)),
        "folder" => std::fs::create_dir_all(made(rest)).unwrap(),
        "link" => {
            let (path, target) = rest.split_once(" -> ").unwrap();
            symlinkat(target, CWD, made(path)).unwrap();
        }
        _ => std::fs::write(made(name), content).unwrap(),
    }
}

/// What the program said, and what it took.
struct Run {
    /// Severity and kind, with the place.
    said: Vec<(String, String)>,
    wall: Duration,
    /// Of all processes and threads: no more than the promised time on a machine without other
    /// work.
    cpu: Duration,
    memory_bytes: u64,
}

impl Run {
    /// Whether the evaluator was ended for what one of its packages did.
    fn was_ended(&self) -> bool {
        let faults = [
            "limit-time",
            "limit-memory",
            "limit-stack",
            "evaluator-stopped",
        ];
        self.said
            .iter()
            .any(|(kind, _)| faults.iter().any(|it| kind.ends_with(it)))
    }

    /// What was said of a package, or of all.
    fn said_of(&self, package: Option<&str>) -> String {
        let folder = package.map(|package| format!("stages/{package}/"));
        let is_of = |place: &str| folder.as_ref().is_none_or(|it| place.starts_with(it));
        let said: Vec<_> = self.said.iter().filter(|(_, place)| is_of(place)).collect();
        let listed = said.iter().take(LISTED_MAX);
        let mut lines: Vec<String> = listed
            .map(|(kind, place)| match package {
                Some(package) => format!("{kind} at {}", place.replace(package, PACKAGE)),
                None => format!("{kind} at {place}"),
            })
            .collect();
        if said.len() > LISTED_MAX {
            lines.push("and more".to_owned());
        }
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        lines.join("\n")
    }
}

/// How diagnostics are said: as text the first fifty, as records all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

impl Form {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Text => &[],
            Self::Json => &["--json"],
        }
    }
}

/// The program as built for users, if it is the one to be tested.
fn released() -> Option<PathBuf> {
    std::env::var_os("STXL_HOSTILE_PROGRAM").map(PathBuf::from)
}

/// Evaluates a workspace in a process of its own, as users do; fails when it ends in another way
/// than with a plan or diagnostics.
fn run(workspace: &Path, store: &Path, form: Form) -> Result<Run, String> {
    let program = released().unwrap_or_else(|| env!("CARGO_BIN_EXE_stxl-under-test").into());
    let output = tempfile::tempfile().unwrap();
    let before = Instant::now();
    let child = Command::new(program)
        .arg("-C")
        .arg(workspace)
        .arg("--store")
        .arg(store)
        .arg("eval")
        .args(form.arguments())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output.try_clone().unwrap())
        .spawn()
        .unwrap();
    let used = child.wait4().unwrap();
    let wall = before.elapsed();
    let text = read_all(&output);
    let shown: String = text.chars().take(4000).collect();
    let is_plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let said = match form {
        Form::Text => heads(&text),
        Form::Json => records(&text),
    };
    let is_good = said.iter().all(|(kind, _)| kind.starts_with("warning"));
    let status = used.status;
    match status.code() {
        _ if form == Form::Text && text.len() > OUTPUT_BYTES_MAX => {
            Err(format!("{} bytes are said\n{shown}", text.len()))
        }
        _ if !text.chars().all(is_plain) => Err(format!("control characters:\n{shown}")),
        Some(0) if is_good => Ok(()),
        Some(2) if !is_good => Ok(()),
        _ => Err(format!("{status:?}\n{shown}")),
    }?;
    Ok(Run {
        said,
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        memory_bytes: used.rusage.maxrss,
    })
}

fn read_all(mut output: &std::fs::File) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    output.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    text
}

/// The diagnostics of the record that stands for all of them.
fn records(text: &str) -> Vec<(String, String)> {
    let is_record = |line: &&str| line.contains("\"event\":\"diagnostics\"");
    let Some(record) = text.lines().find(is_record) else {
        return Vec::new();
    };
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    let diagnostics = record["diagnostics"].as_array().unwrap();
    let said = diagnostics.iter().map(|it| {
        let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let place = match it["line"].as_u64() {
            Some(line) => format!("{}:{line}", text("file")),
            None => text("file"),
        };
        (format!("{} {}", text("severity"), text("id")), place)
    });
    said.collect()
}

/// The first lines of diagnostics, with the places below them.
fn heads(text: &str) -> Vec<(String, String)> {
    let mut said: Vec<(String, String)> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        // What is no mistake in a text, such as no workspace.
        if line.starts_with("error: ") {
            said.push(("error".to_owned(), "no place".to_owned()));
        }
        let is_head = line.starts_with("error[") || line.starts_with("warning[");
        if let Some((kind, _)) = line.split_once("]: ").filter(|_| is_head) {
            said.push((kind.replace('[', " "), "no place".to_owned()));
            is_open = true;
        } else if let Some(place) = line.strip_prefix(" = in `").filter(|_| is_open) {
            // A file that cannot be read has no lines.
            if let Some((_, known)) = said.last_mut() {
                place.trim_end_matches('`').clone_into(known);
            }
            is_open = false;
        } else if let Some(place) = line.trim_start().strip_prefix("┌─ ").filter(|_| is_open) {
            let file_line = place.rsplit_once(':').map_or(place, |(before, _)| before);
            if let Some((_, known)) = said.last_mut() {
                file_line.clone_into(known);
            }
            is_open = false;
        }
    }
    said
}

fn workspace(cases: &[(&Case, &str)]) -> tempfile::TempDir {
    // Some lead out of it: what lies beside it has to be nobody else's.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let has_settings = cases
        .iter()
        .flat_map(|(case, _)| &case.files)
        .any(|(name, _)| name.ends_with("stxl.toml"));
    if !has_settings {
        write_entry(folder.path(), "stxl.toml", SETTINGS.as_bytes());
    }
    let honest = script_package("", "");
    write_entry(
        folder.path(),
        "stages/core/a/package.rhai",
        honest.as_bytes(),
    );
    for (case, package) in cases {
        case.write(folder.path(), package);
    }
    folder
}

/// What cases took, and what is wrong.
#[derive(Default)]
struct Report {
    took: Vec<(Duration, u64, String)>,
    wrong: Vec<String>,
}

impl Report {
    fn add(&mut self, run: &Run, what: &str) {
        let (limit, memory_bytes_max) = if released().is_some() {
            (TIME_MAX, MEMORY_BYTES_MAX)
        } else {
            (TIME_UNOPTIMISED_MAX, MEMORY_UNOPTIMISED_BYTES_MAX)
        };
        let Run {
            wall,
            cpu,
            memory_bytes,
            ..
        } = run;
        // One is of all threads, the other runs on while others have the processor.
        let took = (*cpu).min(*wall);
        if took > limit || *wall > WALL_MAX {
            self.wrong
                .push(format!("{what} took {cpu:?} of CPU time in {wall:?}"));
        }
        if *memory_bytes > memory_bytes_max {
            let megabytes = memory_bytes >> 20;
            self.wrong.push(format!("{what} took {megabytes} MB"));
        }
        self.took.push((took, *memory_bytes, what.to_owned()));
    }

    fn print(&mut self) {
        let line = |(took, bytes, what): &(Duration, u64, String)| {
            println!("{:>6} ms {:>4} MB  {what}", took.as_millis(), bytes >> 20);
        };
        let count = if released().is_some() { 30 } else { 8 };
        println!("the slowest:");
        self.took.sort_by_key(|(took, ..)| std::cmp::Reverse(*took));
        self.took.iter().take(count).for_each(line);
        println!("the largest:");
        self.took
            .sort_by_key(|(_, bytes, _)| std::cmp::Reverse(*bytes));
        self.took.iter().take(count).for_each(line);
    }
}

fn check_alone(case: &Case, store: &Path, report: &mut Report) {
    let folder = workspace(&[(case, PACKAGE)]);
    match run(folder.path(), store, Form::Text) {
        Ok(run) => {
            report.add(&run, &case.name);
            report.wrong.extend(case.check(&run.said_of(None)));
        }
        Err(wrong) => report.wrong.push(format!("{}: {wrong}", case.name)),
    }
}

/// Checks several cases in one workspace; each alone if one of them ends the evaluator, since
/// nothing is known of the others then.
fn check_together(cases: &[&Case], store: &Path, report: &mut Report) {
    let packages: Vec<String> = cases
        .iter()
        .map(|case| format!("core/{}", case.name))
        .collect();
    let named = cases.iter().zip(&packages);
    let named: Vec<(&Case, &str)> = named
        .map(|(case, package)| (*case, package.as_str()))
        .collect();
    let folder = workspace(&named);
    match run(folder.path(), store, Form::Json) {
        Ok(run) if !run.was_ended() => {
            let first = cases.first().map_or("", |case| case.name.as_str());
            report.add(&run, &format!("{first} and {} more", cases.len() - 1));
            for (case, package) in &named {
                let wrong = case.check(&run.said_of(Some(package)));
                report.wrong.extend(wrong);
            }
        }
        Ok(_) | Err(_) => {
            for case in cases {
                check_alone(case, store, report);
            }
        }
    }
}

fn cases() -> Vec<Case> {
    let folder = stxl_tests::package_folder().join("cases/hostile");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(Case::read).collect()
}

#[test]
fn every_hostile_text_ends_as_expected() {
    let only = std::env::var_os("STXL_HOSTILE_ONLY")
        .map(|it| it.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut cases = cases();
    assert!(cases.len() >= 200, "only {} cases are left", cases.len());
    cases.retain(|case| case.name.contains(&only));
    if released().is_none() && only.is_empty() {
        cases.retain(|case| !case.is_slow());
    }
    let store = tempfile::tempdir().unwrap();
    let mut report = Report::default();
    let are_shared = released().is_none() && only.is_empty();
    let (together, alone): (Vec<&Case>, Vec<&Case>) = cases
        .iter()
        .partition(|case| are_shared && case.can_share_a_workspace());
    for batch in together.chunks(BATCH) {
        check_together(batch, store.path(), &mut report);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut report = Report::default();
        while let Some(case) = alone.get(next.fetch_add(1, Ordering::Relaxed)) {
            check_alone(case, store.path(), &mut report);
        }
        report
    };
    // What the released program takes is told of it alone.
    let workers = if released().is_none() { 2 } else { 1 };
    let reports = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap());
        ended.collect::<Vec<_>>()
    });
    for other in reports {
        report.took.extend(other.took);
        report.wrong.extend(other.wrong);
    }
    report.print();
    let wrong = report.wrong;
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
