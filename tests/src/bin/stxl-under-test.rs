//! The program under test: the whole command line, or, when other parts do not compile, the hidden
//! subcommands that tests of one part need.

#[cfg(feature = "cli")]
fn main() -> std::process::ExitCode {
    stxl_cli::main()
}

#[cfg(not(feature = "cli"))]
fn main() -> std::process::ExitCode {
    match std::env::args().nth(1).as_deref() {
        #[cfg(feature = "eval")]
        Some("__evaluate") => stxl_eval::child_main(),
        #[cfg(feature = "sandbox")]
        Some(stxl_sandbox::LAUNCHER_ARGUMENT) => stxl_sandbox::launcher_main(),
        _ => {
            eprintln!("error: this program was built without the feature `cli`");
            std::process::ExitCode::FAILURE
        }
    }
}
