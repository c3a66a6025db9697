//! The first tcc as the gcc of this machine makes it: the same source and library as in the chain.

use std::path::Path;
use std::process::Command;

/// Compiles the patched source of tcc with the library of stage 0, and returns the program.
pub(crate) fn compile(source: &Path) -> Vec<u8> {
    let own = stxl_tests::package_folder();
    let library = own.join("../stages/stage0/libc");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("tcc");
    let compiled = Command::new("gcc")
        // The library relies on arguments lying on the stack, and on nothing else of a compiler.
        .args(["-m32", "-O0", "-w", "-std=gnu99", "-fwrapv", "-fno-pic"])
        .args(["-no-pie", "-static", "-nostdlib", "-nostdinc"])
        .args([
            "-fno-builtin",
            "-fno-stack-protector",
            "-Wl,--build-id=none",
        ])
        .arg("-I")
        .arg(source)
        .arg("-I")
        .arg(&library)
        .arg("-I")
        .arg(library.join("include"))
        .arg("-o")
        .arg(&program)
        .arg(source.join("unit.c"))
        // Division of `long long`, which gcc calls functions for.
        .arg(source.join("lib/libtcc1.c"))
        .arg(own.join("tests/stage1/start.c"))
        .output()
        .expect("this test needs gcc");
    assert!(
        compiled.status.success(),
        "gcc -m32 does not compile tcc: {}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    std::fs::read(program).expect("gcc made a program")
}
