//! Texts of a request that lie over packages: what `--override core/zlib=../zlib` stands for.
//!
//! They are files of a layer above `local/`, so an override is to a plan what that overlay would
//! be. The layer is no folder: what has its name on the disk is never looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{SourceError, SourcePath};
use stxl_model::PackageLabel;

use crate::layout::PACKAGE_FILE;

/// The name of the layer, as it stands in the places of diagnostics.
pub const OVERRIDE_LAYER: &str = "--override";

/// The texts, by the packages that they lie over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides(BTreeMap<SourcePath, (PackageLabel, Arc<[u8]>)>);

impl Overrides {
    pub(crate) fn new(texts: &BTreeMap<PackageLabel, String>) -> Self {
        let texts = texts.iter().map(|(label, text)| {
            let bytes: Arc<[u8]> = text.as_bytes().into();
            (override_path(label), (label.clone(), bytes))
        });
        Self(texts.collect())
    }

    /// What stands at a path of the layer; none for any other path.
    pub(crate) fn at(&self, path: &SourcePath) -> Option<Result<&Arc<[u8]>, SourceError>> {
        let text = || match self.0.get(path) {
            Some((_, text)) => Ok(text),
            None => Err(SourceError::NotFound { path: path.clone() }),
        };
        is_overriding(path).then(text)
    }

    pub(crate) fn labels(&self) -> impl Iterator<Item = &PackageLabel> {
        self.0.values().map(|(label, _)| label)
    }
}

/// The path of the text that lies over a package.
pub(crate) fn override_path(label: &PackageLabel) -> SourcePath {
    SourcePath::new(&format!("{OVERRIDE_LAYER}/{label}/{PACKAGE_FILE}"))
}

/// Whether a path is of the layer.
pub(crate) fn is_overriding(path: &SourcePath) -> bool {
    let rest = path.as_str().strip_prefix(OVERRIDE_LAYER);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
