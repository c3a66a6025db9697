//! Root expressions as short lines.

use stxl_lang::{
    Command, Operand, OutputExpression, OutputFilter, Reference, RootExpression, RootOperation,
};
use stxl_model::{PutMode, RootPath, TreeOp};

/// The steps of an output's root, first one first, and then the output.
pub(crate) fn shown(output: &OutputExpression) -> Vec<String> {
    let mut lines = root_lines(&output.root);
    let mut last = format!("out {}", path(&output.path));
    for filter in &output.filters {
        last += &match filter {
            OutputFilter::Keep(globs) => format!(" keep {globs:?}"),
            OutputFilter::Drop(globs) => format!(" drop {globs:?}"),
            OutputFilter::AssertEqual(left, right) => {
                format!(" assert_equal {} {}", path(left), path(right))
            }
        };
    }
    lines.push(last);
    lines
}

fn root_lines(root: &RootExpression) -> Vec<String> {
    let mut lines = match &root.0.before {
        Some(before) => root_lines(before),
        None => Vec::new(),
    };
    lines.push(format!(
        "{} {}",
        root.0.site.line,
        operation(&root.0.operation)
    ));
    lines
}

fn operation(operation: &RootOperation) -> String {
    match operation {
        RootOperation::Start(operands) => format!("start {}", list(operands)),
        RootOperation::Add(operands) => format!("add {}", list(operands)),
        RootOperation::Put { what, at, mode } => {
            let mode = match mode {
                PutMode::Unchanged => "",
                PutMode::Executable => " exec",
                PutMode::Plain => " plain",
            };
            format!("put {} {}{mode}", operand(what), path(at))
        }
        RootOperation::Unpack {
            archive,
            at,
            strip_components,
        } => {
            format!(
                "unpack {} {} {strip_components}",
                operand(archive),
                path(at)
            )
        }
        RootOperation::Patch {
            patches,
            strip_components,
        } => {
            format!("patch {} {strip_components}", list(patches))
        }
        RootOperation::Tree(tree) => tree_op(tree),
        RootOperation::Cd(at) => format!("cd {}", path(at)),
        RootOperation::Env(env) => {
            let pairs: Vec<String> = env
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("env {}", pairs.join(" "))
        }
        RootOperation::User(user) => format!("user {user:?}"),
        RootOperation::Timeout { wall_ms, silent_ms } => format!("timeout {wall_ms} {silent_ms}"),
        RootOperation::Run(commands) => {
            let commands: Vec<String> = commands.iter().map(command).collect();
            format!("run {}", commands.join(" ; "))
        }
    }
}

fn tree_op(tree: &TreeOp) -> String {
    match tree {
        TreeOp::Write {
            path: at,
            content,
            executable,
        } => {
            let mode = if *executable { " exec" } else { "" };
            format!(
                "write {} {:?}{mode}",
                path(at),
                String::from_utf8_lossy(content)
            )
        }
        TreeOp::Mkdir { path: at } => format!("mkdir {}", path(at)),
        TreeOp::Copy { from, to } => format!("copy {} {}", path(from), path(to)),
        TreeOp::Move { from, to } => format!("move {} {}", path(from), path(to)),
        TreeOp::Remove { path: at } => format!("remove {}", path(at)),
        TreeOp::Symlink { path: at, target } => {
            format!("symlink {} {}", path(at), String::from_utf8_lossy(target))
        }
        TreeOp::SetExecutable {
            path: at,
            executable,
        } => {
            format!("set_executable {} {executable}", path(at))
        }
        TreeOp::Substitute { path: at, from, to } => format!(
            "substitute {} {} {}",
            path(at),
            String::from_utf8_lossy(from),
            String::from_utf8_lossy(to)
        ),
        other => format!("{other:?}"),
    }
}

fn command(command: &Command) -> String {
    match command {
        Command::Argv(words) => format!("{words:?}"),
        Command::Script { text, site } => format!("{text:?} at {}:{}", site.path, site.line),
    }
}

fn list(operands: &[Operand]) -> String {
    let shown: Vec<String> = operands.iter().map(operand).collect();
    format!("[{}]", shown.join(", "))
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Package(reference) => label(reference),
        Operand::File(file) => format!("file {}", file.path),
        Operand::Directory(directory) => {
            format!("dir {} without {:?}", directory.path, directory.ignore)
        }
        Operand::Seed(seed) => format!("seed {}", seed.path),
        Operand::Fetch(source) => format!("fetch {}", source.urls.join(" ")),
        Operand::Root(_) => "root".to_owned(),
        Operand::Output(output) => format!("output {}", path(&output.path)),
    }
}

/// A reference as it is written.
pub(crate) fn label(reference: &Reference) -> String {
    let package = reference
        .package
        .as_ref()
        .map_or("", |package| package.as_str());
    let output = match reference.output.as_str() {
        "main" if reference.package.is_some() => String::new(),
        output => format!(":{output}"),
    };
    let platform = reference
        .platform
        .map_or_else(String::new, |platform| format!(" on {platform}"));
    let options = if reference.options.is_empty() {
        String::new()
    } else {
        format!(" with {:?}", reference.options)
    };
    format!("{package}{output}{platform}{options}")
}

fn path(path: &RootPath) -> String {
    String::from_utf8_lossy(&path.to_absolute_bytes()).into_owned()
}
