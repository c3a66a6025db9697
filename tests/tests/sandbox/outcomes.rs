//! How runs end when nothing is wrong with the sandbox.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::time::Duration;

use stxl_sandbox::{
    BuildUid, Console, ExitStatus, GuardSet, GuardState, SecondName, SpawnError, SpecError,
};

use crate::site::{SITE, give_to_launcher, list, probe, read_log, run};

fn command(words: &[&str]) -> Vec<OsString> {
    ["/bin/probe"]
        .iter()
        .chain(words)
        .map(OsString::from)
        .collect()
}

#[test]
fn statuses_are_those_of_the_process() {
    let cases: &[(&[&str], ExitStatus)] = &[
        (&["end_with", "0"], ExitStatus::Exited(0)),
        (&["end_with", "7"], ExitStatus::Exited(7)),
        (&["end_by_signal", "9"], ExitStatus::Signaled(9)),
        (&["end_by_signal", "11"], ExitStatus::Signaled(11)),
    ];
    for (words, status) in cases {
        assert_eq!(
            run(&probe(words), GuardSet::EMPTY).status,
            *status,
            "{words:?}"
        );
    }
}

#[test]
fn a_program_that_is_missing_is_not_started() {
    let mut spec = probe(&[]);
    spec.commands = vec![vec!["/bin/nothing".into()]];
    assert_eq!(
        run(&spec, GuardSet::EMPTY).status,
        ExitStatus::NotStarted(2)
    );
    let mut spec = probe(&["end_with", "0"]);
    spec.cwd = "/nowhere".into();
    assert_eq!(
        run(&spec, GuardSet::EMPTY).status,
        ExitStatus::NotStarted(2)
    );
    let mut spec = probe(&["end_with", "0"]);
    spec.layers.clear();
    assert_eq!(
        run(&spec, GuardSet::EMPTY).status,
        ExitStatus::NotStarted(2),
        "an empty root"
    );
}

#[test]
fn commands_run_until_one_fails() {
    let mut spec = probe(&["end_with", "0"]);
    spec.commands.push(command(&["try_tree"]));
    spec.commands.push(command(&["end_with", "3"]));
    spec.commands.push(command(&["end_with", "0"]));
    let run = run(&spec, GuardSet::EMPTY);
    assert_eq!(
        (run.status, run.outcome.commands_ended),
        (ExitStatus::Exited(3), 2)
    );
}

#[test]
fn processes_of_an_earlier_command_still_get_answers() {
    let mut spec = probe(&["leave_daemon"]);
    spec.commands.push(command(&["host_answers"]));
    assert_eq!(run(&spec, GuardSet::EMPTY).status, ExitStatus::Exited(10));
}

#[test]
fn the_upper_holds_what_was_written_and_nothing_else() {
    let mut spec = probe(&["try_tree"]);
    spec.empty_directories = vec!["/build/deep".into()];
    spec.cwd = "/build/deep".into();
    spec.supplied_files
        .insert("script".into(), b"text".to_vec());
    let run = run(&spec, GuardSet::EMPTY);
    assert_eq!(run.status, ExitStatus::Exited(0), "{}", run.log);
    let upper = &run.outcome.upper;
    assert_eq!(list(upper), ["build", "out"]);
    let open = |path: &str| {
        use rustix::fs::{Mode, OFlags};
        rustix::fs::openat(upper.as_fd(), path, OFlags::RDONLY, Mode::empty()).expect("it opens")
    };
    assert_eq!(list(&open("out")), ["result"]);
    assert_eq!(read_log(&open("out/result")), "made\n");
    assert_eq!(list(&open("build/deep")), [""; 0]);
}

