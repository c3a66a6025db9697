//! The program under test. Hidden subcommands come first, as in the program itself.

fn main() -> std::process::ExitCode {
    match std::env::args().nth(1).as_deref() {
        #[cfg(feature = "eval")]
        Some("__evaluate") => stxl_eval::child_main(),
        #[cfg(feature = "cli")]
        _ => stxl_cli::main(),
        #[cfg(not(feature = "cli"))]
        _ => std::process::ExitCode::FAILURE,
    }
}
