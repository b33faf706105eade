//! A SOPS file of any bytes: it opens or is refused, and what opens is read the same each time.

use std::sync::OnceLock;

use vanta::adapters::sops::{EncryptedFile, Format, Identities, Leave, OpenedFile, ReadError};

/// The throwaway keys that the fixtures are encrypted for.
const KEYS: &str = include_str!("../../tests/fixtures/sops/age-key.txt");

pub(super) fn yaml(data: &[u8]) {
    open(data, Format::Yaml);
}

pub(super) fn json(data: &[u8]) {
    open(data, Format::Json);
}

pub(super) fn dotenv(data: &[u8]) {
    open(data, Format::Dotenv);
}

pub(super) fn ini(data: &[u8]) {
    open(data, Format::Ini);
}

pub(super) fn binary(data: &[u8]) {
    open(data, Format::Binary);
}

fn identities() -> &'static Identities {
    static IDENTITIES: OnceLock<Identities> = OnceLock::new();
    IDENTITIES.get_or_init(|| Identities::parse(KEYS).expect("the fixture's key is valid"))
}

fn open(data: &[u8], format: Format) {
    let lax = EncryptedFile::open(data, format, identities(), Leave::ALL);
    let strict = EncryptedFile::open(data, format, identities(), Leave::default());
    let (Ok(lax), strict) = (lax, strict) else { return };

    // What is served without leave is served with it, with the same value.
    for key in strict.iter().flat_map(EncryptedFile::keys) {
        let strict = strict.as_ref().expect("it has keys").read(key);
        let lax = lax.read(key);
        match (strict, lax) {
            (Ok(strict), Ok(lax)) => assert!(strict.expose() == lax.expose()),
            (Err(ReadError::NoKey), Err(ReadError::NoKey)) => {}
            _ => panic!("leave changes what a key that needs none comes to"),
        }
    }
    for key in lax.keys() {
        match lax.read(key) {
            Ok(_) | Err(ReadError::NoKey) => {}
            Err(error) => panic!("the MAC was right, and now: {error}"),
        }
    }
    for warning in lax.warnings() {
        assert!(warning.len() < 16 * 1024, "a warning is short");
    }
    let opened = OpenedFile::open(data, format, identities(), Leave::ALL);
    let opened = opened.expect("who is served from opens");
    if let Ok(text) = opened.to_json() {
        serde_json::from_str::<serde_json::Value>(&text).expect("it is printed as JSON");
    }
}
