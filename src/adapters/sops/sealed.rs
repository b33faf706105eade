//! An encrypted value as it stands in a file: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::ValueError;

/// Padded, and like Go's lenient about the bits that the last character has too many.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

const TAG_BYTES: usize = 16;

/// One value's ciphertext.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) ciphertext: Box<[u8]>,
    pub(super) nonce: Box<[u8]>,
    pub(super) tag: [u8; TAG_BYTES],
    pub(super) kind: Kind,
}

/// What the plaintext is labelled as. The label is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Str,
    Int,
    Float,
    Bool,
    Time,
    Comment,
}

impl Sealed {
    /// Reads a value as sops does (`aes/cipher.go`, `parse`): what follows the last bracket of
    /// the first line is ignored. `None` where the text is no encrypted value at all.
    pub(super) fn parse(text: &str) -> Option<Result<Self, ValueError>> {
        let rest = text.strip_prefix("ENC[AES256_GCM,data:")?;
        let line = rest.split('\n').next()?;
        let inside = &line[..line.rfind(']')?];
        let (rest, kind) = inside.rsplit_once(",type:")?;
        let (rest, tag) = rest.rsplit_once(",tag:")?;
        let (data, nonce) = rest.rsplit_once(",iv:")?;
        if [kind, tag, data, nonce].contains(&"") {
            return None;
        }
        Some(Self::decode(data, nonce, tag, kind))
    }

    fn decode(data: &str, nonce: &str, tag: &str, kind: &str) -> Result<Self, ValueError> {
        let kind = match kind {
            "str" => Kind::Str,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "bool" => Kind::Bool,
            "time" => Kind::Time,
            "comment" => Kind::Comment,
            _ => return Err(ValueError::UnknownType),
        };
        // Sops hands data and tag on as one, so that the boundary between them is not kept.
        let mut ciphertext = decode(data)?;
        ciphertext.extend(decode(tag)?);
        let split = ciphertext.len().checked_sub(TAG_BYTES).ok_or(ValueError::Malformed)?;
        let tag = ciphertext[split..].try_into().map_err(|_| ValueError::Malformed)?;
        ciphertext.truncate(split);
        let nonce = decode(nonce)?.into_boxed_slice();
        if nonce.is_empty() {
            return Err(ValueError::Malformed);
        }
        Ok(Self { ciphertext: ciphertext.into_boxed_slice(), nonce, tag, kind })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, ValueError> {
    // Go's decoder passes over carriage returns; line feeds cannot be here.
    let text = text.replace('\r', "");
    BASE64.decode(text).map_err(|_| ValueError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

    fn kind_of(text: &str) -> Option<Result<Kind, ValueError>> {
        Sealed::parse(text).map(|parsed| parsed.map(|sealed| sealed.kind))
    }

    #[test]
    fn text_after_the_bracket_is_ignored_and_text_before_it_is_not() {
        let value = format!("ENC[AES256_GCM,data:AA==,iv:AA==,tag:{TAG},type:str]");
        assert_eq!(kind_of(&value), Some(Ok(Kind::Str)));
        assert_eq!(kind_of(&format!("{value} and more\n]")), Some(Ok(Kind::Str)));
        assert_eq!(kind_of(&format!("{value}]")), Some(Err(ValueError::UnknownType)));
        for none in [
            format!(" {value}"),
            value.replace("AES256_GCM", "AES"),
            value.replace("data:AA==", "data:"),
            value.replace(']', ""),
            "plain".to_owned(),
        ] {
            assert_eq!(kind_of(&none), None, "{none}");
        }
    }

    #[test]
    fn malformed_parts_are_refused() {
        for (data, iv, tag, kind, why) in [
            ("AA==", "AA==", TAG, "bytes", ValueError::UnknownType),
            ("AA==", "AA==", TAG, "Str", ValueError::UnknownType),
            ("AA", "AA==", TAG, "str", ValueError::Malformed),
            ("AA==", "====", TAG, "str", ValueError::Malformed),
            ("AA==", "AA==", "AA==", "str", ValueError::Malformed),
            ("A,==", "AA==", TAG, "str", ValueError::Malformed),
        ] {
            let value = format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{kind}]");
            assert_eq!(kind_of(&value), Some(Err(why)), "{value}");
        }
        // Trailing bits that are not zero, as sops takes them.
        let value = format!("ENC[AES256_GCM,data:AB==,iv:AA==,tag:{TAG},type:int]");
        assert_eq!(kind_of(&value), Some(Ok(Kind::Int)));
    }
}
