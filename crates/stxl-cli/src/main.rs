//! The program `stxl`.

/// Evaluation makes many small values on several threads: see benches/README.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    stxl_cli::main()
}
