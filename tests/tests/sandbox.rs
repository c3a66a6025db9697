//! The sandbox, tested from inside: break-out attempts, limits, and the ABI line by line.
//!
//! Every attempt runs twice: with all guards, where it must be refused, and without the guard it
//! is about, where it must succeed; so no attempt passes because it is broken. Everything runs as
//! the user who started the tests and, if that is root, as an unprivileged user as well.

#[path = "sandbox/abi.rs"]
mod abi;
#[path = "sandbox/attempts.rs"]
mod attempts;
#[path = "sandbox/life.rs"]
mod life;
#[path = "sandbox/limits.rs"]
mod limits;
#[path = "sandbox/observation.rs"]
mod observation;
#[path = "sandbox/outcomes.rs"]
mod outcomes;
#[path = "sandbox/site.rs"]
mod site;

use std::process::Command;

/// The user of the second round.
const UNPRIVILEGED: &str = "65534";

#[test]
fn everything_holds_for_an_unprivileged_user_too() {
    if !rustix::process::geteuid().is_root() {
        println!("this is the unprivileged round, or there is no root to start from");
        return;
    }
    let this = std::env::current_exe().expect("the test knows its own program");
    let output = Command::new("setpriv")
        .args([
            &format!("--reuid={UNPRIVILEGED}"),
            &format!("--regid={UNPRIVILEGED}"),
        ])
        .args(["--clear-groups", "--"])
        .arg(this)
        .arg("--test-threads=2")
        .env_remove("RUST_TEST_THREADS")
        .output()
        .expect("setpriv of util-linux is installed");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the round as user {UNPRIVILEGED} failed\n{}\n{}",
        report,
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(report.contains("attempts_are_refused_and_succeed_without_their_guard ... ok"));
}
