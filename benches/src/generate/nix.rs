//! Writes a graph as Nix expressions: one file a package, as in the workspace.

use std::path::Path;

use super::graph::Graph;
use super::write::{name, script_lines, write};

/// Writes `default.nix`, whose value is a list of all packages, and a file for each below `nix/`.
pub fn write_nix(directory: &Path, graph: &Graph) -> anyhow::Result<()> {
    let mut set = String::from("let\n  p = {\n");
    for package in 0..graph.needs.len() {
        let name = name(package);
        set.push_str(&format!("    {name} = import ./nix/{name}.nix p;\n"));
    }
    set.push_str("  };\nin builtins.attrValues p\n");
    write(&directory.join("default.nix"), &set)?;
    for (package, needs) in graph.needs.iter().enumerate() {
        let path = directory.join("nix").join(format!("{}.nix", name(package)));
        write(&path, &expression(package, needs))?;
    }
    Ok(())
}

fn expression(package: usize, needs: &[usize]) -> String {
    let needs: Vec<String> = needs
        .iter()
        .map(|need| format!("p.{}", name(*need)))
        .collect();
    // Two single quotes open and close the text, in which `${` would interpolate.
    let script: String = script_lines(package)
        .iter()
        .map(|line| format!("    {line}\n"))
        .collect();
    format!(
        "p: derivation {{\n  name = \"{}-1.{}.{}\";\n  system = \"x86_64-linux\";\n  \
         builder = \"/bin/sh\";\n  args = [ \"-eu\" \"-c\" ''\n{script}  '' ];\n  \
         needs = [ {} ];\n}}\n",
        name(package),
        package / 100,
        package % 100,
        needs.join(" ")
    )
}
