//! Whole packages, one of each kind.

use stxl_lang::Value;
use stxl_model::{OutputName, Platform};

use crate::steps::{label, shown};
use crate::world::World;

/// A hash that no test looks at.
const HASH: &str = "sha256:9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23";

/// A world of files in which `HASH` stands for a hash.
fn world(files: &[(&str, &str)]) -> World {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.replace("HASH", HASH)))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    World::new(&files)
}

/// Checks the steps of one output.
fn check(world: &World, label: &str, output: &str, expected: &[&str]) {
    let expanded = world.expand(label);
    let found = expanded.outputs.get(&OutputName::parse(output).unwrap());
    let found = found.map_or_else(Vec::new, |it| shown(it));
    assert_eq!(found.join("\n"), expected.join("\n"), "{label}:{output}");
}

const HEX0: &str = r#"custom(#{
    version: "1",
    description: "Hex digits with comments into bytes; rebuilt by the seed from its own source",
    license: "MIT",
    platforms: ["i686"],
    seeds: #{ hex0: seed("hex0.hex", "HASH") },
});

fn build(p) {
    let done = root()
        .put(p.seeds.hex0, "/seed", "exec")
        .put(file("hex0.hex"), "/hex0.hex")
        .mkdir("/out/bin")
        .run(["/seed", "/hex0.hex", "/out/bin/hex0"]);
    #{ main: done.out("/out"), same_as_seed: done.assert_equal("/seed", "/out/bin/hex0") }
}
"#;

#[test]
fn a_package_without_a_shell() {
    let world = world(&[
        ("stages/stage0/hex0/package.rhai", HEX0),
        ("stages/stage0/hex0/hex0.hex", "7f"),
    ]);
    let expanded = world
        .expand_for("stage0/hex0", Platform::I686, &[])
        .unwrap_or_else(|wrong| panic!("{}", world.shown(&wrong)));
    let chain = [
        "10 start []",
        "11 put seed stages/stage0/hex0/hex0.hex /seed exec",
        "12 put file stages/stage0/hex0/hex0.hex /hex0.hex",
        "13 mkdir /out/bin",
        "14 run [\"/seed\", \"/hex0.hex\", \"/out/bin/hex0\"]",
    ];
    let mut found = expanded
        .outputs
        .iter()
        .map(|(name, output)| (name.as_str(), shown(output)));
    let with = |last: &str| {
        chain
            .iter()
            .map(|line| (*line).to_owned())
            .chain([last.to_owned()])
            .collect()
    };
    assert_eq!(found.next(), Some(("main", with("out /out"))));
    assert_eq!(
        found.next(),
        Some((
            "same_as_seed",
            with("out / assert_equal /seed /out/bin/hex0")
        ))
    );
    assert!(found.next().is_none());
    assert!(!expanded.used_target, "nothing in it reads the platform");
}

#[test]
fn a_package_refuses_other_platforms_than_its_own() {
    let world = world(&[
        ("stages/stage0/hex0/package.rhai", HEX0),
        ("stages/stage0/hex0/hex0.hex", "7f"),
    ]);
    let wrong = world
        .expand_for("stage0/hex0", Platform::X86_64, &[])
        .unwrap_err();
    assert_eq!(
        world.shown(&wrong),
        "wrong-platform stages/stage0/hex0/package.rhai:5 `[\"i686\"]`: `x86_64` is not one of the platforms of this package\n  \
         hint: another platform is asked for with `.on(\"…\")` where the package is needed"
    );
}

#[test]
fn a_climb_of_commands() {
    let world = world(&[
        (
            "stages/stage0/hex1/package.rhai",
            r##"custom(#{ version: "1", platforms: ["i686", "x86_64"] });

fn build(p) {
    #{ main: root("stage0/hex0")
        .put(file("a.hex0"), "/src/a.hex0")
        .mkdir("/out/bin")
        .cd("/out/bin")
        .argvs(#"
            /bin/hex0   /src/a.hex0 a

            ./a /src/b.hex1 "b"
        "#)
        .out() }
}
"##,
        ),
        ("stages/stage0/hex1/a.hex0", "00"),
    ]);
    check(
        &world,
        "stage0/hex1",
        "main",
        &[
            "4 start [stage0/hex0]",
            "5 put file stages/stage0/hex1/a.hex0 /src/a.hex0",
            "6 mkdir /out/bin",
            "7 cd /out/bin",
            "9 run [\"/bin/hex0\", \"/src/a.hex0\", \"a\"]",
            "11 run [\"./a\", \"/src/b.hex1\", \"\\\"b\\\"\"]",
            "out /out",
        ],
    );
}

