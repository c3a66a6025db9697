//! The store's exercise in a process of its own, which can be killed at any operation.
//!
//! A program of its own, so that building other parts of the tests never replaces it by one
//! without a store.

fn main() -> std::process::ExitCode {
    stxl_tests::store::exercise::child_main()
}
