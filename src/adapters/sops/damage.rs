//! What a text looks like that is not read: empty, cut, plain, or in the middle of a merge. The
//! parsers name the first thing that they stumble over, which is as a rule not what happened.

use super::error::FileError;
use super::format::Format;
use super::metadata::has_rule;
use super::tree::MapItem;

/// What each encrypted value begins with.
const SEALED: &[u8] = b"ENC[AES256_GCM,";

/// What Git writes before the first of two versions that it could not merge.
const CONFLICT: &[u8] = b"<<<<<<< ";

/// An error where there is nothing in a file.
pub(super) fn check_content(bytes: &[u8]) -> Result<(), FileError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) { Err(FileError::Empty) } else { Ok(()) }
}

/// What is told of a text in the place of what its parser says.
pub(super) fn of_text(error: FileError, bytes: &[u8], format: Format) -> FileError {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if let Some(at) = lines.position(|line| line.starts_with(CONFLICT)) {
        return FileError::Conflict { line: at + 1 };
    }
    match error {
        FileError::NoMetadata if bytes.windows(SEALED.len()).any(|begin| begin == SEALED) => {
            FileError::Cut { lacks: "`sops` metadata, though its values are encrypted".to_owned() }
        }
        // Sops makes JSON of any file; what is none is one that it has not seen.
        _ if format == Format::Binary && !bytes.trim_ascii_start().starts_with(b"{") => {
            FileError::NoMetadata
        }
        error => error,
    }
}

/// What is told of metadata in the place of what is wrong with it. In formats of lines sops ends
/// each, and writes a rule and then the version on the last ones.
pub(super) fn of_metadata(
    error: FileError,
    fields: &[MapItem],
    bytes: &[u8],
    format: Format,
) -> FileError {
    let in_lines = matches!(format, Format::Yaml | Format::Dotenv | Format::Ini);
    let lacks = match error {
        FileError::NoVersion if in_lines && !bytes.ends_with(b"\n") => {
            "a version, and its last line an end"
        }
        FileError::NoVersion if in_lines && !has_rule(fields) => {
            "a version, and a rule of what is encrypted"
        }
        error => return error,
    };
    FileError::Cut { lacks: lacks.to_owned() }
}

/// What is told of values that are others than those of the MAC: in ini, that one may have been that
/// of a key `-`. go-ini numbers it, and writes it as it numbered it: `#1`, which begins a comment.
pub(super) fn of_mac(error: FileError, bytes: &[u8], format: Format) -> FileError {
    let is_numbered = |line: &[u8]| {
        let Some(key) = line.trim_ascii_start().strip_prefix(b"#") else { return false };
        let Some(end) = key.iter().position(|byte| *byte == b'=') else { return false };
        let (number, value) = (key[..end].trim_ascii(), key[end + 1..].trim_ascii());
        !number.is_empty() && number.iter().all(u8::is_ascii_digit) && value.starts_with(SEALED)
    };
    let mut lines = bytes.split(|byte| *byte == b'\n');
    match lines.position(is_numbered).filter(|_| format == Format::Ini) {
        Some(at) => FileError::SealedComment { line: at + 1 },
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, format: Format) -> FileError {
        of_text(format.parse(text.as_bytes()).err().unwrap(), text.as_bytes(), format)
    }

    #[test]
    fn what_holds_nothing_is_empty() {
        for text in ["", "\n \t\r\n", "\u{feff}", "\u{feff}\n"] {
            assert_eq!(check_content(text.as_bytes()), Err(FileError::Empty), "{text:?}");
        }
        assert_eq!(check_content(b"a"), Ok(()));
    }

    #[test]
    fn a_merge_conflict_is_told_by_the_line_of_its_marker_in_each_format() {
        let sides = |one: &str, other: &str| {
            format!("{one}\n<<<<<<< HEAD\n{one}\n=======\n{other}\n>>>>>>> theirs\n")
        };
        for (format, text) in [
            (Format::Yaml, sides("a: b", "a: c")),
            (Format::Json, sides("{\"a\": 1,", "\"b\": 2")),
            (Format::Dotenv, sides("A=b", "A=c")),
            (Format::Ini, sides("a = b", "a = c")),
            (Format::Binary, sides("{\"data\":", "\"x\"")),
        ] {
            assert_eq!(told(&text, format), FileError::Conflict { line: 2 }, "{format:?}");
        }
    }

    #[test]
    fn a_file_that_was_never_encrypted_is_told_from_one_that_lost_its_metadata() {
        for (format, text) in [
            (Format::Yaml, "a: b\n"),
            (Format::Json, "{\"a\": \"b\"}"),
            (Format::Dotenv, "A=b\n"),
            (Format::Ini, "a = b\n"),
            (Format::Binary, "any bytes"),
            (Format::Binary, "[1]"),
        ] {
            assert_eq!(told(text, format), FileError::NoMetadata, "{format:?}");
        }
        let lost = told("a: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\n", Format::Yaml);
        insta::assert_snapshot!(lost, @"the file seems to be cut, or its `sops` metadata damaged: it lacks `sops` metadata, though its values are encrypted: restore it from Git (`git checkout -- FILE`; once the change is committed, `git checkout COMMIT -- FILE` with the last good one of `git log -- FILE`) and make the change with `sops set` or `sops edit`");
    }
}