#[test]
fn a_package_with_several_outputs_and_late_dependencies() {
    let world = world(&[
        ("stages/core/thing/package.rhai", THING),
        ("stages/core/thing/musl-stdio.patch", ""),
        ("stages/core/thing/server.config", ""),
        ("stages/core/thing/guest-net.config", ""),
    ]);
    let begin = [
        "13 start [core/base, core/make, core/llvm, core/musl]",
        "13 env LLVM=1",
        "14 unpack fetch https://example.org/thing-1.0.tar.xz /src 1",
        "14 patch [file stages/core/thing/musl-stdio.patch] 1",
        "14 cd /src",
        "15 env ARCH=x86_64 NAME=thing OUT=/out SOURCE_DATE_EPOCH=315532800 TRIPLE=x86_64-linux-musl VERSION=1.0",
        "15 mkdir /out",
        "15 run \"./configure --prefix=/usr \" at stages/core/thing/package.rhai:15",
        "16 run \"make -j\\\"$JOBS\\\" \" at stages/core/thing/package.rhai:16",
        "17 run \"make DESTDIR=\\\"$OUT\\\" install \" at stages/core/thing/package.rhai:17",
    ];
    let roms = [
        "20 add [core/gcc]",
        "21 write /src/roms/config.mak \"CC=/usr/bin/gcc\\n\"",
        "24 run \"make -C roms install DESTDIR=\\\"$OUT\\\" \" at stages/core/thing/package.rhai:24",
    ];
    let main = [&begin[..], &roms, &["out /out drop [\"usr/share/doc/**\"]"]].concat();
    check(&world, "core/thing", "main", &main);
    let tools = [&begin[..], &roms, &["out /out keep [\"usr/bin/*-tool\"]"]].concat();
    check(&world, "core/thing", "tools", &tools);
    let guest = [
        "28 put file stages/core/thing/guest-net.config /src/.config",
        "28 run \"make image\" at stages/core/thing/package.rhai:28",
        "out /out",
    ];
    check(
        &world,
        "core/thing",
        "guest-net",
        &[&begin[..], &guest].concat(),
    );
}

const THING: &str = r##"custom(#{
    version: "1.0",
    description: "Shape of a build whose late steps need more tools than its early ones",
    license: "MIT",
    source: url("https://example.org/thing-{version}.tar.xz", "HASH"),
    needs: ["core/make", "core/llvm", "core/musl"],
    patches: ["musl-stdio.patch"],
    env: #{ LLVM: "1" },
});

