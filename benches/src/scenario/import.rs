//! Importing many small files and a big one into the store, beside plain BLAKE3.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::generate::write;
use crate::measure::{Usage, measure, median_of};
use crate::random::Random;
use crate::site::{Site, SiteArguments};
use crate::table::Table;

/// What the scenario takes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    site: SiteArguments,

    /// How many small files
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    files: usize,

    /// Bytes of each small file
    #[arg(long, value_name = "BYTES", default_value_t = 1_000)]
    file_size: usize,

    /// Bytes of the big file
    #[arg(long, value_name = "BYTES", default_value_t = 2_000_000_000)]
    big: u64,
}

/// What the yardstick takes
#[derive(Debug, clap::Args)]
pub struct HashArguments {
    /// How many threads hash
    #[arg(long, default_value_t = 1)]
    threads: usize,

    /// The file, or a folder of files
    path: PathBuf,
}

/// Runs the scenario.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    small(arguments, &mut site)?;
    big(arguments, &mut site)
}

fn small(arguments: &Arguments, site: &mut Site) -> anyhow::Result<()> {
    let workspace = site.path("small");
    write_package(&workspace, ".put(dir(\"files\"), \"/out\")")?;
    let files = workspace.join("stages/core/import/files");
    write_small_files(&files, arguments.files, arguments.file_size)?;
    let runs = arguments.site.runs;
    let mut table = Table::default();
    let yardstick = median_of(runs, || hash_in_child(&files, 1))?;
    table.add("read and hash with BLAKE3", yardstick, arguments.files);
    let first = median_of(runs, || {
        let store = site.fresh_store();
        measure(site.stxl(&workspace, &store)?.args(["build", "--json"]))
    })?;
    table.add("stxl, first import", first, arguments.files);
    let store = site.fresh_store();
    let build = || measure(site.stxl(&workspace, &store)?.args(["build", "--json"]));
    build()?;
    table.add(
        "stxl, again unchanged",
        median_of(runs, build)?,
        arguments.files,
    );
    // What of that is not the import: the same with a single file.
    let workspace = site.path("one");
    write_package(&workspace, ".put(dir(\"files\"), \"/out\")")?;
    let files = workspace.join("stages/core/import/files");
    write_small_files(&files, 1, arguments.file_size)?;
    let store = site.fresh_store();
    let build = || measure(site.stxl(&workspace, &store)?.args(["build", "--json"]));
    build()?;
    table.add(
        "stxl, one file, again unchanged",
        median_of(runs, build)?,
        arguments.files,
    );
    table.print(
        &format!(
            "Import {} files of {} bytes",
            arguments.files, arguments.file_size
        ),
        "read and hash with BLAKE3",
    );
    Ok(())
}

fn big(arguments: &Arguments, site: &mut Site) -> anyhow::Result<()> {
    let workspace = site.path("big");
    write_package(&workspace, ".put(file(\"big.bin\"), \"/out/big.bin\")")?;
    let file = workspace.join("stages/core/import/big.bin");
    write_big_file(&file, arguments.big)?;
    let runs = arguments.site.runs.min(3);
    let mut table = Table::default();
    for (what, threads) in [("BLAKE3, one thread", 1), ("BLAKE3, two threads", 2)] {
        table.add(what, median_of(runs, || hash_in_child(&file, threads))?, 1);
    }
    let copy = site.path("copy.bin");
    for (what, script) in [
        ("cp", "cp \"$1\" \"$2\""),
        ("cp and sync", "cp \"$1\" \"$2\" && sync \"$2\""),
    ] {
        let copied = median_of(runs, || {
            let mut command = Command::new("sh");
            let usage = measure(command.args(["-c", script, "sh"]).args([&file, &copy]))?;
            fs::remove_file(&copy)?;
            Ok(usage)
        })?;
        table.add(what, copied, 1);
    }
    let first = median_of(runs, || {
        let store = site.fresh_store();
        measure(site.stxl(&workspace, &store)?.args(["build", "--json"]))
    })?;
    table.add("stxl, first import", first, 1);
    let store = site.fresh_store();
    let build = || measure(site.stxl(&workspace, &store)?.args(["build", "--json"]));
    build()?;
    table.add("stxl, again unchanged", median_of(runs, build)?, 1);
    table.print(
        &format!("Import one file of {} bytes", arguments.big),
        "BLAKE3, one thread",
    );
    Ok(())
}

fn write_package(workspace: &Path, operation: &str) -> anyhow::Result<()> {
    write(&workspace.join("stxl.toml"), "stages = [\"core\"]\n")?;
    write(
        &workspace.join("stages/core/import/package.rhai"),
        &format!(
            "custom(#{{\n    version: \"1\",\n    description: \"Files of the workspace\",\n    \
             license: \"MIT\",\n}});\n\nfn build(p) {{\n    let done = root(){operation};\n    \
             #{{ main: done.out(\"/out\") }}\n}}\n"
        ),
    )
}

fn write_small_files(folder: &Path, count: usize, size: usize) -> anyhow::Result<()> {
    let mut random = Random::new(1);
    let mut bytes = vec![0; size];
    for number in 0..count {
        let folder = folder.join(format!("{:03}", number / 100));
        if number % 100 == 0 {
            fs::create_dir_all(&folder)?;
        }
        random.fill(&mut bytes);
        fs::write(folder.join(format!("{number:06}")), &bytes)?;
    }
    Ok(())
}

fn write_big_file(path: &Path, length: u64) -> anyhow::Result<()> {
    let mut random = Random::new(2);
    let mut file = File::create(path)?;
    let mut bytes = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        random.fill(&mut bytes[..part]);
        file.write_all(&bytes[..part])?;
        left -= part as u64;
    }
    file.sync_all().context("the big file")
}

/// Hashes in a process of its own, so that its memory is not counted for those started later.
fn hash_in_child(path: &Path, threads: usize) -> anyhow::Result<Usage> {
    let own = std::env::current_exe().context("this program")?;
    measure(
        Command::new(own)
            .args(["hash", "--threads", &threads.to_string()])
            .arg(path),
    )
}

/// Hashes a file or all files of a folder.
pub fn hash(arguments: &HashArguments) -> anyhow::Result<()> {
    let mut folders = vec![arguments.path.clone()];
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                folders.push(entry?.path());
            }
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        if arguments.threads > 1 {
            hasher.update_mmap_rayon(&path)?;
        } else {
            hasher.update_mmap(&path)?;
        }
        std::hint::black_box(hasher.finalize());
    }
    Ok(())
}
