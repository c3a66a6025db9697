//! The program `stxl`.

fn main() -> std::process::ExitCode {
    stxl_cli::main()
}
