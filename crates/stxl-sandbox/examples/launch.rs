//! Measures how long a launch takes: `launch STORE LAYER PROGRAM COUNT THREADS`.
//!
//! Runs `PROGRAM` of the layer `LAYER` below `STORE`, `COUNT` times on each of `THREADS`
//! threads, and prints the shortest, the median and the mean time from request to outcome.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use stxl_sandbox::{ExitStatus, Launcher, LauncherProgram, SandboxSpec};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments
        .get(1)
        .is_some_and(|first| first == stxl_sandbox::LAUNCHER_ARGUMENT)
    {
        stxl_sandbox::launcher_main();
    }
    let [_, store, layer, program, count, threads] = <[OsString; 6]>::try_from(arguments)
        .map_err(|_| "usage: launch STORE LAYER PROGRAM COUNT THREADS")?;
    let number = |text: &OsString| text.to_string_lossy().parse::<usize>();
    let (count, threads) = (number(&count)?, number(&threads)?);
    let launcher = Launcher::start(LauncherProgram::new(
        "/proc/self/exe",
        [stxl_sandbox::LAUNCHER_ARGUMENT],
        File::open(&store)?.into(),
    ))?;
    for report in stxl_sandbox::self_test(&launcher) {
        eprintln!("{}: {:?}", report.guard, report.state);
    }
    let begin = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (launcher, layer, program) = (launcher.clone(), layer.clone(), program.clone());
            std::thread::spawn(move || {
                (0..count)
                    .map(|_| launch(&launcher, &layer, &program))
                    .collect::<Result<Vec<_>, _>>()
            })
        })
        .collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.join().map_err(|_| "a thread panicked")??);
    }
    let whole = begin.elapsed();
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let least = times.first().copied().unwrap_or_default();
    let each = whole / u32::try_from(times.len().max(1))?;
    println!("min {least:?} median {median:?} wall/launch {each:?}");
    Ok(())
}

fn launch(
    launcher: &Launcher,
    layer: &OsString,
    program: &OsString,
) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let log = rustix::fs::memfd_create(c"log", rustix::fs::MemfdFlags::CLOEXEC)?;
    let commands = vec![vec![program.clone()]];
    let spec = SandboxSpec::plain(vec![PathBuf::from(layer)], commands, log);
    let begin = Instant::now();
    let outcome = launcher.spawn(&spec)?.wait()?;
    let time = begin.elapsed();
    if outcome.status != ExitStatus::Exited(0) {
        return Err(format!("{:?}", outcome.status).into());
    }
    Ok(time)
}
