//! Tells what a build was doing: [`Phase`].

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;

/// The name of the program that generated packages run.
const TOOL: &str = "tool";
/// The first argument of the process that starts sandboxes.
const LAUNCHER: &str = "__launcher";

/// A part of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The language is evaluated to a plan; the store is not open yet.
    Evaluate,
    /// The store is opened, records are looked up.
    Resolve,
    /// Inputs of a step are checked out and its sandbox is made.
    Materialise,
    /// The step's own program runs.
    Run,
    /// What it wrote is hashed and copied into the store.
    Seal,
    /// Results are recorded and made durable.
    Record,
}

impl Phase {
    /// All phases in the order of a build.
    pub(super) const ALL: [Self; 6] = [
        Self::Evaluate,
        Self::Resolve,
        Self::Materialise,
        Self::Run,
        Self::Seal,
        Self::Record,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Evaluate => "evaluate",
            Self::Resolve => "resolve",
            Self::Materialise => "materialise",
            Self::Run => "run",
            Self::Seal => "seal",
            Self::Record => "record",
        })
    }
}

/// The processes below a client at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Processes {
    // Start times tell a process from a later one with the same number.
    alive: Vec<(u32, String)>,
    has_launcher: bool,
    /// Whether a step's program runs.
    pub(super) has_tool: bool,
}

impl Processes {
    /// Looks at all processes below one; those that end meanwhile are left out.
    pub(super) fn below(client: u32) -> Self {
        let mut processes = Self::default();
        let mut pending = children_of(client);
        while let Some(pid) = pending.pop() {
            pending.extend(children_of(pid));
            let Some(start) = start_of(pid) else { continue };
            processes.alive.push((pid, start));
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = words.split(|byte| *byte == 0);
            let program = words.next().unwrap_or_default();
            let first = words.next().unwrap_or_default();
            let name = Path::new(std::str::from_utf8(program).unwrap_or_default()).file_name();
            processes.has_tool |= name.is_some_and(|name| name == TOOL);
            processes.has_launcher |= first == LAUNCHER.as_bytes();
        }
        processes
    }

    /// Waits until none of them is left; it is a fault when that takes too long.
    pub(super) fn check_gone(&self, limit: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let left: Vec<u32> = self
                .alive
                .iter()
                .filter(|(pid, started)| start_of(*pid).as_ref() == Some(started))
                .map(|(pid, _)| *pid)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!("processes {left:?} outlive the client by more than {limit:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// An event of a build: when it was read, and its name.
pub(super) type Event = (Instant, String);

/// Returns the phase of a client that wrote these events and had these processes.
///
/// `tool_seen` is when a step's program was last seen alive. The end of a program is no event:
/// that it was seen and is gone tells sealing from materialising. With several steps at once, it
/// is the phase of one of them.
pub(super) fn of(events: &[Event], processes: &Processes, tool_seen: Option<Instant>) -> Phase {
    let Some((_, last)) = events.last() else {
        return if processes.has_launcher {
            Phase::Resolve
        } else {
            Phase::Evaluate
        };
    };
    let materialising = events.iter().rfind(|(_, event)| event == "materialising");
    let has_run =
        materialising.is_some_and(|(begin, _)| tool_seen.is_some_and(|seen| seen > *begin));
    match last.as_str() {
        "started" | "cached" | "cut_off" => Phase::Resolve,
        "step_started" | "materialising" | "log" if processes.has_tool => Phase::Run,
        "materialising" | "log" if has_run => Phase::Seal,
        "step_started" | "materialising" => Phase::Materialise,
        _ => Phase::Record,
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .filter_map(Result::ok)
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the start time of a process that is alive, as the kernel writes it.
fn start_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    // The start time is the 22nd field; the state is the third.
    (state != "Z")
        .then(|| fields.nth(18).map(str::to_owned))
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::{Event, Phase, Processes, of};

    #[test]
    fn processes_below_are_seen_and_have_to_go() {
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let processes = Processes::below(std::process::id());
        assert!(processes.alive.iter().any(|(pid, _)| *pid == child.id()));
        assert!(processes.check_gone(Duration::from_millis(20)).is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        let gone = Processes {
            alive: processes
                .alive
                .into_iter()
                .filter(|(pid, _)| *pid == child.id())
                .collect(),
            ..Processes::default()
        };
        assert!(gone.check_gone(Duration::from_secs(5)).is_ok());
    }

    #[test]
    fn events_and_processes_tell_the_phase() {
        let begin = Instant::now();
        let at = |tick| begin + Duration::from_millis(tick);
        let phase = |events: &[&str], has_launcher, has_tool, tool_seen: Option<u64>| {
            let events: Vec<Event> = (0..)
                .zip(events)
                .map(|(tick, event)| (at(tick), (*event).to_owned()))
                .collect();
            let processes = Processes {
                alive: Vec::new(),
                has_launcher,
                has_tool,
            };
            of(&events, &processes, tool_seen.map(at))
        };
        let running = ["started", "step_finished", "step_started", "materialising"];
        assert_eq!(phase(&[], false, false, None), Phase::Evaluate);
        assert_eq!(phase(&[], true, false, None), Phase::Resolve);
        assert_eq!(phase(&["started"], true, false, None), Phase::Resolve);
        assert_eq!(phase(&running, true, false, None), Phase::Materialise);
        assert_eq!(phase(&running, true, false, Some(1)), Phase::Materialise);
        assert_eq!(phase(&running, true, true, Some(4)), Phase::Run);
        assert_eq!(phase(&running, true, false, Some(4)), Phase::Seal);
        assert_eq!(
            phase(&["started", "step_finished"], true, false, None),
            Phase::Record
        );
    }
}
