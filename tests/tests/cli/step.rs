//! A program for steps of tests, which does what its words say: `step.c`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use crate::place::Place;

/// Compiled once.
static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("step");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/step.c");
    let compiled = Command::new("gcc")
        .args(["-static", "-Os", "-s", "-o"])
        .args([&program, &source])
        .output()
        .expect("this test needs gcc");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    fs::read(program).expect("the program is there")
});

impl Place {
    /// Writes a package whose build is a chain of root operations; `/step` runs the program.
    pub(crate) fn write_package(&self, label: &str, fields: &str, chain: &str) {
        let folder = format!("stages/{label}");
        let text = format!(
            r#"custom(#{{
    version: "1",
    description: "Steps of a test",
    license: "MIT",
    platforms: ["x86_64"],
{fields}}});

fn build(p) {{
    let begin = root().put(file("step"), "/step", "exec").mkdir("/out");
    #{{ main: begin{chain}.out("/out") }}
}}
"#
        );
        self.write(&format!("{folder}/package.rhai"), &text);
        let program = self.workspace().join(folder).join("step");
        fs::write(program, &*PROGRAM).expect("the workspace can be written");
    }
}
