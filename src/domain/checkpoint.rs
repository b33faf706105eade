//! Checkpoints: the end of a chain as it was at a moment, in a form that is signed.

use core::fmt;
use core::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the signed text begins with, so that no signature over it is one over anything else.
const CONTEXT: &str = "vanta-audit-checkpoint-v1";

/// The same of a removal: a checkpoint, of which anybody may have a copy, is none.
const REMOVAL_CONTEXT: &str = "vanta-audit-removal-v1";

/// The end of a replica's chain at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The replica whose chain it is.
    pub replica: String,
    /// The sequence of the last entry.
    pub sequence: u64,
    /// The hash of its line, as 64 hexadecimal digits.
    pub hash: String,
    /// When it was signed.
    pub time: Timestamp,
}

impl Head {
    /// The text that is signed. It has one reading: JSON quotes what a replica's name may hold.
    pub fn signed_text(&self) -> String {
        let head = serde_json::to_string(self).expect("a head holds only text and numbers");
        format!("{CONTEXT}\n{head}")
    }

    /// The text that is signed where the entries up to this head are removed.
    pub fn removal_text(&self) -> String {
        let head = serde_json::to_string(self).expect("a head holds only text and numbers");
        format!("{REMOVAL_CONTEXT}\n{head}")
    }
}

/// The vault's word, signed, that it removed the entries up to a head (Ed25519, RFC 8032).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The last entry that was removed, and which replica removed it when.
    #[serde(flatten)]
    pub head: Head,
    /// The key that the signature is of, as 64 hexadecimal digits.
    pub public_key: String,
    /// The signature of [`Head::removal_text`], as 128 hexadecimal digits.
    pub signature: String,
}

/// A [`Head`] and the signature over it (Ed25519, RFC 8032).
///
/// It reads back from each line of the log that tells one, since other fields are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What is signed.
    #[serde(flatten)]
    pub head: Head,
    /// The key that the signature is of, as 64 hexadecimal digits.
    pub public_key: String,
    /// The signature of [`Head::signed_text`], as 128 hexadecimal digits.
    pub signature: String,
}

impl Checkpoint {
    /// The checkpoint that a line tells, where it tells one.
    pub fn read(line: &str) -> Option<Self> {
        // Most lines of a log tell none, and are not worth parsing.
        if !line.contains("signature") {
            return None;
        }
        serde_json::from_str(line).ok()
    }
}

impl Checkpoint {
    /// Where it is among all.
    pub fn place(&self) -> CheckpointPlace {
        let Head { replica, sequence, hash, .. } = self.head.clone();
        CheckpointPlace { replica, sequence, hash }
    }
}

/// Where a checkpoint is among all: they are in the order of replica, sequence and hash.
///
/// Written as `SEQUENCE.HASH.REPLICA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointPlace {
    /// The replica whose chain it is of.
    pub replica: String,
    /// The sequence of the head.
    pub sequence: u64,
    /// The hash of the head.
    pub hash: String,
}

/// The most digits of a sequence, which a database's numbers hold.
const MAX_DIGITS: usize = 18;

impl CheckpointPlace {
    /// The form of its text, as a regular expression of ECMA-262.
    pub fn pattern() -> String {
        format!(r"^[0-9]{{1,{MAX_DIGITS}}}\.[0-9a-f]{{64}}\.[ -~]*$")
    }
}

/// The text is no place of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not where a page of checkpoints ended")]
pub struct InvalidPlace;

impl FromStr for CheckpointPlace {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let (sequence, rest) = text.split_once('.').ok_or(InvalidPlace)?;
        let (hash, replica) = rest.split_once('.').ok_or(InvalidPlace)?;
        let lower = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let hexadecimal = hash.len() == 64 && hash.bytes().all(lower);
        let digits = sequence.len() <= MAX_DIGITS && sequence.bytes().all(|it| it.is_ascii_digit());
        let printable = replica.bytes().all(|sign| (b' '..=b'~').contains(&sign));
        if !(hexadecimal && digits && printable) {
            return Err(InvalidPlace);
        }
        Ok(Self {
            replica: replica.to_owned(),
            sequence: sequence.parse().map_err(|_| InvalidPlace)?,
            hash: hash.to_owned(),
        })
    }
}

impl fmt::Display for CheckpointPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.sequence, self.hash, self.replica)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_whatever_the_replica_is_called() {
        let hash = "0a".repeat(32);
        let place = CheckpointPlace { replica: "a.b".to_owned(), sequence: 7, hash: hash.clone() };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in [
            "",
            "7",
            "7.00.a",
            &format!("x.{hash}.a"),
            &format!("-1.{hash}.a"),
            &format!("+1.{hash}.a"),
            &format!("{}.{hash}.a", "1".repeat(19)),
            &format!("1.{hash}.\n"),
        ] {
            assert_eq!(wrong.parse::<CheckpointPlace>(), Err(InvalidPlace), "{wrong}");
        }
        assert!(format!("{}.{hash}. ~", "1".repeat(18)).parse::<CheckpointPlace>().is_ok());
        assert_eq!(CheckpointPlace::pattern(), r"^[0-9]{1,18}\.[0-9a-f]{64}\.[ -~]*$");
    }

    #[test]
    fn a_checkpoint_reads_back_from_a_line_of_the_log() {
        let line = r#"{"timestamp":"x","level":"INFO","message":"m","replica":"a\"b","sequence":7,"hash":"00","time":"1970-01-01T00:00:00Z","public_key":"11","signature":"22"}"#;
        let read = Checkpoint::read(line).unwrap();
        assert_eq!((read.head.sequence, read.signature.as_str()), (7, "22"));
        insta::assert_snapshot!(read.head.signed_text(), @r#"
        vanta-audit-checkpoint-v1
        {"replica":"a\"b","sequence":7,"hash":"00","time":"1970-01-01T00:00:00Z"}
        "#);
        assert_eq!(Checkpoint::read(r#"{"message":"another line"}"#), None);
        insta::assert_snapshot!(read.head.removal_text(), @r#"
        vanta-audit-removal-v1
        {"replica":"a\"b","sequence":7,"hash":"00","time":"1970-01-01T00:00:00Z"}
        "#);
    }
}
