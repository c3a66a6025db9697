//! Building real programs inside stxl, and the same commands over the same files outside of it.
//!
//! Outside is bubblewrap: namespaces and nothing else. It is handed a copy of the step's root, the
//! step's commands and its environment, so what differs is what stxl adds: evaluation, layers,
//! guards, the log, and the result that is hashed, sealed and recorded.
//!
//! Nix builds the same step with the same toolchain: the folders of the root lie over its sandbox,
//! and what the step leaves is copied to where Nix takes, hashes and records it. The copies of the
//! root are made before the time is taken.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use stxl_model::{Derivation, Exec, Kind, Plan};
use tempfile::TempDir;

use crate::measure::{Group, Usage, measure, median_of};
use crate::site::{Site, SiteArguments, is_installed, nix_command};
use crate::table::Table;

/// What the scenario takes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    site: SiteArguments,

    /// The workspace with the packages (default: the one of this repository)
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    workspace: PathBuf,

    /// Look for sources in this directory first
    #[arg(long, value_name = "DIR")]
    source_dir: Option<PathBuf>,

    /// Where roots are unpacked for the builds outside; memory, as the scratch of stxl's steps
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    roots: PathBuf,

    /// How many jobs a build may have
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,

    /// The packages
    #[arg(default_values = ["core/lua", "core/sqlite", "core/openssl"])]
    labels: Vec<String>,
}

/// The parts of a workspace that evaluation reads.
const PARTS: [&str; 3] = ["stxl.toml", "stages", "lib"];

/// Runs the scenario.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    let workspace = site.path("workspace");
    fs::create_dir(&workspace).context("the workspace")?;
    for part in PARTS {
        let source = arguments.workspace.join(part);
        if source.exists() {
            succeed(
                Command::new("cp")
                    .arg("-r")
                    .args([source, workspace.join(part)]),
            )?;
        }
    }
    let store = site.fresh_store();
    let bench = Bench {
        arguments,
        site,
        workspace,
        store,
        group: Group::new()?,
    };
    // Everything below the steps that are measured.
    bench.build(&arguments.labels)?;
    for label in &arguments.labels {
        bench.measure(label)?;
    }
    Ok(())
}

struct Bench<'a> {
    arguments: &'a Arguments,
    site: Site,
    workspace: PathBuf,
    store: PathBuf,
    group: Group,
}

