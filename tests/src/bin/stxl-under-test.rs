//! The program under test. Hidden subcommands come first, as in the program itself.

fn main() -> std::process::ExitCode {
    match std::env::args().nth(1).as_deref() {
        #[cfg(feature = "eval")]
        Some("__evaluate") => stxl_eval::child_main(),
        #[cfg(feature = "sandbox")]
        Some(stxl_sandbox::LAUNCHER_ARGUMENT) => stxl_sandbox::launcher_main(),
        #[cfg(feature = "store")]
        Some(stxl_tests::store::exercise::ARGUMENT) => stxl_tests::store::exercise::child_main(),
        #[cfg(feature = "cli")]
        _ => stxl_cli::main(),
        #[cfg(not(feature = "cli"))]
        _ => {
            eprintln!("stxl-under-test was built without its feature `cli`");
            std::process::ExitCode::FAILURE
        }
    }
}
