//! The bytes of requests and answers.

use super::super::{AllowList, grammar};
use super::*;

/// The bytes of a request for the one key of a list.
fn bytes(entry: &str) -> String {
    let list = AllowList::parse(entry).unwrap();
    let name = grammar::entry(entry).unwrap();
    let ciphertext = Ciphertext::new(b"secret").unwrap();
    hex::encode(request(&list.check(&name).unwrap(), ciphertext))
}

#[test]
fn a_ciphertext_has_64_kib_at_the_most() {
    let bytes = vec![0; 64 * 1024 + 1];
    assert!(Ciphertext::new(&bytes[1..]).is_some());
    assert!(Ciphertext::new(&bytes).is_none());
}

#[test]
fn a_request_is_to_the_byte_what_the_protocol_says() {
    // Length, key { pgp { fingerprint } }, ciphertext.
    let fingerprint = "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4";
    let of_pgp = format!(
        "00{:08x}0a2c122a0a28{}1206{}",
        54,
        hex::encode(fingerprint),
        hex::encode("secret")
    );
    assert_eq!(bytes(&format!("pgp:{fingerprint}")), of_pgp);

    let arn = "arn:aws:kms:eu-west-1:1:key/x";
    let role = "arn:aws:iam::1:role/r";
    // Each entry of the context is a message of its own: key=1, value=2.
    let of_kms = [
        "0a1d".to_owned(),
        hex::encode(arn),
        "1215".to_owned(),
        hex::encode(role),
        "1a06".to_owned(),
        "0a0141120162".to_owned(),
        "1a06".to_owned(),
        "0a0142120163".to_owned(),
        "2201".to_owned(),
        hex::encode("p"),
    ]
    .concat();
    let entry = format!("kms:{arn};role={role};profile=p;context.B=c;context.A=b");
    assert!(bytes(&entry).contains(&of_kms), "{}", bytes(&entry));

    for (entry, tag, parts) in [
        (
            "gcp_kms:projects/p/locations/l/keyRings/r/cryptoKeys/k",
            "1a",
            vec!["projects/p/locations/l/keyRings/r/cryptoKeys/k"],
        ),
        ("azure_kv:https://v.example/keys/k/1a", "22", vec!["https://v.example", "k", "1a"]),
        ("hc_vault:https://v:8200/v1/a/b/keys/k", "2a", vec!["https://v:8200", "a/b", "k"]),
        ("hckms:r:1-2", "3a", vec!["r:1-2"]),
    ] {
        let fields = parts.iter().enumerate().map(|(at, part)| {
            format!("{:02x}{:02x}{}", (at + 1) << 3 | 2, part.len(), hex::encode(part))
        });
        let fields = fields.collect::<Vec<String>>().concat();
        let key = format!("{tag}{:02x}{fields}", fields.len() / 2);
        let message = format!("0a{:02x}{key}1206{}", key.len() / 2, hex::encode("secret"));
        let framed = format!("00{:08x}{message}", message.len() / 2);
        assert_eq!(bytes(entry), framed, "{entry}");
    }
}

#[test]
fn an_answer_is_one_whole_message_with_a_plaintext() {
    let framed = |message: &[u8]| {
        let mut framed = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
        framed.extend(message);
        framed
    };
    assert_eq!(**answer(&framed(b"\x0a\x03abc")).unwrap(), *b"abc");
    assert_eq!(**answer(&framed(b"")).unwrap(), *b"");
    for bad in [
        &b"\x0a\x04abc"[..],
        b"\x12\x03abc",
        b"\x0a",
        b"\x08\x01",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ] {
        assert!(answer(&framed(bad)).is_none(), "{bad:?}");
    }
    let mut compressed = framed(b"\x0a\x03abc");
    compressed[0] = 1;
    assert!(answer(&compressed).is_none());
    let mut longer = framed(b"\x0a\x03abc");
    longer.push(0);
    assert!(answer(&longer).is_none());
    assert!(answer(&[0, 0, 0]).is_none());
}
