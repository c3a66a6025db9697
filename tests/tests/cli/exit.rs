//! Exit codes, and what is said with them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use stxl_tests::processes::processes_with;

use crate::place::Place;

/// The bytes of the first package's program.
fn hello() -> Vec<u8> {
    let text = include_bytes!("../../../crates/stxl-cli/src/command/init/hello.hex");
    stxl_model::decode_hex_text(text).unwrap()
}

/// Adds the package `first/step`, whose one step runs a program.
fn with_step(place: &Place, program: &[u8], argv: &str) {
    let hash = stxl_model::Sha256::of(program).to_string();
    let hex: Vec<String> = program.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<String> = hex.chunks(16).map(|line| line.join(" ")).collect();
    place.write("stages/first/step/program.hex", &lines.join("\n"));
    let package = PACKAGE.replace("HASH", &hash).replace("ARGV", argv);
    place.write("stages/first/step/package.rhai", &package);
    place.edit("stxl.toml", |toml| {
        format!("{toml}\"first/step\" = [\"{hash}\"]\n")
    });
}

const PACKAGE: &str = r#"custom(#{
    version: "1",
    description: "One step",
    license: "MIT",
    platforms: ["i686"],
    seeds: #{ program: seed("program.hex", "HASH") },
});

fn build(p) {
    let done = root().put(p.seeds.program, "/program", "exec").mkdir("/out")
        .run(ARGV);
    #{ main: done.out("/out") }
}
"#;

