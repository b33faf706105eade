//! Files that are exchanged while others read as fast as they can. `tests/soak` does it for long.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use vanta::adapters::sops::{Alarm, Authorship, SopsStore};

use super::exchange::{Exchange, VERSIONS, Way, under_load};
use super::fixtures::{text, unnamed};
use super::made::keys::OURS;
use super::workshop::{Workshop, read};
use crate::support::ssh_keygen::SigningKey;

/// How many reads there have to be at least while files are exchanged.
const READS: usize = 5000;

/// And how many exchanges.
const EXCHANGES: usize = 50;

#[expect(
    clippy::print_stdout,
    reason = "the figures are wanted by whoever runs it with --nocapture"
)]
fn exchanged(what: &str, store: &SopsStore, exchange: impl FnMut(usize)) {
    let enough = |exchanges, reads| exchanges >= EXCHANGES && reads >= READS;
    let load = under_load(store, enough, exchange);
    println!("{what}: {load}");
    assert!(load.seen > 1, "no exchange was seen at all");
}

/// Exchanges an environment's versions in one of the ways; none without sops.
fn exchanged_by(way: Way) -> Option<SopsStore> {
    let exchange = Exchange::new()?;
    exchange.put(way, 0);
    let (store, report) = exchange.workshop.open(unnamed());
    assert_eq!(report.loaded.len(), 1, "{report:?}");
    exchanged(&format!("{way:?}"), &store, |number| exchange.put(way, number));
    // What was whole in the end is served.
    store.refresh();
    assert!(store.status()[0].error.is_none(), "{:?}", store.status());
    Some(store)
}

#[test]
fn a_file_that_is_renamed_into_place_is_read_whole() {
    exchanged_by(Way::Rename);
}

#[test]
fn links_that_are_swapped_as_the_kubelet_does_fail_no_read() {
    exchanged_by(Way::Links);
}

#[test]
fn a_file_that_is_written_in_pieces_fails_no_read() {
    exchanged_by(Way::Pieces);
}

#[test]
fn a_file_and_its_signature_that_come_one_after_the_other_fail_no_read() {
    let (Some(exchange), Some(key)) = (Exchange::new(), SigningKey::new("ed25519", None)) else {
        return;
    };
    let signed = |number| key.sign("vanta-sops:prod", exchange.bytes(number));
    let signatures: Vec<Vec<u8>> = (0..VERSIONS).map(signed).collect();
    let put = |number: usize| {
        exchange.put(Way::Rename, number);
        exchange.workshop.put("prod.enc.yaml.sig", &signatures[number % VERSIONS]);
    };
    put(0);
    let signers = tempfile::NamedTempFile::new().unwrap();
    fs::write(signers.path(), key.line("ci", "")).unwrap();
    let authorship = Authorship {
        trusted_signers: Some(signers.path().to_owned()),
        // What is tried is that nothing passing is an alarm, however slow the machine is.
        signature_grace: Duration::from_hours(1),
        ..unnamed()
    };
    let (store, report) = exchange.workshop.open(authorship);
    assert_eq!(report.loaded.len(), 1, "{report:?}");
    exchanged("with signatures", &store, put);
    assert!(store.status()[0].error.is_none(), "{:?}", store.status());
}

#[test]
fn one_bad_file_takes_no_other_down() {
    let Some(workshop) = Workshop::new() else { return };
    let good = workshop.encrypt("good.enc.yaml", "A: v1\nB: v1\n", OURS);
    for name in ["a", "m", "z"] {
        workshop.put(&format!("{name}.enc.yaml"), &good);
    }
    let (store, _) = workshop.open(unnamed());
    fs::create_dir(workshop.path("b.enc.yaml")).unwrap();
    symlink("nowhere", workshop.path("c.enc.yaml")).unwrap();
    symlink("d.enc.yaml", workshop.path("d.enc.yaml")).unwrap();
    let pipe = workshop.path("e.enc.yaml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (name, content) in [
        ("f.enc.yaml", String::new()),
        ("g.enc.yaml", "a: [".to_owned()),
        ("h.enc.json", text("app.enc.json")[..500].to_owned()),
        ("m.enc.json", text("app.enc.json")),
        ("n.enc.json", text("app.enc.json")),
        ("n.enc.yaml", text("app.enc.yaml")),
        ("z.enc.yaml", String::from_utf8(good.clone()).unwrap().replace("A: ", "C: ")),
    ] {
        workshop.put(name, content.as_bytes());
    }
    let report = store.refresh();
    let failed: Vec<&str> = report.failed.iter().map(|of| of.environment.as_str()).collect();
    assert_eq!(failed, ["b", "c", "d", "e", "f", "g", "h", "n", "z"]);
    assert!(report.failed.iter().all(|failed| failed.alarm == Alarm::Refused));
    for name in ["a", "m", "z"] {
        assert_eq!(read(&store, name, "A").unwrap(), "v1", "{name} serves what it served");
    }
    workshop.put("y.enc.yaml", &good);
    store.refresh();
    assert_eq!(read(&store, "y", "B").unwrap(), "v1", "what is new is taken among bad ones");
}
