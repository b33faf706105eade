//! What a signature has to be. Those of real keys are tried in tests/it/sops/signatures.rs.

use sha2::{Digest, Sha256};
use ssh_key::Signature;
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::{PublicKey, SkEd25519};

use super::*;
use crate::adapters::files::Fingerprint;

const FILE: &[u8] = b"a: ENC[...]\n";

fn signers(text: &str) -> Vec<Signer> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signers");
    std::fs::write(&file, text).unwrap();
    allowed_signers::read(&file).unwrap()
}

fn keypair(seed: u8) -> Ed25519Keypair {
    Ed25519Keypair::from_seed(&[seed; 32])
}

fn line(options: &str, seed: u8) -> String {
    format!("ci {options} {}\n", PublicKey::from(keypair(seed).public).to_openssh().unwrap())
}

fn signed(namespace: &str, seed: u8) -> SshSig {
    let key = ssh_key::PrivateKey::from(keypair(seed));
    key.sign(namespace, HashAlg::Sha512, FILE).unwrap()
}

fn verified(
    signers_text: &str,
    signature: &SshSig,
    bytes: &[u8],
) -> Result<String, AuthorshipError> {
    let environment = "dev".parse().unwrap();
    let file = Signed { environment: &environment, file: "dev.enc.yaml".to_owned(), bytes };
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    verify(&signers(signers_text), &file, signature, now)
}

#[test]
fn a_trusted_signers_signature_of_these_bytes_for_this_environment_is_good() {
    let signature = signed("vanta-sops:dev", 1);
    let signer = verified(&line("", 1), &signature, FILE).unwrap();
    assert!(signer.starts_with("\"ci\" (SHA256:"), "{signer}");
    let wrong = verified(&line("", 1), &signature, b"a: ENC[..]\n");
    insta::assert_snapshot!(wrong.unwrap_err(), @"its signature is not of these bytes: the file was changed after it was signed. Look at what changed, and run `rm -f dev.enc.yaml.sig && ssh-keygen -Y sign -n vanta-sops:dev -f KEY dev.enc.yaml`");
}

