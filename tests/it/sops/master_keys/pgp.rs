//! PGP, by real sops and real GnuPG.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::gpg::KeyRing;
use super::{Scenario, Service};
use crate::support::sops;

#[test]
fn a_file_for_a_pgp_key_is_opened_by_sops_and_gpg() {
    let (Some(sops), Some(ring)) = (sops::find(), KeyRing::new()) else { return };
    let allowed = format!("pgp:{}", ring.fingerprint);
    let path = KeyRing::path();
    let environment = [
        ("GNUPGHOME", ring.home()),
        ("PATH", &path),
        ("HOME", ring.home()),
        ("VAULT_TOKEN", "hunter2"),
        ("SOPS_AGE_KEY", "hunter2"),
        ("VANTA_JWT_SECRET_KEY", "hunter2"),
    ];
    let service = Service::new(&allowed, sops, &environment);
    let (scenario, report) = Scenario::with(&[("prod", &ring.encrypt(sops, "first"))], &service);
    // The first look waits for it.
    assert_eq!(report.loaded.len(), 1, "{report:?}");
    assert_eq!(scenario.read("prod", "word").as_deref(), Some("first"));

    // It has the variables that gpg needs, and no others.
    let process = scenario.process().expect("sops is kept for a while");
    let variables = fs::read(format!("/proc/{process}/environ")).unwrap();
    let variables = String::from_utf8(variables).unwrap();
    let variables = variables.split_terminator('\0').map(|entry| entry.split_once('=').unwrap());
    let variables: BTreeMap<&str, &str> = variables.collect();
    let names: Vec<&str> = variables.keys().copied().collect();
    assert_eq!(names, ["GNUPGHOME", "HOME", "PATH"]);
    // Neither a place to write to nor a way to call it is left.
    for number in 0..3 {
        let file = fs::read_link(format!("/proc/{process}/fd/{number}")).unwrap();
        assert_eq!(file.to_str(), Some("/dev/null"));
    }
    let left = fs::read_dir(scenario.folder.path()).unwrap().count();
    assert_eq!(left, 1, "the folder of the socket is still there");

    // Killed, it is started again when it is needed.
    kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
    scenario.write("prod", &ring.encrypt(sops, "second"));
    crate::support::program::until("the change is seen", || {
        scenario.store.refresh();
        scenario.read("prod", "word").filter(|word| word == "second")
    });
    let again = scenario.process().expect("sops runs again");
    assert_ne!(again, process);

    // It ends with who has started it.
    let folder = scenario.folder.path().to_owned();
    drop(scenario);
    crate::support::program::until("sops has ended", || {
        super::sops_below(&folder).is_none().then_some(())
    });
}

#[test]
fn a_message_that_unpacks_to_much_ends_sops_alone() {
    let (Some(sops), Some(ring)) = (sops::find(), KeyRing::new()) else { return };
    // Anybody who has the public key can write it.
    let zeros = ring.home.path().join("zeros");
    fs::File::create(&zeros).unwrap().set_len(450 << 20).unwrap();
    let arguments = [
        "--trust-model",
        "always",
        "--armor",
        "--compress-algo",
        "bzip2",
        "--output",
        "-",
        "--recipient",
    ];
    let bomb = ring.run(
        &[&arguments[..], &[&ring.fingerprint, "--encrypt", zeros.to_str().unwrap()]].concat(),
    );
    assert!(bomb.len() < 16 * 1024, "it has {} bytes", bomb.len());
    let file = ring.encrypt(sops, "first");
    let begin = file.find("-----BEGIN PGP").unwrap();
    let end = file.find("-----END PGP").unwrap();
    let indent = " ".repeat(12);
    let bomb = bomb.split("-----END").next().unwrap().replace('\n', &format!("\n{indent}"));
    let file = format!("{}{}{}", &file[..begin], bomb, &file[end..]);
    let allowed = format!("pgp:{}", ring.fingerprint);
    let path = KeyRing::path();
    let environment = [("GNUPGHOME", ring.home()), ("PATH", &path)];
    let service = Service::new(&allowed, sops, &environment);
    let (scenario, _) = Scenario::with(&[("prod", &file)], &service);
    let error = scenario.failed("prod");
    // A slow machine is not done with it in time.
    let ended = ["sops ended before it answered", "sops did not answer in time"];
    assert!(ended.iter().any(|ended| error.contains(ended)), "{error}");
    scenario.write("prod", &ring.encrypt(sops, "second"));
    assert_eq!(scenario.soon("prod", "word"), "second");
}

#[test]
fn a_key_that_is_put_into_the_ring_later_opens_the_file_then() {
    let (Some(sops), Some(ring), Some(empty)) = (sops::find(), KeyRing::new(), KeyRing::new())
    else {
        return;
    };
    let allowed = format!("pgp:{}", ring.fingerprint);
    let path = KeyRing::path();
    let environment = [("GNUPGHOME", empty.home()), ("PATH", &path)];
    let service = Service::new(&allowed, sops, &environment);
    let (scenario, _) = Scenario::with(&[("prod", &ring.encrypt(sops, "first"))], &service);
    insta::assert_snapshot!(scenario.failed("prod"), @"no key opens the file: PGP: sops could not decrypt the data key: GnuPG has no secret key for it (GNUPGHOME, HOME): it is tried again by itself");
    let exported = ring.home.path().join("exported");
    let key = exported.to_str().unwrap();
    ring.run(&["--passphrase", "", "--output", key, "--export-secret-keys", &ring.fingerprint]);
    empty.run(&["--import", key]);
    assert_eq!(scenario.soon("prod", "word"), "first");
}