fn build(p) {
    // gcc comes late: nothing above sees it.
    let built = root([p.base] + p.needs).env(p.env)
        .unpack(p.source, "/src").patch(p.patches).cd("/src")
        .run(#" ./configure --prefix=/usr "#)
        .run(#" make -j"$JOBS" "#)
        .run(#" make DESTDIR="$OUT" install "#);

    let roms = built
        .add(["core/gcc"])
        .write("/src/roms/config.mak", #"
            CC=/usr/bin/gcc
        "#)
        .run(#" make -C roms install DESTDIR="$OUT" "#);

    let outputs = #{ main: roms.out().drop(["usr/share/doc/**"]), tools: roms.out().keep(["usr/bin/*-tool"]) };
    for name in ["server", "guest-net"] {
        outputs[name] = built.put(file(`${name}.config`), ".config").run("make image").out();
    }
    outputs
}
"##;

const ZLIB: &str = r#"autotools(#{
    version: "1.3.1",
    description: "General-purpose lossless data compression library",
    license: "Zlib",
    website: "https://www.zlib.net",
    source: url("https://www.zlib.net/fossils/zlib-{version}.tar.gz",
        "HASH"),
    needs: ["core/make", "core/llvm", "core/musl"],
    regenerate: ["configure", "man/zlib-{version}.1"],
    env: #{ CFLAGS: "-fPIC" },
    configure: ["--libdir=/usr/lib", "--shared"],
})
"#;

const VARIABLES: &str = "1 env ARCH=x86_64 CFLAGS=-O2 -ffile-prefix-map=/src=. CXXFLAGS=-O2 -ffile-prefix-map=/src=. NAME=zlib OUT=/out SOURCE_DATE_EPOCH=315532800 TRIPLE=x86_64-linux-musl";

#[test]
fn an_autotools_package() {
    let world = world(&[("stages/core/zlib/package.rhai", ZLIB)]);
    check(
        &world,
        "core/zlib",
        "main",
        &[
            "1 start [core/base, core/make, core/llvm, core/musl]",
            "1 mkdir /src",
            "1 mkdir /out",
            "1 unpack fetch https://www.zlib.net/fossils/zlib-1.3.1.tar.gz /src 1",
            "1 cd /src",
            &format!("{VARIABLES} VERSION=1.3.1"),
            "1 env CFLAGS=-fPIC",
            "1 remove /src/configure",
            "1 remove /src/man/zlib-1.3.1.1",
            "1 run [\"/bin/sh\", \"./configure\", \"--prefix=/usr\", \"--libdir=/usr/lib\", \"--shared\"] ; \
             [\"/bin/sh\", \"-c\", \"exec \\\"$@\\\"\", \"sh\", \"make\"] ; \
             [\"/bin/sh\", \"-c\", \"exec \\\"$@\\\"\", \"sh\", \"make\", \"DESTDIR=/out\", \"install\"]",
            "out /out",
        ],
    );
}

#[test]
fn an_overlay_changes_fields_and_keeps_the_others() {
    let world = world(&[
        ("stages/core/zlib/package.rhai", ZLIB),
        (
            "over/core/zlib/package.rhai",
            r#"let zlib = prior();

zlib.change(#{
    version: "1.3.2",
    source: zlib.source.change(#{ hash: "sha256:1111111111111111111111111111111111111111111111111111111111111111" }),
    configure: zlib.configure + ["--const"],
    env: zlib.env + #{ CFLAGS: "-O3 -fPIC" },
    patches: zlib.patches + ["ours.patch"],
})
"#,
        ),
        ("over/core/zlib/ours.patch", ""),
    ]);
    check(
        &world,
        "core/zlib",
        "main",
        &[
            "3 start [core/base, core/make, core/llvm, core/musl]",
            "3 mkdir /src",
            "3 mkdir /out",
            "3 unpack fetch https://www.zlib.net/fossils/zlib-1.3.2.tar.gz /src 1",
            "3 cd /src",
            "3 patch [file over/core/zlib/ours.patch] 1",
            "3 env ARCH=x86_64 CFLAGS=-O2 -ffile-prefix-map=/src=. CXXFLAGS=-O2 -ffile-prefix-map=/src=. NAME=zlib OUT=/out SOURCE_DATE_EPOCH=315532800 TRIPLE=x86_64-linux-musl VERSION=1.3.2",
            "3 env CFLAGS=-O3 -fPIC",
            "3 remove /src/configure",
            "3 remove /src/man/zlib-1.3.2.1",
            "3 run [\"/bin/sh\", \"./configure\", \"--prefix=/usr\", \"--libdir=/usr/lib\", \"--shared\", \"--const\"] ; \
             [\"/bin/sh\", \"-c\", \"exec \\\"$@\\\"\", \"sh\", \"make\"] ; \
             [\"/bin/sh\", \"-c\", \"exec \\\"$@\\\"\", \"sh\", \"make\", \"DESTDIR=/out\", \"install\"]",
            "out /out",
        ],
    );
    let definition = world.definition("core/zlib");
    let set_in = |field: &str| {
        definition
            .field_paths
            .get(field)
            .map(stxl_lang::SourcePath::as_str)
    };
    assert_eq!(set_in("version"), Some("over/core/zlib/package.rhai"));
    assert_eq!(set_in("license"), Some("stages/core/zlib/package.rhai"));
}

#[test]
fn a_local_directory_takes_the_place_of_a_source() {
    let world = world(&[
        ("stages/core/zlib/package.rhai", ZLIB),
        (
            "over/core/zlib/package.rhai",
            r#"prior().change(#{
    source: dir("../zlib", #{ ignore: [".git", "*.o", "*.lo", "*.so*"] }),
    incremental: true,
})
"#,
        ),
        ("../zlib/configure", ""),
    ]);
    let expanded = world.expand("core/zlib");
    let main = shown(&expanded.outputs[&OutputName::main()]);
    assert_eq!(
        main.get(3).map(String::as_str),
        Some("1 put dir ../zlib without [\".git\", \"*.o\", \"*.lo\", \"*.so*\"] /src")
    );
}

#[test]
fn a_pallet() {
    let world = world(&[
        (
            "stages/core/rust/package.rhai",
            r#"script(#{ version: "1.90.0", script: "true" })"#,
        ),
        (
            "stages/user/rust/package.rhai",
            r#"pallet(#{
    version: pkg("core/rust").version,
    description: "Rust toolchain with shell",
    website: "https://www.rust-lang.org",
    holds: ["user/clang", "core/rust", "core/llvm:libunwind"],
    copies: #{
        "/usr/lib/rustlib/{arch}-unknown-linux-musl/bin/rust-lld": "/usr/bin/lld",
        "/usr/lib/rustlib/{arch}-unknown-linux-musl/bin/gcc-ld/ld.lld": "/usr/bin/ld.lld",
    },
    entrypoint: ["/usr/bin/cargo"],
})
"#,
        ),
    ]);
    check(
        &world,
        "user/rust",
        "main",
        &[
            "1 start [user/clang, core/rust, core/llvm:libunwind]",
            "1 copy /usr/bin/ld.lld /usr/lib/rustlib/x86_64-unknown-linux-musl/bin/gcc-ld/ld.lld",
            "1 copy /usr/bin/lld /usr/lib/rustlib/x86_64-unknown-linux-musl/bin/rust-lld",
            "out /",
        ],
    );
    let definition = world.definition("user/rust");
    assert_eq!(
        definition.fields.get("version"),
        Some(&Value::Text("1.90.0".into()))
    );
    assert!(
        world.expand("user/rust").used_target,
        "`{{arch}}` is in its fields"
    );
}