#[test]
fn another_environments_and_a_strangers_signature_are_refused_by_name() {
    let refused = |signature: &SshSig| verified(&line("", 1), signature, FILE).unwrap_err();
    insta::assert_snapshot!(refused(&signed("vanta-sops:prod", 1)), @r#"it is signed for "vanta-sops:prod", not for "vanta-sops:dev": look at what changed, and run `rm -f dev.enc.yaml.sig && ssh-keygen -Y sign -n vanta-sops:dev -f KEY dev.enc.yaml`"#);
    insta::assert_snapshot!(refused(&signed("git", 1)), @r#"it is signed for "git", not for "vanta-sops:dev": look at what changed, and run `rm -f dev.enc.yaml.sig && ssh-keygen -Y sign -n vanta-sops:dev -f KEY dev.enc.yaml`"#);
    let stranger = refused(&signed("vanta-sops:dev", 2)).to_string();
    assert!(stranger.contains(
        "which is no trusted signer's key: have one of them look at what changed and run `rm -f "
    ));
}

#[test]
fn a_key_signs_for_as_long_as_one_of_its_lines_says() {
    let signature = signed("vanta-sops:dev", 1);
    let verified = |text: &str| verified(text, &signature, FILE);
    let ended = line(r#"valid-before="20260101Z""#, 1);
    let begins = line(r#"valid-after="20270101Z""#, 1);
    let other = line(r#"namespaces="vanta-sops:prod""#, 1);
    let now =
        line(r#"namespaces="vanta-sops:d*",valid-after="20260101Z",valid-before="20270101Z""#, 1);
    let (past, future) = (verified(&ended).unwrap_err(), verified(&begins).unwrap_err());
    assert!(past.to_string().contains("now: valid before 2026-01-01T00:00:00Z: "), "{past}");
    assert!(!past.is_passing() && future.is_passing(), "only what is yet to come passes by itself");
    assert!(matches!(verified(&other), Err(AuthorshipError::NotForEnvironment { .. })));
    verified(&(ended + &begins + &other + &now)).unwrap();
}

#[test]
fn of_several_lines_of_a_key_it_is_told_why_the_environments_own_allows_nothing() {
    let signature = signed("vanta-sops:dev", 1);
    let ended = line(r#"namespaces="vanta-sops:dev",valid-before="20260101Z""#, 1);
    let others = line(r#"namespaces="vanta-sops:prod""#, 1);
    for lines in [ended.clone() + &others, others + &ended] {
        let refused = verified(&lines, &signature, FILE).unwrap_err();
        assert!(matches!(refused, AuthorshipError::NotValidNow { .. }), "{refused}");
    }
}

#[test]
fn a_changed_signature_is_none() {
    let pem = signed("vanta-sops:dev", 1).to_pem(LineEnding::LF).unwrap();
    let begins = pem.find('\n').unwrap() + 1;
    let ends = pem.rfind("-----END").unwrap();
    let mut refused = 0;
    for at in begins..ends {
        let mut bytes = pem.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let Some(changed) = parse(&bytes) else {
            refused += 1;
            continue;
        };
        assert!(verified(&line("", 1), &changed, FILE).is_err(), "the byte {at}");
        refused += 1;
    }
    assert_eq!(refused, ends - begins);
}

#[test]
fn a_signature_that_is_cut_off_or_goes_on_is_none() {
    let pem = signed("vanta-sops:dev", 1).to_pem(LineEnding::LF).unwrap();
    for end in 0..pem.trim_end().len() {
        assert!(parse(&pem.as_bytes()[..end]).is_none(), "up to {end}");
    }
    assert!(parse(format!("{pem}{pem}").as_bytes()).is_none());
    assert!(parse(format!("x\n{pem}").as_bytes()).is_none());
    assert!(parse(pem.replace('\n', "\r\n").as_bytes()).is_some(), "lines may end as elsewhere");
}

/// A signature as a security key makes it (OpenSSH PROTOCOL.u2f), with these flags.
fn of_security_key(flags: u8) -> (String, SshSig) {
    use rsa::signature::Signer as _;
    let keypair = keypair(3);
    let key = SkEd25519::new(keypair.public, "ssh:");
    let message = SshSig::signed_data("vanta-sops:dev", HashAlg::Sha512, FILE).unwrap();
    let trailer = [flags, 0, 0, 0, 9];
    let mut signed = Sha256::digest("ssh:").to_vec();
    signed.extend(trailer);
    signed.extend(Sha256::digest(message));
    let mut bytes = keypair.sign(&signed).as_bytes().to_vec();
    bytes.extend(trailer);
    let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
    let key = KeyData::SkEd25519(key);
    let line = format!("ci {}\n", PublicKey::from(key.clone()).to_openssh().unwrap());
    (line, SshSig::new(key, "vanta-sops:dev", HashAlg::Sha512, signature).unwrap())
}

#[test]
fn a_security_key_has_to_be_touched() {
    let (line, touched) = of_security_key(TOUCHED);
    verified(&line, &touched, FILE).unwrap();
    let wrong = verified(&line, &touched, b"other");
    assert!(matches!(wrong, Err(AuthorshipError::WrongSignature { .. })));
    let (line, untouched) = of_security_key(0);
    insta::assert_snapshot!(verified(&line, &untouched, FILE).unwrap_err(), @"it is signed by a security key that nobody touched: look at what changed, run `rm -f dev.enc.yaml.sig && ssh-keygen -Y sign -n vanta-sops:dev -f KEY dev.enc.yaml`, and touch it");
}

#[test]
fn what_is_no_signature_or_is_not_there_says_what_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signers");
    std::fs::write(&path, line("", 1)).unwrap();
    let environment = "dev".parse().unwrap();
    let file = Signed { environment: &environment, file: "dev.enc.yaml".to_owned(), bytes: FILE };
    let refused = |signature| check(&path, &file, signature, Timestamp::UNIX_EPOCH).unwrap_err();
    insta::assert_snapshot!(refused(None), @"it is not signed: there is no dev.enc.yaml.sig beside it. Look at what changed, and run `rm -f dev.enc.yaml.sig && ssh-keygen -Y sign -n vanta-sops:dev -f KEY dev.enc.yaml`");
    insta::assert_snapshot!(refused(Some(b"hunter2")), @"dev.enc.yaml.sig is not an SSH signature: look at what changed, and run `rm -f dev.enc.yaml.sig && ssh-keygen -Y sign -n vanta-sops:dev -f KEY dev.enc.yaml`");
}

#[test]
fn a_signature_that_is_no_file_or_too_long_does_not_pass_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = folder.path().join(name);
        Place::File { fingerprint: Fingerprint::of(&path), path }
    };
    nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::write(folder.path().join("long"), vec![b'x'; MAX_BYTES + 1]).unwrap();
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    let given = Place::Given(vec![b'x'; MAX_BYTES + 1].into());
    let refused = |place: &Place| read(Some(place), "dev.enc.yaml").unwrap_err();
    for place in [at("pipe"), at("long"), given] {
        let error = refused(&place);
        assert!(!error.is_passing() && error.rest().is_zero(), "{error}");
    }
    // What the operating system says of a loop it may not say again.
    let error = refused(&at("loop"));
    assert!(error.is_passing() && !error.rest().is_zero(), "{error}");
}
