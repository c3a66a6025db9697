//! Writes a graph for make and for ninja: every package is a file that `touch` makes.

use std::path::Path;

use super::graph::Graph;
use super::write::{name, write};

/// Writes `Makefile`; its files go to `made/`.
pub fn write_makefile(directory: &Path, graph: &Graph) -> anyhow::Result<()> {
    let mut rules = String::new();
    for (package, needs) in graph.needs.iter().enumerate() {
        let inputs = inputs(package, needs, "made");
        rules.push_str(&format!("made/{}: {inputs}\n\t@touch $@\n", name(package)));
    }
    let all = all(graph, "made");
    let text = format!(".SUFFIXES:\nMAKEFLAGS += -rR\nall: {all}\n.PHONY: all\n{rules}");
    std::fs::create_dir_all(directory.join("made"))?;
    write(&directory.join("Makefile"), &text)
}

/// Writes `build.ninja`; its files go to `ninja/`.
pub fn write_ninja(directory: &Path, graph: &Graph) -> anyhow::Result<()> {
    let mut text = String::from("rule touch\n  command = touch $out\n");
    for (package, needs) in graph.needs.iter().enumerate() {
        let inputs = inputs(package, needs, "ninja");
        text.push_str(&format!("build ninja/{}: touch {inputs}\n", name(package)));
    }
    text.push_str(&format!(
        "build all: phony {}\ndefault all\n",
        all(graph, "ninja")
    ));
    std::fs::create_dir_all(directory.join("ninja"))?;
    write(&directory.join("build.ninja"), &text)
}

/// Returns the definition, so that as many files are looked at as stxl looks at, and the needs.
fn inputs(package: usize, needs: &[usize], folder: &str) -> String {
    let mut inputs = vec![format!("stages/core/{}/package.rhai", name(package))];
    inputs.extend(needs.iter().map(|need| format!("{folder}/{}", name(*need))));
    inputs.join(" ")
}

fn all(graph: &Graph, folder: &str) -> String {
    let names: Vec<String> = (0..graph.needs.len())
        .map(|package| format!("{folder}/{}", name(package)))
        .collect();
    names.join(" ")
}