const REDIS: &str = r##"make(#{
    version: "8.0.3",
    description: "Cache, data structure server, document and vector query engine",
    license: "AGPL-3.0-only",
    website: "https://redis.io",
    source: url("https://download.redis.io/releases/redis-{version}.tar.gz", "HASH"),
    needs: ["core/openssl", "core/lua"],
    brings: ["core/openssl", "core/musl"],
    env: #{ CFLAGS: "-fno-lto" },
    make: ["USE_JEMALLOC=no", "MALLOC=libc", "BUILD_TLS=yes", "all"],
    install: #"
        make install PREFIX="$OUT" INSTALL_BIN="$OUT/usr/bin"
    "#,
    tests: #{ ping: #"
        redis-server --port 7777 --daemonize yes
        until redis-cli -p 7777 ping; do sleep 0.1; done
    "# },
})
"##;

#[test]
fn a_server_with_a_test() {
    let world = world(&[("stages/user/redis/package.rhai", REDIS)]);
    let expanded = world.expand("user/redis");
    let main = shown(&expanded.outputs[&OutputName::main()]);
    assert_eq!(
        main.get(7).map(String::as_str),
        Some(
            "1 run [\"/bin/sh\", \"-c\", \"exec \\\"$@\\\"\", \"sh\", \"make\", \"USE_JEMALLOC=no\", \"MALLOC=libc\", \"BUILD_TLS=yes\", \"all\"] ; \
             \"make install PREFIX=\\\"$OUT\\\" INSTALL_BIN=\\\"$OUT/usr/bin\\\"\\n\" at stages/user/redis/package.rhai:12"
        )
    );
    let test: Vec<String> = expanded
        .tests
        .get("ping")
        .map(|it| shown(it))
        .unwrap_or_default();
    assert_eq!(
        test,
        [
            "1 start [core/base, :main]",
            "1 mkdir /out",
            "1 env ARCH=x86_64 CFLAGS=-O2 -ffile-prefix-map=/src=. CXXFLAGS=-O2 -ffile-prefix-map=/src=. NAME=redis OUT=/out SOURCE_DATE_EPOCH=315532800 TRIPLE=x86_64-linux-musl VERSION=8.0.3",
            "1 user Tester",
            "1 run \"redis-server --port 7777 --daemonize yes\\nuntil redis-cli -p 7777 ping; do sleep 0.1; done\\n\" at stages/user/redis/package.rhai:15",
            "out /out",
        ]
    );
    let labels = |references: &[std::sync::Arc<stxl_lang::Reference>]| {
        references.iter().map(|it| label(it)).collect::<Vec<_>>()
    };
    assert_eq!(labels(&expanded.needs), ["core/openssl", "core/lua"]);
    assert_eq!(labels(&expanded.brings), ["core/openssl", "core/musl"]);
}

