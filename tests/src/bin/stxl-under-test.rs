//! The program under test: the whole command line.

fn main() -> std::process::ExitCode {
    stxl_cli::main()
}
