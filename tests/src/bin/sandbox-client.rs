//! A client that a test kills.
//!
//! `sandbox-client STORE DISABLED PROGRAM ARGUMENT...` runs the program of the layer `probe`,
//! prints `started` when it does, and in the end the status and the log. `DISABLED` is
//! `all-guards` or `outlives-client`.

use std::fs::File;

use stxl_sandbox::{Guard, GuardSet, LAUNCHER_ARGUMENT, SandboxSpec};
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
    let log = rustix::fs::memfd_create(c"log", rustix::fs::MemfdFlags::CLOEXEC).expect("a log");
    let spec = SandboxSpec::plain(vec!["probe".into()], vec![arguments.collect()], log);
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
