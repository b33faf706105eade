//! One byte of a file changed by somebody who holds no key.

use std::collections::BTreeMap;

use vanta::adapters::sops::{EncryptedFile, Format, Identities, Leave};

use super::Made;
use super::random::Random;

type Served = BTreeMap<String, Vec<u8>>;

/// What became of a changed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changed {
    /// It is refused.
    Refused,
    /// All that was served still is, and nothing else.
    Same,
}

/// What is served of a file without any leave; none where it is refused.
fn served(bytes: &[u8], format: Format, identities: &Identities) -> Option<Served> {
    let file = EncryptedFile::open(bytes, format, identities, Leave::default()).ok()?;
    let values = file.keys().filter_map(|key| {
        let value = file.read(key).ok()?;
        Some((key.to_string(), value.expose().to_vec()))
    });
    Some(values.collect())
}

/// Changes one byte, again and again; an error says after which change something else was served.
/// Nothing is done with a file that needs leave.
pub(crate) fn change(
    made: &Made,
    identities: &Identities,
    random: &mut Random,
    times: usize,
) -> Result<Vec<Changed>, String> {
    let Some(before) = served(&made.bytes, made.format, identities) else { return Ok(Vec::new()) };
    let changes = (0..times).map(|_| {
        let mut bytes = made.bytes.clone();
        let at = random.below(bytes.len());
        let was = bytes[at];
        let new = match random.below(3) {
            0 => was ^ (1 << random.below(8)),
            1 => random.pick(b"\n\r\t #:=;[]{}\"'`\\,-&*!|>%@_09azAZ\0\xff"),
            _ => u8::try_from(random.below(256)).expect("it is below 256"),
        };
        bytes[at] = if new == was { was ^ 1 } else { new };
        match served(&bytes, made.format, identities) {
            None => Ok(Changed::Refused),
            Some(after) if after == before => Ok(Changed::Same),
            Some(_) => Err(format!(
                "{:?}: byte {at} from {was} to {new} changed what is served of\n{}",
                made.format,
                String::from_utf8_lossy(&made.bytes)
            )),
        }
    });
    changes.collect()
}