impl Bench<'_> {
    fn stxl(&self) -> anyhow::Result<Command> {
        self.site.stxl(&self.workspace, &self.store)
    }

    fn build(&self, labels: &[String]) -> anyhow::Result<Usage> {
        let mut command = self.stxl()?;
        command.arg("build").args(labels);
        command.args(["--json", "--jobs", &self.arguments.jobs.to_string()]);
        if let Some(directory) = &self.arguments.source_dir {
            command.arg("--source-dir").arg(directory);
        }
        self.group.measure(&command)
    }

    fn measure(&self, label: &str) -> anyhow::Result<()> {
        let runs = self.arguments.site.runs;
        let mut table = Table::default();
        let outside = "outside, bubblewrap";
        let step = self.first_step(label)?;
        let archive = self.root(label)?;
        if is_installed("bwrap") {
            let usage = median_of(runs, || self.run_outside(&step, &archive))?;
            table.add(outside, usage, 1);
        }
        if is_installed("nix-build") {
            let mut round = 0;
            let usage = median_of(runs, || {
                round += 1;
                self.run_nix(&step, &archive, round)
            })?;
            table.add("nix-build, evaluation included", usage, 1);
        }
        let mut round = 0;
        let inside = median_of(runs, || {
            round += 1;
            self.make_another(label, round)?;
            self.build(&[label.to_owned()])
        })?;
        table.add("stxl build, evaluation included", inside, 1);
        table.print(
            &format!("Build {label}, {} jobs", self.arguments.jobs),
            outside,
        );
        Ok(())
    }

    /// The first step of a package, as the plan has it.
    fn first_step(&self, label: &str) -> anyhow::Result<Exec<stxl_model::DerivationId>> {
        let file = self.site.path("plan");
        let mut command = self.stxl()?;
        command
            .args(["eval", label, "--json", "--save-plan"])
            .arg(&file);
        measure(&mut command)?;
        let plan = Plan::from_bytes(&fs::read(file).context("the plan")?)?;
        let node = plan.nodes().iter().find(|node| {
            node.origin.label.as_str() == label && node.derivation.kind() == Kind::Exec
        });
        let node = node.with_context(|| format!("{label} runs nothing"))?;
        match node.derivation.decode()? {
            Derivation::Exec(step) => Ok(step),
            other => bail!("{label}: {:?} is no step", other.kind()),
        }
    }

    /// The root that the step sees, in an archive.
    fn root(&self, label: &str) -> anyhow::Result<PathBuf> {
        let archive = self.site.path("root.tar");
        let mut command = self.stxl()?;
        command.args(["shell", label, "--step", "1", "--", "/usr/bin/tar"]);
        let left_out = ["./proc", "./dev", "./tmp"].map(|path| format!("--exclude={path}"));
        command
            .args(["-C", "/", "-cf", "-"])
            .args(left_out)
            .arg(".");
        command.stdin(Stdio::null());
        command.stdout(File::create(&archive).context("an archive")?);
        succeed(&mut command)?;
        Ok(archive)
    }

    /// Makes a step another one that does the same.
    fn make_another(&self, label: &str, round: usize) -> anyhow::Result<()> {
        const VERSION: &str = "    version: ";
        let original = self.arguments.workspace.join("stages").join(label);
        let text = fs::read_to_string(original.join("package.rhai")).context("a definition")?;
        if !text.contains(VERSION) || text.contains("    env: ") {
            bail!("{label} has a definition that this does not know how to change");
        }
        let changed = format!("    env: #{{ BENCH_ROUND: \"{round}\" }},\n{VERSION}");
        let copy = self.workspace.join("stages").join(label);
        let text = text.replacen(VERSION, &changed, 1);
        fs::write(copy.join("package.rhai"), text).context("a definition")
    }

    fn run_outside(
        &self,
        step: &Exec<stxl_model::DerivationId>,
        archive: &Path,
    ) -> anyhow::Result<Usage> {
        let root = self.unpacked(archive)?;
        let mut usage = Usage::default();
        for argv in &step.commands {
            let command = self.outside(step, root.path(), argv);
            let run = self.group.measure(&command)?;
            usage.wall += run.wall;
            usage.cpu += run.cpu;
            usage.rss_bytes = usage.rss_bytes.max(run.rss_bytes);
        }
        Ok(usage)
    }

    /// A copy of a root, which is removed when it is dropped.
    fn unpacked(&self, archive: &Path) -> anyhow::Result<TempDir> {
        let root = tempfile::Builder::new()
            .prefix("stxl-bench-root-")
            .tempdir_in(&self.arguments.roots)
            .context("a root")?;
        let mut unpack = Command::new("tar");
        unpack.arg("-xf").arg(archive).arg("-C").arg(root.path());
        succeed(&mut unpack)?;
        Ok(root)
    }

    /// Has Nix build a step that does the same and that it has not built.
    fn run_nix(
        &self,
        step: &Exec<stxl_model::DerivationId>,
        archive: &Path,
        round: usize,
    ) -> anyhow::Result<Usage> {
        let state = self.site.path("nix");
        let root = self.unpacked(archive)?;
        let mut command = nix_command("nix-build", &state)?;
        let file = state.join("default.nix");
        fs::write(&file, self.nix_expression(step, round)?).context("an expression")?;
        let mut paths = Vec::new();
        for entry in fs::read_dir(root.path())? {
            let entry = entry?;
            let name = entry.file_name().into_string();
            let name = name.ok().context("a folder without a name")?;
            paths.push(format!("/{name}={}", entry.path().display()));
        }
        command.args(["--quiet", "--no-out-link", "--option", "sandbox", "true"]);
        // Else it builds with what is installed here where it may not make a sandbox.
        command.args(["--option", "sandbox-fallback", "false"]);
        command.args(["--option", "sandbox-paths", &paths.join(" ")]);
        command.args(["--option", "build-users-group", ""]);
        let cores = self.arguments.jobs.to_string();
        command.args(["--cores", &cores]).arg(file);
        self.group.measure(&command)
    }

    fn nix_expression(
        &self,
        step: &Exec<stxl_model::DerivationId>,
        round: usize,
    ) -> anyhow::Result<String> {
        let text = |bytes: &[u8]| -> anyhow::Result<String> {
            let text = String::from_utf8(bytes.to_vec()).context("a word that is no text")?;
            Ok(nix_string(&text))
        };
        let shell = text(
            step.commands
                .first()
                .context("no command")?
                .first()
                .context("a word")?,
        )?;
        let mut script = format!("set -e\ncd {}\n", step.cwd);
        for argv in &step.commands {
            for word in argv {
                let word = std::str::from_utf8(word).context("a word that is no text")?;
                script += &format!("'{}' ", word.replace('\'', "'\\''"));
            }
            script.push('\n');
        }
        script += "mkdir \"$out\"\ncp -a /out/. \"$out\"\n";
        let mut expression = format!(
            "derivation {{\n  name = \"step\";\n  system = builtins.currentSystem;\n  \
             builder = {shell};\n  args = [ \"-c\" {} ];\n",
            nix_string(&script)
        );
        let jobs = self.arguments.jobs;
        for (name, value) in &step.env {
            let (name, value) = (text(name)?, text(value)?);
            expression += &format!("  {name} = {value};\n");
        }
        expression += &format!("  JOBS = \"{jobs}\";\n  MAKEFLAGS = \"-j{jobs}\";\n");
        expression += &format!("  BENCH_ROUND = \"{round}\";\n}}\n");
        Ok(expression)
    }

    fn outside(
        &self,
        step: &Exec<stxl_model::DerivationId>,
        root: &Path,
        argv: &[Vec<u8>],
    ) -> Command {
        let word = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let mut command = Command::new("bwrap");
        command.args(["--unshare-all", "--die-with-parent", "--clearenv", "--bind"]);
        command.arg(root).arg("/");
        command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]);
        command.args(["--uid", "0", "--gid", "0", "--cap-drop", "ALL"]);
        let jobs = self.arguments.jobs;
        for (name, value) in &step.env {
            command.arg("--setenv").args([word(name), word(value)]);
        }
        command.args(["--setenv", "JOBS", &jobs.to_string()]);
        command.args(["--setenv", "MAKEFLAGS", &format!("-j{jobs}")]);
        command
            .arg("--chdir")
            .arg(word(&step.cwd.to_absolute_bytes()));
        command.arg("--").args(argv.iter().map(|bytes| word(bytes)));
        command
    }
}

/// A text as Nix writes it.
fn nix_string(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "\\${"))
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
