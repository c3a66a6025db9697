//! Whole packages, one of each kind.

use crate::steps::shown;
use crate::world::World;

const HASH: &str = "sha256:9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23";

#[test]
fn a_custom_package_without_a_shell() {
    let world = World::new(&[
        (
            "stages/stage0/hex0/package.rhai",
            &format!(
                r#"custom(#{{
    version: "1",
    description: "Hex digits with comments into bytes",
    license: "MIT",
    platforms: ["i686"],
    seeds: #{{ hex0: seed("hex0.hex", "{HASH}") }},
}});

fn build(p) {{
    let done = root()
        .put(p.seeds.hex0, "/seed", "exec")
        .put(file("hex0.hex"), "/hex0.hex")
        .mkdir("/out/bin")
        .run(["/seed", "/hex0.hex", "/out/bin/hex0"]);
    #{{ main: done.out("/out"), same_as_seed: done.assert_equal("/seed", "/out/bin/hex0") }}
}}
"#
            ),
        ),
        ("stages/stage0/hex0/hex0.hex", "7f"),
    ]);
    let expanded = world
        .expand_for("stage0/hex0", stxl_model::Platform::I686, &[])
        .unwrap_or_else(|wrong| panic!("{}", world.shown(&wrong)));
    let outputs: Vec<_> = expanded.outputs.iter().map(|(name, output)| (name.as_str(), shown(output))).collect();
    let chain = [
        "10 start []",
        "11 put seed stages/stage0/hex0/hex0.hex /seed exec",
        "12 put file stages/stage0/hex0/hex0.hex /hex0.hex",
        "13 mkdir /out/bin",
        "14 run [\"/seed\", \"/hex0.hex\", \"/out/bin/hex0\"]",
    ];
    let with = |last: &str| chain.iter().copied().chain([last]).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        outputs,
        [
            ("main", with("out /out")),
            ("same_as_seed", with("out / assert_equal /seed /out/bin/hex0")),
        ]
    );
    assert!(!expanded.used_target);
}

#[test]
fn an_autotools_package() {
    let world = World::new(&[(
        "stages/core/zlib/package.rhai",
        &format!(
            r#"autotools(#{{
    version: "1.3.1",
    description: "General-purpose lossless data compression library",
    license: "Zlib",
    website: "https://www.zlib.net",
    source: url("https://www.zlib.net/fossils/zlib-{{version}}.tar.gz",
        "{HASH}"),
    needs: ["core/make", "core/llvm", "core/musl"],
    env: #{{ CFLAGS: "-fPIC" }},
    configure: ["--libdir=/usr/lib", "--shared"],
}})
"#
        ),
    )]);
    let expanded = world.expand("core/zlib");
    let main = expanded.outputs.values().next().unwrap();
    assert_eq!(shown(main), Vec::<String>::new());
}
