//! The bytes of a plan as the history keeps it.

use std::sync::Arc;

use stxl_fetch::without_userinfo;
use stxl_model::{NodeOrigin, Plan, PlanError, PlanNode};

/// The bytes of a plan to be kept: a password in an address is in no file of the store.
pub(crate) fn kept_bytes(plan: &Plan) -> Vec<u8> {
    let clean = |url: &String| without_userinfo(url);
    let is_secret = |node: &PlanNode| node.origin.urls.iter().any(|url| clean(url) != *url);
    if !plan.nodes().iter().any(is_secret) {
        return plan.to_bytes();
    }
    let mut kept = Plan::default();
    let mut add = || -> Result<(), PlanError> {
        for node in plan.nodes() {
            let urls = node.origin.urls.iter().map(clean).collect();
            let origin = Arc::new(NodeOrigin {
                urls,
                ..NodeOrigin::clone(&node.origin)
            });
            kept.add_node(&PlanNode {
                origin,
                ..node.clone()
            })?;
        }
        let mut roots = plan.roots().iter();
        roots.try_for_each(|root| kept.add_root(root.clone()))
    };
    add().expect("a plan with other addresses is one");
    if plan.is_local() {
        kept.mark_local();
    }
    kept.to_bytes()
}
