//! The stdlib: every function has an example, and every example evaluates.

use stxl_lang::SourcePath;

use crate::world::World;

const FILES: [&str; 11] = [
    "stdlib/autotools.rhai",
    "stdlib/cargo.rhai",
    "stdlib/cmake.rhai",
    "stdlib/golang.rhai",
    "stdlib/make.rhai",
    "stdlib/meson.rhai",
    "stdlib/pallet.rhai",
    "stdlib/python.rhai",
    "stdlib/script.rhai",
    "stdlib/shell.rhai",
    "stdlib/tests.rhai",
];

/// The doc comment above each function of a file, by the function's name.
fn functions(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut comment = String::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("///") {
            comment.push_str(line.strip_prefix(' ').unwrap_or(line));
            comment.push('\n');
        } else if let Some(rest) = line.strip_prefix("fn ") {
            let name = rest.split('(').next().unwrap_or_default().to_owned();
            found.push((name, std::mem::take(&mut comment)));
        } else {
            comment.clear();
        }
    }
    found
}

#[test]
fn every_function_has_an_example_that_evaluates() {
    let world = World::new(&[]);
    let mut examples = 0;
    for path in FILES {
        let text = world.language.stdlib_text(&SourcePath::new(path));
        let text = text.unwrap_or_else(|| panic!("{path} is not embedded"));
        for (name, comment) in functions(text) {
            let example = comment.split("```").nth(1);
            let example = example.unwrap_or_else(|| panic!("{path}: `{name}` has no example"));
            check(path, &name, example.trim());
            examples += 1;
        }
    }
    assert!(examples >= 9, "{examples} examples");
}

/// An example is a whole package, or the body of a `build` with a script in `p`. Bodies call the
/// stdlib's shared functions, which packages cannot import: a copy in `lib` stands for them.
fn check(path: &str, name: &str, example: &str) {
    let package = if example.starts_with(|first: char| first.is_ascii_lowercase())
        && !example.contains("shell::")
    {
        example.to_owned()
    } else {
        let main = if name == "outputs" {
            example.to_owned()
        } else {
            format!("#{{ main: {example} }}")
        };
        format!(
            "import \"lib/shell\" as shell;\ncustom(#{{ version: \"1\", script: \"make\" }});\nfn build(p) {{ {main} }}"
        )
    };
    let shell = World::new(&[])
        .language
        .stdlib_text(&SourcePath::new("stdlib/shell.rhai"))
        .unwrap()
        .to_string();
    let world = World::new(&[
        ("stages/core/a/package.rhai", &package),
        ("stages/core/a/Cargo.lock", "version = 3\n"),
        ("lib/shell.rhai", &shell),
    ]);
    let expanded = world
        .expand_for("core/a", stxl_model::Platform::X86_64, &[])
        .unwrap_or_else(|wrong| panic!("{path}: `{name}`: {}", world.shown(&wrong)));
    assert!(!expanded.outputs.is_empty());
}