#[test]
fn a_first_package_builds() {
    let place = Place::with_first_package();
    let ran = place.run(&["build", "first/hello"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let path = ran
        .stdout
        .trim()
        .split('\t')
        .next_back()
        .unwrap()
        .to_owned();
    assert_eq!(
        fs::read_to_string(format!("{path}/greeting")).unwrap(),
        "hello\n"
    );
    let again = place.run(&["init", "."]);
    assert_eq!(again.code, 2, "{again:?}");
}

#[test]
fn what_is_to_be_typed_next_is_quoted_where_a_shell_needs_it() {
    let place = Place::empty();
    for (name, typed) in [
        ("plain", "cd plain && stxl build"),
        ("odd name é", "cd 'odd name é' && stxl build"),
        ("it's", r"cd 'it'\''s' && stxl build"),
    ] {
        let ran = place.run_in(place.path(), &["init", name]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stderr.contains(typed), "{ran:?}");
    }
}

/// The hint leads to a folder that is used.
#[test]
fn a_cache_that_others_can_write_to_is_refused_with_a_way_out() {
    let place = Place::with_first_package();
    let cache = place.path().join("open");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let name = cache.to_str().unwrap();
    let eval = ["eval", "first/hello"];
    let folder = cache.join("stxl/evaluation");
    let ran = place.run_with("XDG_CACHE_HOME", name, &eval);
    let hint = format!("mkdir -p -m 700 {}", folder.display());
    assert!(ran.stderr.contains(&hint), "{ran:?}");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let ran = place.run_with("XDG_CACHE_HOME", name, &eval);
    let hint = format!("chmod go-w {}", folder.display());
    assert!(ran.stderr.contains(&hint), "{ran:?}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let ran = place.run_with("XDG_CACHE_HOME", name, &eval);
    assert!(!ran.stderr.contains("cannot be remembered"), "{ran:?}");
}

#[test]
fn what_the_user_wrote_wrong_is_2() {
    let place = Place::with_first_package();
    for (words, expected) in [
        (&["build", "first/helo"][..], "first/hello"),
        (&["build", "--frobnicate"], "frobnicate"),
        (&["build", "First/Hello"], "is not a name"),
        (&["eval", "first/hello:dev"], "dev"),
        (&["-C", "stages", "eval"], "stxl.toml"),
        (&["store", "gc", "--max-size", "much"], "500M"),
        (&["build", "--scratch-size", "much"], "500M"),
        (&["build", "--scratch-size", "0"], "too small"),
        (&["build", "--scratch", "here"], "memory"),
        (&["build", "--check", "--check-gap", "604801"], "604800"),
        (
            &["build", "--check", "--check-gap", "18446744073709551615"],
            "604800",
        ),
        (&["log", "first/hello"], "stxl build first/hello"),
        (&["store", "path", "first/hello"], "stxl build first/hello"),
    ] {
        let ran = place.run(words);
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{words:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "data only on success");
    }
    let outside = place.run_in(place.path(), &["eval"]);
    assert_eq!(outside.code, 2, "{outside:?}");
    assert!(outside.stderr.contains("stxl init"), "{outside:?}");
}

#[test]
fn a_failed_step_is_1_and_says_all_there_is_to_know() {
    let place = Place::with_first_package();
    with_step(&place, &hello(), r#"["/program", "/missing/greeting"]"#);
    let ran = place.run(&["build", "first/step"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in [
        "first/step",
        "stages/first/step/package.rhai:11",
        "241",
        "stxl shell first/step",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let json = place.run(&["build", "first/step", "--json"]);
    assert_eq!(json.code, 1);
    let summary = json.summary();
    assert_eq!(summary["outcome"], "failed");
    assert_eq!(summary["failed"].as_array().unwrap().len(), 1);
}

#[test]
fn the_log_of_a_step_is_kept_whole() {
    let place = Place::with_first_package();
    with_step(&place, &hello(), r#"["/program", "/dev/stdout"]"#);
    assert_eq!(place.run(&["build", "first/step"]).code, 0);
    let log = place.run(&["log", "first/step"]);
    assert_eq!((log.code, log.stdout.as_str()), (0, "hello\n"), "{log:?}");
    let entered = place.run(&["shell", "first/step", "--", "/program", "/dev/stdout"]);
    assert_eq!(
        (entered.code, entered.stdout.as_str()),
        (0, "hello\n"),
        "{entered:?}"
    );
    for (words, code) in [
        (&["first/step@1"][..], 0),
        (&["first/step@2"], 2),
        (&["first/step@last"], 2),
        (&["first/step@1", "--step", "1"], 2),
    ] {
        let entered = place.run(&[&["shell"], words, &["--", "/program", "/dev/stdout"]].concat());
        assert_eq!(entered.code, code, "{words:?}: {entered:?}");
    }
    for (words, code, expected) in [
        (&["first/step@1"][..], 0, "hello"),
        (&["first/step@2"], 2, "only 1 to 1"),
        (&["first/step@0"], 2, "only 1 to 1"),
        (&["first/step@+1"], 2, "`@+1` is no step"),
        (&["first/step@"], 2, "stxl log first/step@1"),
        (&["first/step@1", "--step", "1"], 2, "named twice"),
    ] {
        let log = place.run(&[&["log"], words].concat());
        assert_eq!(log.code, code, "{words:?}: {log:?}");
        let said = format!("{}{}", log.stdout, log.stderr);
        assert!(said.contains(expected), "{words:?}: {log:?}");
        assert!(!said.contains("--tests"), "{words:?}: {log:?}");
    }
}

#[test]
fn the_log_of_a_failed_step_is_kept_too() {
    let place = Place::with_first_package();
    let program = place.compile(FAILS);
    with_step(&place, &program, r#"["/program"]"#);
    let ran = place.run(&["build", "first/step"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("| what is wrong"), "{ran:?}");
    let log = place.run(&["log", "first/step"]);
    assert_eq!(
        (log.code, log.stdout.as_str()),
        (0, "what is wrong\n"),
        "{log:?}"
    );
}

/// A program that says why and fails.
const FAILS: &str = r#"
void _start(void) {
    call(4, 2, (long)"what is wrong\n", 14);
    call(1, 3, 0, 0);
}
"#;

#[test]
fn an_environment_that_says_no_is_3() {
    let place = Place::with_first_package();
    fs::write(place.path().join("file"), "").unwrap();
    let store = place.path().join("file/store");
    let ran = place.run(&["build", "--store", store.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("--store"), "{ran:?}");
    let foreign = place.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(foreign.join("format"), "of something else\n").unwrap();
    let ran = place.run(&["build", "--store", foreign.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{ran:?}");
}

/// A program that writes the processor's cycle counter.
const CLOCK: &str = r#"
void _start(void) {
    unsigned low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    unsigned counter[2] = {low, high};
    long file = call(5, (long)"/out/same-then-other", 0101, 0644);
    call(4, file, (long)"same", 4);
    call(4, file, (long)counter, 8);
    call(1, 0, 0, 0);
}
"#;

#[test]
fn a_step_that_differs_the_second_time_is_4_with_path_and_byte() {
    let place = Place::with_first_package();
    let program = place.compile(CLOCK);
    with_step(&place, &program, r#"["/program"]"#);
    let built = place.run(&["build", "first/step"]);
    assert_eq!(built.code, 0, "{built:?}");
    // Longer than a busy machine takes to begin.
    let check = ["build", "first/step", "--check", "--check-gap", "4"];
    let ran = place.run(&check);
    assert_eq!(ran.code, 4, "{ran:?}");
    let told = "checked 1 step under another host name, user, environment, locale,";
    for part in [
        "same-then-other",
        "byte 4",
        "first/step",
        told,
        "so that the time is another",
        "here, too: two builds with this program may differ",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let except = ["--json", "--check-except", "user,host-name,time"];
    let summary = place.run(&[&check[..], &except].concat()).summary();
    let check = &summary["check"];
    assert_eq!(
        (&check["steps"], &check["identical"]),
        (&1.into(), &0.into())
    );
    assert_eq!(check["perturbed"][0]["what"], "environment", "{check}");
    assert_eq!(check["failed_elsewhere"], serde_json::json!([]));
    let wrong = place.run(&["build", "--check", "--check-except", "weather"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("file-order"), "{}", wrong.stderr);
    let again = place.run(&["build", "first/step", "--json"]).summary();
    assert_eq!(again["ran"], 0, "the first result stays chosen");
}

/// A program that writes three times 1 MiB to a file.
const FILLS: &str = r#"
static char block[1 << 20];
void _start(void) {
    long file = call(5, (long)"/out/large", 0101, 0644);
    for (int i = 0; i < 3; i++)
        if (call(4, file, (long)block, sizeof block) != sizeof block) call(1, 7, 0, 0);
    call(1, 0, 0, 0);
}
"#;

#[test]
fn a_scratch_is_where_and_as_large_as_it_is_asked_for() {
    let trees = ["memory", "disk"].map(|medium| {
        let place = Place::with_first_package();
        with_step(&place, &place.compile(FILLS), r#"["/program"]"#);
        let build = ["build", "first/step", "--json", "--scratch", medium];
        let small: Vec<&str> = build
            .iter()
            .chain(&["--scratch-size", "2M"])
            .copied()
            .collect();
        let full = place.run(&small).summary();
        let failure = &full["failed"][0];
        assert_eq!(failure["reason"], "resource", "{full}");
        let text = failure["message"].as_str().unwrap();
        let expected = format!(
            "2 MiB, the limit of its scratch {}",
            match medium {
                "disk" => "on disk",
                _ => "in memory",
            }
        );
        assert!(text.contains(&expected), "{text}");
        let built = place.run(&build).summary();
        assert_eq!(built["ran"], 1, "{built}");
        built["outputs"][0]["tree"].clone()
    });
    assert_eq!(trees[0], trees[1]);
}

/// A program that says that it runs, and then waits for ever.
const WAITS: &str = r#"
void _start(void) {
    call(4, 1, (long)"waiting\n", 8);
    for (;;) call(29, 0, 0, 0);
}
"#;

/// What `nice` answers to a `configure` depends on what it begins with.
#[test]
fn a_step_has_the_priority_of_the_table_whatever_its_client_has() {
    let is_root = rustix::process::geteuid().is_root();
    let cases: &[(&str, &str)] = if is_root {
        &[("0", "nice 0"), ("5", "nice 0"), ("-5", "nice 0")]
    } else {
        // Only root may raise a priority; that is on the leak list.
        &[("0", "nice 0"), ("5", "nice 5")]
    };
    let place = Place::with_first_package();
    for (niceness, expected) in cases {
        let chain = format!(".run([\"/step\", \"nice=nice \", \"say={niceness}\"])");
        place.write_package("first/polite", "", &chain);
        let program = place.command();
        let mut command = Command::new("nice");
        command.args(["-n", niceness]).arg(program.get_program());
        for (name, value) in program.get_envs() {
            command.env(name, value.expect("it is set"));
        }
        let built = command
            .current_dir(place.workspace())
            .args(["build", "first/polite"])
            .output()
            .unwrap();
        assert!(built.status.success(), "{niceness}: {built:?}");
        let log = place.run(&["log", "first/polite"]).stdout;
        assert_eq!(log.lines().next(), Some(*expected), "client {niceness}");
    }
}

#[test]
fn an_interrupt_is_130_and_leaves_nothing_running() {
    let place = Place::with_first_package();
    let program = place.compile(WAITS);
    let mark = format!("waits-for-{}", std::process::id());
    with_step(&place, &program, &format!(r#"["/program", "{mark}"]"#));
    let mut command = place.command();
    command
        .current_dir(place.workspace())
        .args(["build", "first/step", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_waiting = |line: &str| line.contains("\"event\":\"log\"") && line.contains("waiting");
    assert!(
        lines.by_ref().any(|line| is_waiting(&line.unwrap())),
        "the step begins"
    );
    assert_eq!(processes_with(&mark).len(), 1);
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let last = lines.last().unwrap().unwrap();
    let summary: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(summary["outcome"], "interrupted", "{last}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(processes_with(&mark).is_empty());
    let verified = place.run(&["store", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

/// What a failed build has made is what the next one goes on with.
#[test]
fn a_collection_after_a_failed_build_keeps_what_succeeded() {
    let place = Place::with_first_package();
    let bad = "custom(#{ version: \"1\", license: \"MIT\", platforms: [\"i686\"] });\n\nfn build(p) { #{ main: root(\"first/hello\").run([\"/nothing\"]).out(\"/out\") } }\n";
    place.write("stages/first/bad/package.rhai", bad);
    let failed = place.run(&["build", "first/bad", "--json"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert_eq!(place.run(&["store", "gc"]).code, 0);
    let again = place.run(&["build", "first/bad", "--json"]).events();
    let summary = again.last().unwrap();
    assert_eq!(
        (&summary["ran"], &summary["cached"]),
        (&0.into(), &1.into()),
        "{summary}"
    );
}