#[test]
fn a_symlink_gets_no_second_name() {
    let layer = SITE.store.join("linked");
    std::fs::create_dir(&layer).expect("a directory");
    give_to_launcher(&layer);
    std::os::unix::fs::symlink("/store", layer.join("src")).expect("a symlink");
    let mut spec = probe(&["end_with", "0"]);
    spec.layers.push("linked".into());
    spec.world.second_name = Some(SecondName {
        first: "src".into(),
        second: "elsewhere".into(),
    });
    match SITE.launcher.spawn(&spec) {
        Err(SpawnError::Guard(failure)) => assert_eq!(
            failure.errno,
            rustix::io::Errno::LOOP.raw_os_error(),
            "{failure}"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn supplied_files_are_there_and_cannot_be_written() {
    let supplied = |words: &[&str]| {
        let mut spec = probe(words);
        spec.supplied_files
            .insert("script".into(), b"text".to_vec());
        run(&spec, GuardSet::EMPTY).status
    };
    assert_eq!(
        supplied(&["read_file", "/dev/stxl/script"]),
        ExitStatus::Exited(0)
    );
    assert_eq!(
        supplied(&["open_for_writing", "/dev/stxl/script"]),
        ExitStatus::Exited(10)
    );
    assert_eq!(
        supplied(&["write_file", "/dev/stxl/other"]),
        ExitStatus::Exited(10)
    );
}

#[test]
fn the_fifo_for_jobs_is_all_there_that_can_be_written() {
    for uid in [BuildUid::Root, BuildUid::Tester] {
        let try_to = |verb: &str, path: &str| {
            let mut spec = probe(&[verb, path]);
            spec.has_job_fifo = true;
            spec.uid = uid;
            run(&spec, GuardSet::EMPTY).status
        };
        let fifo = stxl_sandbox::JOB_FIFO;
        assert_eq!(try_to("open_for_writing", fifo), ExitStatus::Exited(0));
        assert_eq!(
            try_to("write_file", "/dev/stxl/other"),
            ExitStatus::Exited(10)
        );
    }
}

#[test]
fn a_tester_is_user_1000() {
    let mut spec = probe(&["abi"]);
    spec.uid = BuildUid::Tester;
    let run = run(&spec, GuardSet::EMPTY);
    assert!(run.log.contains("ids=1000 1000 1000 1000\n"), "{}", run.log);
}

#[test]
fn sixteen_layers_are_possible_and_the_topmost_wins() {
    let mut spec = probe(&["read_file", "/input"]);
    spec.layers.clear();
    for index in 0..14 {
        let name = format!("layer{index}");
        std::fs::create_dir(SITE.store.join(&name)).expect("a layer");
        give_to_launcher(&SITE.store.join(&name));
        spec.layers.push(name.into());
    }
    spec.layers.extend(["files".into(), "probe".into()]);
    assert_eq!(run(&spec, GuardSet::EMPTY).status, ExitStatus::Exited(0));
    spec.layers.push("secret".into());
    let refused = SITE.launcher.spawn(&spec).map(drop);
    assert!(
        matches!(
            &refused,
            Err(SpawnError::Spec(SpecError::TooManyLayers {
                count: 17,
                max: 16
            }))
        ),
        "{refused:?}"
    );
}

#[test]
fn only_one_command_has_pipes() {
    let mut spec = probe(&["try_tree"]);
    spec.console = Console::Pipes;
    spec.commands.push(command(&["try_tree"]));
    let refused = SITE.launcher.spawn(&spec).map(drop);
    assert!(
        matches!(refused, Err(SpawnError::Spec(SpecError::OneCommandOnly(2)))),
        "{refused:?}"
    );
}

#[test]
fn paths_that_leave_the_store_are_refused() {
    for path in ["/etc", "../secret", "a/../../b", "", "."] {
        let mut spec = probe(&[]);
        spec.layers = vec![path.into()];
        let refused = SITE.launcher.spawn(&spec).map(drop);
        assert!(
            matches!(refused, Err(SpawnError::Spec(SpecError::NotBelowStore(_)))),
            "{path}"
        );
    }
    std::os::unix::fs::symlink("secret", SITE.store.join("link")).expect("a symlink");
    let mut spec = probe(&[]);
    spec.layers = vec!["link".into()];
    let refused = SITE.launcher.spawn(&spec).map(drop);
    assert!(matches!(refused, Err(SpawnError::Guard(_))), "{refused:?}");
}

#[test]
fn a_kill_handle_ends_a_run_from_another_thread() {
    let spec = probe(&["wait_ms", "20000"]);
    let running = SITE.launcher.spawn(&spec).expect("it starts");
    let handle = running.kill_handle();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        handle.kill();
    });
    let outcome = running.wait().expect("it ends");
    killer.join().expect("the other thread ends");
    assert_eq!(outcome.status, ExitStatus::Cancelled);
    assert!(outcome.wall_ms < 2000);
}

#[test]
fn the_self_test_finds_every_guard() {
    for report in stxl_sandbox::self_test(&SITE.launcher) {
        assert!(
            matches!(report.state, GuardState::Observed | GuardState::SetUp),
            "{}: {:?}",
            report.guard,
            report.state
        );
    }
}

#[test]
fn many_runs_at_once_share_one_launcher() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                (0..10).all(|_| {
                    run(&probe(&["try_tree"]), GuardSet::EMPTY).status == ExitStatus::Exited(0)
                })
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().expect("the thread ends"));
    }
}
