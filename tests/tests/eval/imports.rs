//! Files and directories of the workspace in plans: of any size, by digest, as they are.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use stxl_eval::{
    BufferedTree, ChildLimits, ChildRequest, DiskSourceTree, Evaluator, EvaluatorOptions,
    WorkspaceTree, evaluate_in_child,
};
use stxl_lang::SourcePath;
use stxl_model::{BlobId, Derivation, Directory, Plan, TreeId};

use crate::hostile::{child_request, program};
use crate::world::{request, shown};

fn package(operation: &str) -> String {
    format!(
        "custom(#{{ version: \"1\", license: \"MIT\", base: [] }});\n\nfn build(p) {{\n    \
         #{{ main: root(){operation}.out() }}\n}}\n"
    )
}

/// A workspace of one package and whatever is written beside it.
fn workspace(operation: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("stxl.toml"), "stages = [\"core\"]\n").unwrap();
    let own = folder.path().join("stages/core/x");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("package.rhai"), package(operation)).unwrap();
    folder
}

fn imported(plan: &Plan) -> Vec<TreeId> {
    let imports = plan
        .nodes()
        .iter()
        .filter_map(|node| match node.derivation.decode().unwrap() {
            Derivation::Import(import) => Some(import.tree),
            _ => None,
        });
    imports.collect()
}

#[test]
fn a_file_of_any_size_is_imported_within_the_limits_of_a_text() {
    const SIZE_BYTES: u64 = (4 << 30) + 5;
    let folder = workspace(".put(file(\"big\"), \"/big\")");
    let big = File::create(folder.path().join("stages/core/x/big")).unwrap();
    // A hole: many bytes to hash that take no room.
    big.set_len(SIZE_BYTES).unwrap();
    let limits = ChildLimits {
        threads: 2,
        memory_bytes: 48 << 20,
        file_cpu_ms: 150,
        ..ChildLimits::default()
    };
    let request = ChildRequest {
        limits,
        ..child_request(folder.path())
    };
    let evaluation = evaluate_in_child(&program(), &request).unwrap();
    let plan = evaluation.plan.unwrap_or_else(|| {
        panic!("{}", shown(&evaluation.diagnostics));
    });
    let zeros = |_: u64, buffer: &mut [u8]| {
        buffer.fill(0);
        Ok::<_, ()>(buffer.len())
    };
    let (blob, _) = BlobId::of_pieces(SIZE_BYTES, 2, zeros).unwrap();
    assert_eq!(imported(&plan), [Directory::of_file(blob, SIZE_BYTES).id()]);
}

#[test]
fn a_text_without_end_does_not_hide_behind_an_import() {
    let folder = workspace(".put(file(\"big\"), \"/big\")");
    let big = File::create(folder.path().join("stages/core/x/big")).unwrap();
    big.set_len(128 << 20).unwrap();
    let hostile = folder.path().join("stages/core/hostile");
    fs::create_dir(&hostile).unwrap();
    let mut text = String::new();
    for variable in 0..20_000 {
        text += &format!("let v{variable} = \"{}\";\n", "x".repeat(20));
    }
    fs::write(hostile.join("package.rhai"), text + &package("")).unwrap();
    let limits = ChildLimits {
        threads: 2,
        file_cpu_ms: 50,
        ..ChildLimits::default()
    };
    let request = ChildRequest {
        limits,
        ..child_request(folder.path())
    };
    let evaluation = evaluate_in_child(&program(), &request).unwrap();
    let said = shown(&evaluation.diagnostics);
    assert_eq!(evaluation.diagnostics[0].id, "limit-time", "{said}");
    assert!(said.contains("stages/core/hostile/package.rhai"), "{said}");
}

#[test]
fn a_seed_of_more_than_a_mebibyte_is_not_read() {
    let hash = format!("sha256:{}", "1".repeat(64));
    let folder = workspace(&format!(".put(seed(\"long.hex\", \"{hash}\"), \"/x\")"));
    let text = "# a comment\n".repeat(100_000);
    fs::write(folder.path().join("stages/core/x/long.hex"), text).unwrap();
    let evaluation = evaluate_in_child(&program(), &child_request(folder.path())).unwrap();
    let said = shown(&evaluation.diagnostics);
    assert_eq!(evaluation.diagnostics[0].id, "unreadable-file", "{said}");
    assert!(said.contains("longer than 1024 KiB"), "{said}");
}

/// Directories in directories, enough of them for several threads.
fn write_tree(folder: &Path) {
    for number in 0..40 {
        let own = folder.join(format!("d{}/e{number}", number % 7));
        fs::create_dir_all(own.join("empty")).unwrap();
        fs::write(own.join("text"), format!("{number}")).unwrap();
        fs::write(own.join("left.o"), "left out").unwrap();
        symlink("../nowhere", own.join("link")).unwrap();
        let program = own.join("program");
        fs::write(&program, "#!").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(folder.join("long"), vec![7; 200_000]).unwrap();
    fs::write(folder.join("longer"), vec![8; 9_000_000]).unwrap();
    fs::write(folder.join("nothing"), "").unwrap();
}

#[test]
fn a_directory_has_one_tree_however_it_is_read() {
    for ignore in ["none", "*.o", "d1/*", "d2/e2/**", "d3/e3", "e[12]*"] {
        let operation = format!(".put(dir(\"files\", #{{ ignore: [\"{ignore}\"] }}), \"/x\")");
        let folder = workspace(&operation);
        let files = folder.path().join("stages/core/x/files");
        write_tree(&files);
        let plan_of = |tree: Arc<dyn WorkspaceTree>| {
            let options = EvaluatorOptions {
                threads: 1,
                ..EvaluatorOptions::default()
            };
            let evaluation = Evaluator::new(tree, options)
                .unwrap()
                .evaluate(&request(&[]));
            let said = shown(&evaluation.diagnostics);
            evaluation.plan.unwrap_or_else(|| panic!("{said}"))
        };
        let disk = Arc::new(DiskSourceTree::open(folder.path()).unwrap());
        let on_disk = plan_of(disk.clone());
        // A buffer in it makes the walk go by names, one directory after the other.
        let buffered = BufferedTree::new(disk);
        buffered.open(&SourcePath::new("stages/core/x/files/nothing"), "");
        assert_eq!(
            imported(&on_disk),
            imported(&plan_of(Arc::new(buffered))),
            "{ignore}"
        );
        // An edit is seen, at any depth.
        fs::write(files.join("d4/e4/text"), "edited").unwrap();
        let disk = Arc::new(DiskSourceTree::open(folder.path()).unwrap());
        assert_ne!(imported(&on_disk), imported(&plan_of(disk)), "{ignore}");
    }
}
