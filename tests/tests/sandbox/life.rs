//! Nothing outlives its owner: neither a killed client, nor a finished run.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use stxl_sandbox::{ExitStatus, GuardSet, WaitError};
use stxl_tests::processes::{children_of, processes_with};

use crate::site::{SITE, launcher, probe, run, run_with};

/// How soon everything must be gone.
const SOON: Duration = Duration::from_secs(1);

fn is_gone_soon(word: &str) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < SOON {
        if processes_with(word).is_empty() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// A client whose probe waits under a word nobody else uses, and which runs already.
fn client(guards: &str, word: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox-client"))
        .arg(&SITE.store)
        .args([guards, "/bin/probe", "wait_ms", word])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("it is piped");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("the client speaks");
    assert_eq!(line, "started\n");
    child
}

fn kill(pid: i32) {
    let pid = Pid::from_raw(pid).expect("a process id");
    kill_process(pid, Signal::KILL).expect("it is there to be killed");
}

#[test]
fn a_killed_client_takes_its_sandbox_along() {
    // The client's own arguments hold the word as well, so it is only counted after its death.
    let word = format!("600{:06}", std::process::id());
    let mut child = client("all-guards", &word);
    assert!(processes_with(&word).len() >= 2, "the probe runs");
    child.kill().expect("kill");
    child.wait().expect("wait");
    assert!(is_gone_soon(&word), "with the guard the probe is gone");

    let word = format!("601{:06}", std::process::id());
    let mut child = client("outlives-client", &word);
    child.kill().expect("kill");
    child.wait().expect("wait");
    assert!(!is_gone_soon(&word), "without the guard the probe lives on");
    for pid in processes_with(&word) {
        kill(pid);
    }
    assert!(is_gone_soon(&word), "the test leaves nothing behind");
}

#[test]
fn a_killed_launcher_takes_its_sandboxes_along() {
    let word = format!("602{:06}", std::process::id());
    let mut child = client("all-guards", &word);
    let launchers = children_of(child.id());
    assert_eq!(launchers.len(), 1);
    let waiting = waiting_child_of(launchers[0].cast_unsigned(), 2);
    launchers.into_iter().for_each(kill);
    child.wait().expect("the client notices");
    assert!(is_gone_soon(&word));
    assert!(has_ended_soon(waiting), "a supervisor waits for nobody");
}

/// Waits until a launcher has this many supervisors and returns the one that was made last.
fn waiting_child_of(launcher: u32, count: usize) -> i32 {
    let begin = Instant::now();
    loop {
        let children = children_of(launcher);
        if children.len() == count {
            return children.into_iter().max().expect("there is one");
        }
        assert!(begin.elapsed() < SOON * 10, "{children:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An orphan that nobody has collected yet has ended as well.
fn has_ended_soon(pid: i32) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < SOON {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = status.rsplit_once(')').map_or("", |(_, rest)| rest);
        if state.is_empty() || state.starts_with(" Z") || state.starts_with(" X") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn the_end_of_a_killed_supervisor_is_seen() {
    let launcher = launcher(&SITE.store, GuardSet::EMPTY);
    let word = format!("605{:06}", std::process::id());
    let spec = probe(&["wait_ms", &word]);
    let running = launcher.spawn(&spec).expect("it starts");
    let spare = waiting_child_of(launcher.process_id(), 2);
    children_of(launcher.process_id())
        .into_iter()
        .filter(|pid| *pid != spare)
        .for_each(kill);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(running.wait().map(drop)));
    let ended = receiver.recv_timeout(SOON * 10).expect("the wait ends");
    assert!(matches!(ended, Err(WaitError::SupervisorLost)), "{ended:?}");
    assert!(is_gone_soon(&word));
}

#[test]
fn a_killed_spare_supervisor_is_replaced() {
    let launcher = launcher(&SITE.store, GuardSet::EMPTY);
    let first = run_with(&launcher, &probe(&["try_tree"]), GuardSet::EMPTY);
    let spare = waiting_child_of(launcher.process_id(), 1);
    kill(spare);
    assert!(has_ended_soon(spare));
    let second = run_with(&launcher, &probe(&["try_tree"]), GuardSet::EMPTY);
    assert_eq!(first.status, second.status);
    assert_ne!(waiting_child_of(launcher.process_id(), 1), spare);
}

#[test]
fn a_daemon_ends_with_its_run() {
    let word = format!("603{:06}", std::process::id());
    let run = run(&probe(&["leave_daemon", &word]), GuardSet::EMPTY);
    assert_eq!(run.status, ExitStatus::Exited(0));
    assert!(
        processes_with(&word).is_empty(),
        "all are dead before the outcome is told"
    );
}

#[test]
fn a_dropped_run_ends() {
    let word = format!("604{:06}", std::process::id());
    let spec = probe(&["wait_ms", &word]);
    let running = SITE.launcher.spawn(&spec).expect("it starts");
    let handle = running.kill_handle();
    drop(running);
    assert!(is_gone_soon(&word));
    handle.kill();
}

#[test]
fn runs_leave_no_process_mount_or_descriptor_behind() {
    let launcher = i32::try_from(SITE.launcher.process_id()).expect("a process id");
    let census = || {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("a mount table");
        let launcher_mounts =
            std::fs::read_to_string(format!("/proc/{launcher}/mountinfo")).unwrap_or_default();
        let launcher_fds = std::fs::read_dir(format!("/proc/{launcher}/fd"))
            .map(Iterator::count)
            .unwrap_or_default();
        (mounts, launcher_mounts, launcher_fds)
    };
    run(&probe(&["try_tree"]), GuardSet::EMPTY);
    let before = census();
    for _ in 0..20 {
        run(&probe(&["leave_daemon"]), GuardSet::EMPTY);
    }
    // Other tests have requests under way, each of which is a few descriptors for a moment.
    let begin = Instant::now();
    while census() != before {
        assert!(
            begin.elapsed() < SOON * 10,
            "{:?} became {:?}",
            before,
            census()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
