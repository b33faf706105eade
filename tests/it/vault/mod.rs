//! The vault, as its callers see it.

mod access;
mod issue;
mod reading;
mod uses;
mod validation;
