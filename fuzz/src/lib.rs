//! What is done with an input, target by target: each is a plain function that panics where
//! something does not hold, so that a stable toolchain can run it over the kept corpora too.

mod dotenv;
mod glob;
mod injection;
mod key_pattern;
mod sops;
pub mod token;

/// What a target does with an input.
pub type Body = fn(&[u8]);

/// Every target, by the name that its corpus and its program have.
pub const TARGETS: [(&str, Body); 9] = [
    ("dotenv", dotenv::run),
    ("injection", injection::run),
    ("key_pattern", key_pattern::run),
    ("sops_binary", sops::binary),
    ("sops_dotenv", sops::dotenv),
    ("sops_ini", sops::ini),
    ("sops_json", sops::json),
    ("sops_yaml", sops::yaml),
    ("token", token::run),
];

/// The target of a name.
pub fn body(name: &str) -> Body {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    target.expect("it is one of the targets").1
}
