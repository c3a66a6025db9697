//! A launcher of sandboxes whose program is the test's own binary.

use std::os::fd::OwnedFd;

use stxl_sandbox::{LAUNCHER_ARGUMENT, Launcher, LauncherProgram};

/// Starts a launcher for an open store directory.
///
/// The `main` of the binary calls [`stxl_sandbox::launcher_main`] when its first argument is
/// [`LAUNCHER_ARGUMENT`].
pub fn start_launcher(store: OwnedFd) -> Launcher {
    let program = LauncherProgram::new("/proc/self/exe", [LAUNCHER_ARGUMENT], store);
    Launcher::start(program).expect("the launcher starts")
}
