//! Runs a program and tells what it used: [`measure`].

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use wait4::Wait4 as _;

/// What a program and all it waited for used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// On all processors together, in programs and in the kernel.
    pub cpu: Duration,
    /// The largest resident set of any one of them, in bytes.
    pub rss_bytes: u64,
}

/// Runs a command to its success; standard output goes nowhere, standard error to a file that is
/// quoted when it fails.
pub fn measure(command: &mut Command) -> anyhow::Result<Usage> {
    let name = format!("{command:?}");
    let name: String = name.chars().take(200).collect();
    let complaints = tempfile::tempfile().context("a temporary file")?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(complaints.try_clone().context("a temporary file")?);
    let start = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("could not start {name}"))?;
    let used = child
        .wait4()
        .with_context(|| format!("could not wait for {name}"))?;
    let wall = start.elapsed();
    if !used.status.success() {
        let how = used.status.signal().map_or_else(
            || used.status.to_string(),
            |signal| format!("signal {signal}"),
        );
        bail!("{name} ended with {how}: {}", last_lines(&complaints)?);
    }
    Ok(Usage {
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        rss_bytes: used.rusage.maxrss,
    })
}

/// A control group of processes. It counts the processor time of all of them, those of other
/// namespaces included, which the processes that started these never wait for.
#[derive(Debug)]
pub struct Group(PathBuf);

impl Group {
    /// Makes one, which ends with this.
    pub fn new() -> anyhow::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("the mounts")?;
        let mut mounts = mounts.lines().map(|line| line.split(' '));
        let place = mounts.find_map(|mut words| {
            let place = words.nth(1)?;
            (words.next() == Some("cgroup2")).then_some(place)
        });
        let place = place.context("processor time needs the second version of control groups")?;
        let name = format!("stxl-bench-{}", std::process::id());
        let group = Path::new(place).join(name);
        fs::create_dir(&group).with_context(|| format!("no group {}", group.display()))?;
        Ok(Self(group))
    }

    /// Like [`measure`], with the processor time of all processes in the group.
    pub fn measure(&self, command: &Command) -> anyhow::Result<Usage> {
        let mut inside = Command::new("/bin/sh");
        inside.args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""]);
        inside.arg(&self.0).arg(command.get_program());
        inside.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        let before = self.cpu()?;
        let usage = measure(&mut inside)?;
        let cpu = self.cpu()?.saturating_sub(before);
        Ok(Usage { cpu, ..usage })
    }

    fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(self.0.join("cpu.stat")).context("the group's time")?;
        let mut lines = stat.lines();
        let micros = lines.find_map(|line| line.strip_prefix("usage_usec "));
        let micros = micros.context("the group's time")?.parse()?;
        Ok(Duration::from_micros(micros))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // One that still has processes is of no use to anybody, and in nobody's way.
        fs::remove_dir(&self.0).ok();
    }
}

/// The largest resident sets of a program and of those it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Of the program itself.
    pub client_bytes: u64,
    /// The largest of any one it started; 0 when it started none.
    pub child_bytes: u64,
}

/// Like [`measure`], and tells memory by process: the kernel keeps the peak of each, which is
/// looked at until they end.
pub fn measure_with_peaks(command: &mut Command) -> anyhow::Result<(Usage, Peaks)> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peaks = Peaks::default();
            while !is_over.load(Ordering::Relaxed) {
                look(&mut peaks);
                std::thread::sleep(Duration::from_micros(500));
            }
            peaks
        });
        let usage = measure(command);
        is_over.store(true, Ordering::Relaxed);
        let peaks = watch.join().unwrap_or_default();
        Ok((usage?, peaks))
    })
}

fn look(peaks: &mut Peaks) {
    for client in children_of(std::process::id()) {
        peaks.client_bytes = peaks.client_bytes.max(peak_of(client));
        for child in children_of(client) {
            peaks.child_bytes = peaks.child_bytes.max(peak_of(child));
        }
    }
}

/// The processes that any thread of a process started.
fn children_of(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|children| {
            let numbers = children.split_ascii_whitespace();
            numbers.filter_map(|it| it.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

/// The largest resident set of a process so far, in bytes; 0 of one that is gone.
pub fn peak_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|it| it.trim().parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// Measures a command several times and returns the median of each figure.
pub fn median_of(
    runs: usize,
    mut run: impl FnMut() -> anyhow::Result<Usage>,
) -> anyhow::Result<Usage> {
    let usages = (0..runs.max(1))
        .map(|_| run())
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Usage {
        wall: median(usages.iter().map(|usage| usage.wall).collect()),
        cpu: median(usages.iter().map(|usage| usage.cpu).collect()),
        rss_bytes: median(usages.iter().map(|usage| usage.rss_bytes).collect()),
    })
}

/// Returns the middle value; the lower one of two.
fn median<T: Ord + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default()
}

fn last_lines(mut complaints: &File) -> anyhow::Result<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut bytes = Vec::new();
    complaints.seek(SeekFrom::Start(0))?;
    complaints.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(10)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{measure, median};

    #[test]
    fn a_program_that_works_uses_processor_time() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        let usage = measure(&mut command).unwrap();
        assert!(usage.cpu.as_millis() > 5 && usage.wall.as_millis() > 5);
        assert!(usage.rss_bytes > 100_000);
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo because >&2; exit 3"]);
        assert!(
            measure(&mut command)
                .unwrap_err()
                .to_string()
                .contains("because")
        );
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3, 1, 2]), 2);
        assert_eq!(median(vec![4, 1, 3, 2]), 2);
    }
}
