//! What each call does, one file for each noun of the API.

pub(super) mod access;
pub(super) mod audit;
mod body;
pub(super) mod explanation;
mod give;
pub(super) mod holders;
pub(super) mod introspection;
pub(super) mod read_all;
pub(super) mod revocation;
mod scope;
pub(super) mod secrets;
pub(super) mod tokens;
