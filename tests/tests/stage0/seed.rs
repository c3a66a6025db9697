//! The seed: small enough to be checked by hand, and what the workspace allows.

use std::path::Path;

use stxl_model::{Sha256, decode_hex_text};

/// The seed has fewer bytes than this.
const SEED_BYTES_MAX: usize = 190;

const SEED_PACKAGE: &str = "stage0/hex0";

/// Decodes the seed, compares it with its hashes, and returns what is wrong.
pub(crate) fn check(workspace: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let folder = workspace.join("stages").join(SEED_PACKAGE);
    let text = std::fs::read(folder.join("hex0.hex")).expect("the text of the seed is there");
    let seed = match decode_hex_text(&text) {
        Ok(seed) => seed,
        Err(error) => return vec![format!("hex0.hex: {error}")],
    };
    if seed.len() >= SEED_BYTES_MAX {
        problems.push(format!(
            "the seed has {} bytes, {SEED_BYTES_MAX} or more",
            seed.len()
        ));
    }
    let digest = Sha256::of(&seed).to_string();

    let package =
        std::fs::read_to_string(folder.join("package.rhai")).expect("the package is there");
    let call = format!("seed(\"hex0.hex\", \"{digest}\")");
    if package.matches("seed(").count() != 1 || !package.contains(&call) {
        problems.push(format!(
            "the only seed of {SEED_PACKAGE}/package.rhai is not {call}"
        ));
    }

    let allowed = allowed_seeds(workspace);
    if allowed.as_deref() != Some(std::slice::from_ref(&digest)) {
        problems.push(format!(
            "stxl.toml allows {allowed:?} as seeds of {SEED_PACKAGE}, not only {digest}"
        ));
    }
    problems
}

/// The hashes that the workspace allows to the package of the seed.
fn allowed_seeds(workspace: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(workspace.join("stxl.toml")).expect("stxl.toml is there");
    let settings: toml::Table = toml::from_str(&text).expect("stxl.toml is TOML");
    let digests = settings.get("seeds")?.get(SEED_PACKAGE)?.as_array()?;
    digests
        .iter()
        .map(|digest| digest.as_str().map(str::to_owned))
        .collect()
}
