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

const CASES: &[Case] = &[
    Case {
        words: &["wait_ms", "1500"],
        guard: Guard::WallTimeout,
        limit: |limits| limits.wall_ms = 300,
        status: ExitStatus::TimedOut {
            kind: TimeoutKind::Wall,
            limit_ms: 300,
        },
    },
    Case {
        words: &["talk_ms", "1500"],
        guard: Guard::WallTimeout,
        limit: |limits| limits.wall_ms = 300,
        status: ExitStatus::TimedOut {
            kind: TimeoutKind::Wall,
            limit_ms: 300,
        },
    },
    Case {
        words: &["wait_ms", "1500"],
        guard: Guard::SilentTimeout,
        limit: |limits| limits.silent_ms = 300,
        status: ExitStatus::TimedOut {
            kind: TimeoutKind::Silent,
            limit_ms: 300,
        },
    },
    Case {
        words: &["eat_memory", "209715200"],
        guard: Guard::MemoryLimit,
        limit: |limits| limits.memory_bytes = 48 << 20,
        status: ExitStatus::ResourceExceeded(ResourceKind::Memory),
    },
    Case {
        words: &["fork_bomb", "60"],
        guard: Guard::ProcessLimit,
        limit: |limits| limits.processes_max = 30,
        status: ExitStatus::ResourceExceeded(ResourceKind::Processes),
    },
    Case {
        words: &["fill_disk", "16", "/tmp/big"],
        guard: Guard::ScratchLimit,
        limit: |limits| limits.scratch_bytes = 4 << 20,
        status: ExitStatus::ResourceExceeded(ResourceKind::ScratchBytes),
    },
    Case {
        words: &["fill_disk", "16", "/big"],
        guard: Guard::ScratchLimit,
        limit: |limits| limits.scratch_bytes = 4 << 20,
        status: ExitStatus::ResourceExceeded(ResourceKind::ScratchBytes),
    },
    Case {
        words: &["fill_disk", "16", "/dev/shm/big"],
        guard: Guard::ScratchLimit,
        limit: |limits| limits.scratch_bytes = 4 << 20,
        status: ExitStatus::ResourceExceeded(ResourceKind::ScratchBytes),
    },
    Case {
        words: &["many_files", "2000"],
        guard: Guard::ScratchLimit,
        limit: |limits| limits.scratch_files_max = 500,
        status: ExitStatus::ResourceExceeded(ResourceKind::ScratchFiles),
    },
    Case {
        words: &["flood_log", "4194304"],
        guard: Guard::LogLimit,
        limit: |limits| limits.log_bytes_max = 1 << 20,
        status: ExitStatus::ResourceExceeded(ResourceKind::Log),
    },
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

#[test]
fn a_scratch_on_disk_is_watched() {
    let scratch = |name: &str| {
        let path = SITE.store.join(name);
        std::fs::create_dir(&path).expect("a scratch");
        give_to_launcher(&path);
        Scratch::Disk(name.into())
    };
    let mut spec = probe(&["fill_disk", "3", "/big"]);
    spec.limits.scratch_bytes = 8 << 20;
    spec.scratch = scratch("scratch-small");
    let small = run(&spec, GuardSet::EMPTY);
    assert_eq!(small.status, ExitStatus::Exited(0), "{}", small.log);

    // Two files, each below the limit of one file.
    let mut spec = probe(&["fill_disk", "6", "/big1"]);
    spec.commands.push(vec![
        "/bin/probe".into(),
        "fill_disk".into(),
        "6".into(),
        "/big2".into(),
    ]);
    spec.limits.scratch_bytes = 8 << 20;
    spec.scratch = scratch("scratch-large");
    let large = run(&spec, GuardSet::EMPTY);
    assert_eq!(
        large.status,
        ExitStatus::ResourceExceeded(ResourceKind::ScratchBytes)
    );
    assert!(large.outcome.wall_ms < 10_000);

    let mut spec = probe(&["fill_disk", "6", "/big1"]);
    spec.commands.push(vec![
        "/bin/probe".into(),
        "fill_disk".into(),
        "6".into(),
        "/big2".into(),
    ]);
    spec.limits.scratch_bytes = 8 << 20;
    spec.scratch = scratch("scratch-free");
    let free = run(&spec, GuardSet::of(&[Guard::ScratchLimit]));
    assert_eq!(free.status, ExitStatus::Exited(0), "{}", free.log);
    for name in ["scratch-small", "scratch-large", "scratch-free"] {
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