#[test]
fn a_function_of_the_workspace() {
    let world = world(&[
        (
            "lib/with_zlib.rhai",
            r#"import "lib/flags" as flags;

/// A library that is linked against zlib.
fn library(fields) {
    fields.env = #{ CFLAGS: flags::hardened() };
    fields.needs += ["core/zlib"];
    autotools(fields)
}
"#,
        ),
        ("lib/flags.rhai", r#"fn hardened() { "-O2 -fPIC" }"#),
        (
            "stages/core/png/package.rhai",
            r#"import "lib/with_zlib" as with_zlib;

with_zlib::library(#{
    version: "1.6",
    needs: ["core/make"],
    patches: ["a.patch"],
})
"#,
        ),
        ("stages/core/png/a.patch", ""),
    ]);
    let expanded = world.expand("core/png");
    let main = shown(&expanded.outputs[&OutputName::main()]);
    assert_eq!(
        main.first().map(String::as_str),
        Some("3 start [core/base, core/make, core/zlib]")
    );
    assert!(
        main.contains(&"3 patch [file stages/core/png/a.patch] 1".to_owned()),
        "{main:?}"
    );
    assert!(
        main.contains(&"3 env CFLAGS=-O2 -fPIC".to_owned()),
        "{main:?}"
    );
}

#[test]
fn a_script_package_with_divided_outputs() {
    let world = world(&[(
        "stages/core/lib/package.rhai",
        r##"script(#{
    version: "1",
    script: #"
        mkdir -p "$OUT/usr"
    "#,
    outputs: #{
        main: "rest",
        dev: #{ files: ["usr/include/**"], brings: ["core/musl"], about: "Headers" },
        doc: ["usr/share/doc/**"],
    },
})
"##,
    )]);
    let expanded = world.expand("core/lib");
    let last = |name: &str| shown(&expanded.outputs[&OutputName::parse(name).unwrap()]).pop();
    assert_eq!(
        last("main").as_deref(),
        Some("out /out drop [\"usr/include/**\", \"usr/share/doc/**\"]")
    );
    assert_eq!(
        last("dev").as_deref(),
        Some("out /out keep [\"usr/include/**\"]")
    );
    assert_eq!(
        last("doc").as_deref(),
        Some("out /out keep [\"usr/share/doc/**\"]")
    );
    let brings: Vec<_> = expanded
        .output_brings
        .iter()
        .map(|(name, brings)| {
            (
                name.as_str(),
                brings.iter().map(|it| label(it)).collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(brings, [("dev", vec!["core/musl".to_owned()])]);
    let main = shown(&expanded.outputs[&OutputName::main()]);
    assert!(
        main.contains(
            &"1 run \"mkdir -p \\\"$OUT/usr\\\"\\n\" at stages/core/lib/package.rhai:4".to_owned()
        ),
        "{main:?}"
    );
}
