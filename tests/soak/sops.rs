//! What the tests of the SOPS reader are made of.

#[path = "../it/sops/exchange.rs"]
pub(crate) mod exchange;
#[path = "../it/sops/fixtures.rs"]
pub(crate) mod fixtures;
#[path = "../it/sops/grants.rs"]
mod grants;
#[path = "../it/sops/made/mod.rs"]
pub(crate) mod made;
#[path = "../it/sops/workshop.rs"]
mod workshop;
