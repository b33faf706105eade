//! Whole numbers of requests: `90.0` is one, as `90` is (JSON Schema, Validation 6.1.1).

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};

/// Reads a number that may be absent or `null`.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    deserializer.deserialize_any(Whole)
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number of at most {}", u32::MAX)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<u32>, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Option<u32>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u32>, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<u32>, E> {
        let refuse = |_| E::invalid_value(Unexpected::Unsigned(number), &self);
        u32::try_from(number).map(Some).map_err(refuse)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<u32>, E> {
        let refuse = |_| E::invalid_value(Unexpected::Signed(number), &self);
        u32::try_from(number).map(Some).map_err(refuse)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<u32>, E> {
        let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        if !whole {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and between 0 and u32::MAX"
        )]
        Ok(Some(number as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<u32>, serde_json::Error> {
        optional(&mut serde_json::Deserializer::from_str(json))
    }

    #[test]
    fn a_number_is_whole_however_it_is_written() {
        for (json, number) in [
            ("90", Some(90)),
            ("90.0", Some(90)),
            ("9e1", Some(90)),
            ("0", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("4294967295.0", Some(u32::MAX)),
            ("null", None),
        ] {
            assert_eq!(read(json).unwrap(), number, "{json}");
        }
        for bad in
            ["1.5", "-1", "-1.0", "4294967296", "4294967296.0", "1e300", "\"1\"", "true", "[]"]
        {
            assert!(read(bad).is_err(), "{bad} was accepted");
        }
    }
}
