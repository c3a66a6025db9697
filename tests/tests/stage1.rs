//! Stage 1 up to the fixed point of tcc and the first shell, from the seed, into an empty store;
//! and the same from a first tcc that another compiler made.
//!
//! The sources come from where the clients of this machine have them: without network or mirror the
//! test fails and says so. `STXL_SOURCE_DIR` names a directory with sources by their SHA-256, as
//! `stxl build --source-dir` takes it.

mod stage1 {
    pub(crate) mod chain;
    pub(crate) mod foreign;
}

use stage1::chain::{self, Chain};
use stage1::foreign;

/// One test, since all of it is in one store, which takes a minute to fill.
#[test]
fn the_seed_leads_to_the_known_programs_and_so_does_another_first_tcc() {
    let chain = Chain::climb().unwrap_or_else(|message| panic!("{message}"));
    check_digests(&chain);
    check_another_first_tcc(&chain);
}

fn check_digests(chain: &Chain) {
    let expected = chain::read_digests();
    for rung in ["tcc0", "tcc", "busybox"] {
        let files = expected
            .get(rung)
            .unwrap_or_else(|| panic!("digests.toml names nothing of {rung}"));
        for (path, digest) in files {
            let found = chain.digest(rung, path);
            assert_eq!(
                found,
                format!("sha256:{digest}"),
                "`{path}` of {rung}, against stages/stage1/digests.toml"
            );
        }
    }
}

/// Diverse double-compiling: if the chain's tcc0 put something into what it compiles that is not in
/// the source, the same source compiled by a compiler of another descent would lead elsewhere.
fn check_another_first_tcc(chain: &Chain) {
    let source = chain
        .source_of_tcc0()
        .unwrap_or_else(|message| panic!("{message}"));
    let foreign = foreign::compile(&source);
    assert!(
        foreign != chain.file("tcc0", "bin/tcc"),
        "equal first compilers would show nothing"
    );

    let built = chain
        .with_tcc0(&foreign)
        .unwrap_or_else(|message| panic!("{message}"));
    for output in ["main", "musl"] {
        assert_eq!(
            built.tree("stage1/tcc", output),
            chain.tree("stage1/tcc", output),
            "output {output} of stage1/tcc by the other first compiler, against that of the chain"
        );
    }
}
