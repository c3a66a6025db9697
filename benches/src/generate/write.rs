//! Writes a graph as a workspace of stxl.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use super::graph::{Graph, Shape, Size};
use super::{write_makefile, write_ninja, write_nix};
use crate::seed::{self, Work};

/// What generated packages do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A script of ten lines in about 520 bytes of text; there is no shell to run it
    Script,
    /// One run of a tiny program that makes one file; builds without any tools
    Trivial,
}

/// How a workspace is generated
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many packages
    #[arg(long, value_name = "N")]
    packages: usize,

    /// How many others each package needs
    #[arg(long, value_name = "D", default_value_t = 5)]
    deps: usize,

    /// Which of the random graphs
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// The shape of the graph
    #[arg(long, value_enum, default_value = "random")]
    shape: Shape,

    /// Layers of the shape `layers`
    #[arg(long, value_name = "N", default_value_t = 10)]
    depth: usize,

    /// Dependents of each package of the shape `tree`
    #[arg(long, value_name = "N", default_value_t = 10)]
    fan_out: usize,

    /// What the packages do
    #[arg(long, value_enum, default_value = "script")]
    kind: Kind,

    /// Rounds of an empty loop in each trivial package, about one per nanosecond
    #[arg(long, value_name = "N", default_value_t = 0)]
    rounds: u32,

    /// Blocks of 64 KiB that each trivial package writes
    #[arg(long, value_name = "N", default_value_t = 0)]
    blocks: u32,

    /// Write the same graph for Nix too: `default.nix` and `nix/`
    #[arg(long)]
    nix: bool,

    /// Write the same graph for make and ninja too: `Makefile` and `build.ninja`
    #[arg(long)]
    make: bool,

    /// Where; made if missing
    directory: PathBuf,
}

/// Writes what the command line asks for.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let size = Size {
        packages: arguments.packages,
        needs_each: arguments.deps,
        depth: arguments.depth,
        fan_out: arguments.fan_out,
    };
    let graph = Graph::draw(arguments.shape, size, arguments.seed);
    let work = Work {
        rounds: arguments.rounds,
        blocks: arguments.blocks,
    };
    write_workspace(&arguments.directory, &graph, arguments.kind, work)?;
    if arguments.nix {
        write_nix(&arguments.directory, &graph)?;
    }
    if arguments.make {
        write_makefile(&arguments.directory, &graph)?;
        write_ninja(&arguments.directory, &graph)?;
    }
    Ok(())
}

/// Writes `stxl.toml` and a folder for each package below `stages/core`.
pub fn write_workspace(
    directory: &Path,
    graph: &Graph,
    kind: Kind,
    work: Work,
) -> anyhow::Result<()> {
    let lock = seed::lock(work);
    write(
        &directory.join("stxl.toml"),
        &format!(
            "stages = [\"base\", [\"core\"]]\nplatform = \"i686\"\n\n[base]\ncore = [\"base/tool\"]\n\n\
             [seeds]\n\"base/tool\" = [\"{lock}\"]\n"
        ),
    )?;
    let tool = directory.join("stages/base/tool");
    write(&tool.join("tool.hex"), &seed::hex_text(work))?;
    write(&tool.join("package.rhai"), &tool_package(&lock))?;
    for (package, needs) in graph.needs.iter().enumerate() {
        let folder = directory.join("stages/core").join(name(package));
        let text = match kind {
            Kind::Script => script_package(package, needs),
            Kind::Trivial => trivial_package(package, needs),
        };
        write(&folder.join("package.rhai"), &text)?;
    }
    Ok(())
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

/// Returns the name of a package.
pub fn name(package: usize) -> String {
    format!("p{package:05}")
}

/// Returns the lines of the script of a package; Nix gets the same.
pub fn script_lines(package: usize) -> [String; 10] {
    let name = name(package);
    [
        format!("cp -r /usr/share/source/{name} ."),
        format!("cd {name}"),
        "./configure --prefix=/usr \\".to_owned(),
        "    --disable-static \\".to_owned(),
        "    --enable-shared".to_owned(),
        "make -j\"$JOBS\"".to_owned(),
        "make check".to_owned(),
        "make DESTDIR=\"$OUT\" install".to_owned(),
        "rm -rf \"$OUT/usr/share/doc\"".to_owned(),
        format!("test -x \"$OUT/usr/bin/{name}\""),
    ]
}

fn needs_list(needs: &[usize]) -> String {
    let labels: Vec<String> = needs
        .iter()
        .map(|need| format!("\"core/{}\"", name(*need)))
        .collect();
    format!("[{}]", labels.join(", "))
}

fn script_package(package: usize, needs: &[usize]) -> String {
    let mut text = String::new();
    writeln!(
        text,
        "script(#{{\n    version: \"1.{}.{}\",\n    description: \"Package {} of a generated workspace\",\n    \
         license: \"MIT\",\n    needs: {},\n    script: #\"",
        package / 100,
        package % 100,
        name(package),
        needs_list(needs)
    )
    .expect("text takes text");
    for line in script_lines(package) {
        writeln!(text, "        {line}").expect("text takes text");
    }
    text.push_str("    \"#,\n})\n");
    text
}

fn trivial_package(package: usize, needs: &[usize]) -> String {
    format!(
        "custom(#{{\n    version: \"1\",\n    description: \"Makes one file\",\n    license: \"MIT\",\n    \
         needs: {},\n}});\n\nfn build(p) {{\n    let done = root([p.base] + p.needs)\n        \
         .mkdir(\"/out\")\n        .run([\"/tool\", \"/out/{}\"]);\n    #{{ main: done.out(\"/out\") }}\n}}\n",
        needs_list(needs),
        name(package)
    )
}

fn tool_package(lock: &str) -> String {
    format!(
        "custom(#{{\n    version: \"1\",\n    description: \"The only program of this workspace\",\n    \
         license: \"MIT\",\n    seeds: #{{ tool: seed(\"tool.hex\", \"{lock}\") }},\n}});\n\n\
         fn build(p) {{\n    let done = root().put(p.seeds.tool, \"/out/tool\", \"exec\");\n    \
         #{{ main: done.out(\"/out\") }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{Graph, Kind, Shape, Size, Work, script_package, write_workspace};

    #[test]
    fn a_package_of_five_needs_has_about_520_bytes() {
        let length = script_package(9000, &[1, 20, 300, 4000, 5000]).len();
        assert!((500..=640).contains(&length), "{length}");
    }

    #[test]
    fn a_workspace_has_its_settings_its_tool_and_its_packages() {
        let folder = tempfile::tempdir().unwrap();
        let size = Size {
            packages: 3,
            ..Size::default()
        };
        let graph = Graph::draw(Shape::Chain, size, 1);
        write_workspace(folder.path(), &graph, Kind::Trivial, Work::default()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(read("stxl.toml").contains("\"base/tool\" = [\"sha256:"));
        assert!(read("stages/base/tool/tool.hex").starts_with('#'));
        assert!(read("stages/core/p00002/package.rhai").contains("needs: [\"core/p00001\"]"));
    }
}
