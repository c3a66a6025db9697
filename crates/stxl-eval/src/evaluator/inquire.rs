//! What is asked of an evaluation besides its records.

use stxl_model::PackageLabel;

use super::{Evaluator, Recorded};
use crate::child::NodeWire;
use crate::node::NodeKey;
use crate::origin;
use crate::review;
use crate::survey::{places, sayings};

impl Evaluator {
    /// Where a value of the package that was asked for first comes from, encoded; none when there
    /// is none without errors.
    pub(crate) fn find_origin(&self, recorded: &Recorded, field: &str) -> Option<Vec<u8>> {
        let targets = &recorded.outcome.as_ref()?.targets;
        let key = targets.first()?.nodes.first()?.clone();
        let db = self.db.clone();
        let find = move || origin::find_encoded(&db, &key.label, &key.configured, field);
        Some(self.pool.install(find))
    }

    /// Where it is written that outputs need others, encoded; none when something is wrong.
    pub(crate) fn find_places_of_needs(
        &self,
        recorded: &Recorded,
        needs: Vec<(NodeWire, NodeWire)>,
    ) -> Option<Vec<u8>> {
        recorded.outcome.as_ref()?;
        let needs = needs.into_iter();
        let needs: Vec<(NodeKey, NodeKey)> = needs
            .map(|(user, need)| user.into_key().zip(need.into_key()))
            .collect::<Option<_>>()?;
        let db = self.db.clone();
        let find = move || places::find_encoded(&db, &needs);
        Some(self.pool.install(find))
    }

    /// What packages say of themselves, encoded; none when something is wrong.
    pub(crate) fn find_sayings(&self, recorded: &Recorded, labels: &[String]) -> Option<Vec<u8>> {
        recorded.outcome.as_ref()?;
        let labels = labels.iter();
        let labels: Vec<PackageLabel> = labels
            .map(|label| PackageLabel::parse(label).ok())
            .collect::<Option<_>>()?;
        let db = self.db.clone();
        let find = move || sayings::find_encoded(&db, &labels);
        Some(self.pool.install(find))
    }

    /// Remarks on packages, encoded; none when something is wrong.
    pub(crate) fn find_remarks(&self, recorded: &Recorded, keys: Vec<NodeWire>) -> Option<Vec<u8>> {
        recorded.outcome.as_ref()?;
        let keys = keys.into_iter().map(NodeWire::into_key);
        let keys: Vec<NodeKey> = keys.collect::<Option<_>>()?;
        let db = self.db.clone();
        let find = move || review::find_encoded(&db, &keys);
        Some(self.pool.install(find))
    }
}
