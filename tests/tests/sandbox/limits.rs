//! What a sandbox may use up, as a table: each limit ends it with its own status, and without
//! the guard it ends by itself.

use std::process::Command;
use std::time::Duration;

use stxl_sandbox::{
    ExitStatus, Guard, GuardSet, Limits, ResourceKind, SandboxSpec, Scratch, TimeoutKind,
};

use crate::site::{SITE, give_to_launcher, probe, run};

struct Case {
    words: &'static [&'static str],
    guard: Guard,
    limit: fn(&mut Limits),
    status: ExitStatus,
}

const fn case(
    guard: Guard,
    words: &'static [&'static str],
    limit: fn(&mut Limits),
    status: ExitStatus,
) -> Case {
    Case {
        words,
        guard,
        limit,
        status,
    }
}

const fn timeout(kind: TimeoutKind) -> ExitStatus {
    ExitStatus::TimedOut {
        kind,
        limit_ms: 300,
    }
}

const LESS: fn(&mut Limits) = |limits| limits.scratch_bytes = 4 << 20;
const WALL: ExitStatus = timeout(TimeoutKind::Wall);
const SILENT: ExitStatus = timeout(TimeoutKind::Silent);
const MEMORY: ExitStatus = ExitStatus::ResourceExceeded(ResourceKind::Memory);
const PROCESSES: ExitStatus = ExitStatus::ResourceExceeded(ResourceKind::Processes);
const BYTES: ExitStatus = ExitStatus::ResourceExceeded(ResourceKind::ScratchBytes);
const FILES: ExitStatus = ExitStatus::ResourceExceeded(ResourceKind::ScratchFiles);
const LOG: ExitStatus = ExitStatus::ResourceExceeded(ResourceKind::Log);

#[rustfmt::skip]
const CASES: &[Case] = &[
    case(Guard::WallTimeout, &["wait_ms", "1500"], |it| it.wall_ms = 300, WALL),
    case(Guard::WallTimeout, &["talk_ms", "1500"], |it| it.wall_ms = 300, WALL),
    case(Guard::SilentTimeout, &["wait_ms", "1500"], |it| it.silent_ms = 300, SILENT),
    case(Guard::MemoryLimit, &["eat_memory", "209715200"], |it| it.memory_bytes = 48 << 20, MEMORY),
    case(Guard::ProcessLimit, &["fork_bomb", "60"], |it| it.processes_max = 30, PROCESSES),
    case(Guard::ScratchLimit, &["fill_disk", "16", "/tmp/big"], LESS, BYTES),
    case(Guard::ScratchLimit, &["fill_disk", "16", "/big"], LESS, BYTES),
    case(Guard::ScratchLimit, &["fill_disk", "16", "/dev/shm/big"], LESS, BYTES),
    case(Guard::ScratchLimit, &["many_files", "2000"], |it| it.scratch_files_max = 500, FILES),
    case(Guard::LogLimit, &["flood_log", "4194304"], |it| it.log_bytes_max = 1 << 20, LOG),
];

fn limited(case: &Case) -> SandboxSpec {
    let mut spec = probe(case.words);
    (case.limit)(&mut spec.limits);
    spec
}

#[test]
fn limits_end_a_sandbox_with_their_status() {
    let mut wrong = Vec::new();
    for case in CASES {
        // A second sandbox beside it must not notice.
        let neighbour =
            std::thread::spawn(|| run(&probe(&["talk_ms", "500"]), GuardSet::EMPTY).status);
        let guarded = run(&limited(case), GuardSet::EMPTY);
        if guarded.status != case.status {
            wrong.push(format!(
                "{:?} under {}: {:?}",
                case.words, case.guard, guarded.status
            ));
        }
        if guarded.outcome.wall_ms > 2500 {
            wrong.push(format!(
                "{:?} took {} ms",
                case.words, guarded.outcome.wall_ms
            ));
        }
        let free = run(&limited(case), GuardSet::of(&[case.guard]));
        if free.status != ExitStatus::Exited(0) {
            wrong.push(format!(
                "{:?} without {}: {:?}",
                case.words, case.guard, free.status
            ));
        }
        let neighbour = neighbour.join().expect("the neighbour ends");
        if neighbour != ExitStatus::Exited(0) {
            wrong.push(format!("beside {:?}: {neighbour:?}", case.words));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_log_is_kept_up_to_its_limit() {
    let mut spec = probe(&["flood_log", "4194304"]);
    spec.limits.log_bytes_max = 1 << 20;
    let run = run(&spec, GuardSet::EMPTY);
    assert_eq!(run.outcome.log_bytes, 1 << 20);
    assert_eq!(run.log.len(), 1 << 20);
}

/// What is written to a scratch on disk of at most 8 MiB, which guards are off, and how that ends.
#[rustfmt::skip]
const ON_DISK: &[(&str, &[&str], &[Guard], ExitStatus)] = &[
    ("small", &["3"], &[], ExitStatus::Exited(0)),
    ("one-file", &["20"], &[], BYTES),
    ("two-files", &["6", "6"], &[], BYTES),
    ("free", &["6", "6"], &[Guard::ScratchLimit], ExitStatus::Exited(0)),
];

#[test]
fn a_scratch_on_disk_is_watched() {
    for (name, files, guards, expected) in ON_DISK {
        let path = SITE.store.join(name);
        std::fs::create_dir(&path).expect("a scratch");
        give_to_launcher(&path);
        let fill = |(number, size): (usize, &&str)| {
            let words = ["/bin/probe", "fill_disk", *size].map(Into::into);
            let file = format!("/big{number}").into();
            words.into_iter().chain([file]).collect()
        };
        let mut spec = probe(&[]);
        spec.commands = files.iter().enumerate().map(fill).collect();
        spec.limits.scratch_bytes = 8 << 20;
        spec.scratch = Scratch::Disk((*name).into());
        let ran = run(&spec, GuardSet::of(guards));
        assert_eq!(ran.status, *expected, "{name}: {}", ran.log);
        assert!(ran.outcome.wall_ms < 10_000, "{name}");
        remove_scratch(name);
    }
}

/// The overlay leaves directories without any permission behind, which their owner can open up.
fn remove_scratch(name: &str) {
    let path = SITE.store.join(name);
    // The last mount of it goes a moment after the supervisor has.
    for _ in 0..100 {
        let opened = Command::new("chmod")
            .args(["-R", "u+rwx"])
            .arg(&path)
            .status();
        assert!(
            opened.expect("chmod runs").success(),
            "the scratch `{name}` has one owner"
        );
        if std::fs::remove_dir_all(&path).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the scratch `{name}` cannot be removed");
}
