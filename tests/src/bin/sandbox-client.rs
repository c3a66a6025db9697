//! A client that a test kills.
//!
//! `sandbox-client STORE DISABLED PROGRAM ARGUMENT...` runs the program of the layer `probe`,
//! prints `started` when it does, and in the end the status and the log. `DISABLED` is
//! `all-guards` or `outlives-client`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;

use stxl_sandbox::{
    BuildUid, Console, Guard, GuardSet, LAUNCHER_ARGUMENT, Limits, Personality, SandboxSpec,
    Scratch,
};
use stxl_tests::launcher::start_launcher;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().expect("a store");
    if first == LAUNCHER_ARGUMENT {
        stxl_sandbox::launcher_main();
    }
    let guards = arguments.next().expect("which guards");
    let disabled = if guards == "outlives-client" {
        GuardSet::of(&[Guard::DiesWithClient])
    } else {
        GuardSet::EMPTY
    };
    let store = File::open(first).expect("the store opens").into();
    let launcher = start_launcher(store);
    let spec = SandboxSpec {
        layers: vec!["probe".into()],
        commands: vec![arguments.collect::<Vec<OsString>>()],
        env: BTreeMap::new(),
        cwd: "/".into(),
        uid: BuildUid::Root,
        platform: Personality::X86_64,
        limits: Limits::default(),
        scratch: Scratch::Memory,
        empty_directories: Vec::new(),
        supplied_files: BTreeMap::new(),
        console: Console::Log,
        log: rustix::fs::memfd_create(c"log", rustix::fs::MemfdFlags::CLOEXEC).expect("a log"),
    };
    let running = launcher
        .spawn_without(&spec, disabled)
        .expect("the sandbox starts");
    println!("started");
    let outcome = running.wait().expect("the sandbox ends");
    println!("{:?}", outcome.status);
    rustix::fs::seek(&spec.log, rustix::fs::SeekFrom::Start(0)).expect("the log is a file");
    print!(
        "{}",
        std::io::read_to_string(File::from(spec.log)).expect("the log is text")
    );
}
