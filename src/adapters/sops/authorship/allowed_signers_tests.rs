//! What a line of trusted signers may say. That it means what ssh-keygen makes of it is tried in
//! tests/it/sops/signatures.rs.

use ssh_key::Mpint;
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::RsaPublicKey;

use super::*;

fn ed25519() -> String {
    let key = PublicKey::from(Ed25519Keypair::from_seed(&[7; 32]).public);
    key.to_openssh().unwrap()
}

fn rsa(bytes: usize, first: u8) -> String {
    let mut modulus = vec![0xff; bytes];
    modulus[0] = first;
    let (n, e) = (Mpint::from_positive_bytes(&modulus), Mpint::from_positive_bytes(&[1, 0, 1]));
    let key = RsaPublicKey { e: e.unwrap(), n: n.unwrap() };
    PublicKey::from(KeyData::Rsa(key)).to_openssh().unwrap()
}

fn one(line: &str) -> Signer {
    parse(line).ok().and_then(|mut signers| signers.pop()).expect(line)
}

fn refused(line: &str) -> LineError {
    let Err(Some((at, error))) = parse(&format!("# a comment\n\n{line}\n")) else {
        panic!("it was taken: {line}")
    };
    assert_eq!(at, 3);
    error
}

#[test]
fn a_line_names_who_what_and_when() {
    let key = ed25519();
    let plain = one(&format!("  ops@example.com,ci {key} a comment\r\n"));
    assert_eq!(plain.principals, "ops@example.com,ci");
    assert!(plain.may_sign("anything") && plain.valid_after.is_none());
    let bound = one(&format!(
        "ci NAMESPACES=\"vanta-sops:dev,git\",valid-after=\"20260101Z\",valid-before=\"20270203040506Z\" {key}"
    ));
    assert!(bound.may_sign("vanta-sops:dev") && bound.may_sign("git"));
    assert!(!bound.may_sign("vanta-sops:prod"));
    assert_eq!(bound.valid_after, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(bound.valid_before, Some("2027-02-03T04:05:06Z".parse().unwrap()));
    let spaced = one(&format!("\"a b\" namespaces=\"x y\" {key}"));
    assert_eq!((spaced.principals.as_str(), spaced.namespaces.as_deref()), ("a b", Some("x y")));
}

#[test]
fn a_namespace_is_matched_as_ssh_matches_patterns() {
    let key = ed25519();
    let may = |patterns: &str, namespace: &str| {
        one(&format!("ci namespaces=\"{patterns}\" {key}")).may_sign(namespace)
    };
    for (patterns, namespace, expected) in [
        ("vanta-sops:*", "vanta-sops:dev", true),
        ("vanta-sops:*", "vanta-sops:", true),
        ("vanta-sops:*", "vanta-sop:dev", false),
        ("*:dev", "vanta-sops:dev", true),
        ("v*s*:d?v", "vanta-sops:dev", true),
        ("v*s*:d?v", "vanta-sops:deev", false),
        ("*,!vanta-sops:prod", "vanta-sops:prod", false),
        ("!vanta-sops:prod,*", "vanta-sops:dev", true),
        ("!vanta-sops:prod", "vanta-sops:dev", false),
        ("", "vanta-sops:dev", false),
        ("VANTA-SOPS:dev", "vanta-sops:dev", false),
        ("a**b?", "axbbc", true),
    ] {
        assert_eq!(may(patterns, namespace), expected, "{patterns} for {namespace}");
    }
}

#[test]
fn what_is_not_understood_refuses_the_file_by_its_line() {
    let key = ed25519();
    for (line, expected) in [
        ("ci".to_owned(), LineError::Form),
        (format!("ci namespaces=\"a {key}"), LineError::Quotation),
        (key.clone(), LineError::Form),
        (format!("*,!root {key}"), LineError::Negated),
        (format!("ci cert-authority {key}"), LineError::Authority),
        (format!("ci no-touch-required {key}"), LineError::Option),
        (format!("ci namespaces=dev {key}"), LineError::Option),
        (format!("ci namespaces=\"a\",namespaces=\"b\" {key}"), LineError::Option),
        (format!("ci valid-after=\"20260101\" {key}"), LineError::Time),
        (format!("ci valid-after=\"20261301Z\" {key}"), LineError::Time),
        (format!("ci valid-before=\"2026010112Z\" {key}"), LineError::Time),
        ("ci ssh-ed25519 AAAA".to_owned(), LineError::Key),
        (format!("ci ssh-rsa {}", key.split(' ').nth(1).unwrap()), LineError::Key),
        (
            format!("ci {}", key.replace("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com")),
            LineError::Certificate,
        ),
        (format!("ci {}", rsa(128, 0xff)), LineError::RsaBits { bits: 1024 }),
        (format!("ci {}", rsa(256, 0x7f)), LineError::RsaBits { bits: 2047 }),
        (format!("ci {}", rsa(513, 0xff)), LineError::RsaBits { bits: 4104 }),
    ] {
        assert_eq!(refused(&line), expected, "{line}");
    }
    one(&format!("ci {}", rsa(256, 0x80)));
    one(&format!("ci {}", rsa(512, 0xff)));
}

#[test]
fn a_file_without_any_signer_is_refused() {
    assert!(matches!(parse("# nobody\n\n"), Err(None)));
}
