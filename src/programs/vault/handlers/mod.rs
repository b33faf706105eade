//! What each call does, one file for each noun of the API.

pub(super) mod access;
pub(super) mod audit;
mod give;
pub(super) mod read_all;
mod scope;
pub(super) mod secrets;
pub(super) mod tokens;
