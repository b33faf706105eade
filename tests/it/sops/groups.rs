//! Several key groups, each of which wraps a share of the data key.

use vanta::adapters::sops::{EncryptedFile, FileError, Format, Identities, Leave};

use super::fixtures::{both_identities, edit, groups, identities, line, read, text};

fn open(text: &str, identities: &Identities) -> Result<EncryptedFile, FileError> {
    EncryptedFile::open(text.as_bytes(), Format::Yaml, identities, Leave::default())
}

fn refusal(text: &str, identities: &Identities) -> FileError {
    open(text, identities).err().expect("the file was accepted")
}

#[test]
fn a_share_of_each_needed_group_gives_the_data_key() {
    let file = open(&text("groups.enc.yaml"), &both_identities()).unwrap();
    assert_eq!(read(&file, "word"), "hunter2");
}

#[test]
fn too_few_groups_are_told_one_by_one() {
    let original = text("groups.enc.yaml");
    insta::assert_snapshot!(refusal(&original, &identities()), @r#"the data key is split among 2 key groups, of which 2 are needed and 1 can be opened: group 2: no identity for "age1hyw9gynnh0ayz0hjc2va7zzweh0t5xa0ymdtyylmkyqu0hzg4ghqv7hgya": look first whether it is this environment's file and not another's (`git log -p -- FILE`); if it is, configure an identity for each group, or change the groups (`sops groups`)"#);
    // The threshold is not authenticated, and one share is no key at all.
    let one = edit(&original, "shamir_threshold: 2", "shamir_threshold: 1");
    assert!(matches!(refusal(&one, &identities()), FileError::TooFewGroups { needed: 2, .. }));
}

#[test]
fn shares_that_do_not_fit_together_are_refused() {
    let [before, first, _, rest] = groups();
    // The first group twice: two shares in one place.
    let twice = format!("{before}{first}{first}{rest}");
    assert_eq!(refusal(&twice, &both_identities()), FileError::BadShares);
    // One group alone wraps a share, which is longer than a key.
    let one = format!("{before}{first}{rest}");
    assert_eq!(refusal(&one, &both_identities()), FileError::BadDataKey);
}

#[test]
fn a_threshold_is_a_small_number() {
    let original = text("groups.enc.yaml");
    let threshold = line(&original, "    shamir_threshold");
    for bad in ["-1", "256", "two", "[2]", "1.5"] {
        let changed = edit(&original, threshold, &format!("    shamir_threshold: {bad}"));
        let refused = refusal(&changed, &both_identities());
        assert!(
            matches!(refused, FileError::BadMetadata { field: "shamir_threshold", .. }),
            "{bad}: {refused}"
        );
    }
    // As sops 3.13 takes it, and as other formats write it.
    let text = edit(&original, threshold, "    shamir_threshold: \"2\"");
    assert_eq!(read(&open(&text, &both_identities()).unwrap(), "word"), "hunter2");
}
