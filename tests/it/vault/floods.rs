//! Many bad clients at once: each is let go within the listener's limits, and a good one is
//! answered meanwhile. How fast it is answered is measured by `tests/soak`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::attackers::{Attack, Attacker};
use crate::support::program::{DEADLINE, Program, Site, agent};
use crate::support::raw::{answer, connect, status};

/// The longest that the listener lets anybody hold a connection who asks for nothing: a head's
/// time or a body's, and some more for a machine that has much to do.
const LET_GO: Duration = Duration::from_secs(25);

fn with_tls(site: &Site) -> Program {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    site.write("tls.crt", &cert.pem());
    site.write("tls.key", &signing_key.serialize_pem());
    let mut command = site.command();
    command.env("VANTA_TLS_CERT_FILE", site.path("tls.crt"));
    command.env("VANTA_TLS_KEY_FILE", site.path("tls.key"));
    Program::start(command, "https")
}

/// So many connections of each attack, which go on with it until they are closed.
fn attack(vault: &Program, attacks: &[Attack], each: usize) -> Vec<Attacker> {
    let address = vault.api.split_once("://").unwrap().1;
    let all = attacks.iter().flat_map(|attack| std::iter::repeat_n(*attack, each));
    all.map(|attack| Attacker::begin(address, attack).unwrap()).collect()
}

/// Goes on with all attacks until each connection is closed, and says meanwhile how good requests
/// fare.
fn outlast(mut attackers: Vec<Attacker>, mut good: impl FnMut() -> u16) -> Vec<u16> {
    let began = Instant::now();
    let mut statuses = Vec::new();
    while !attackers.is_empty() {
        let left: Vec<Attack> = attackers.iter().map(|attacker| attacker.attack).collect();
        assert!(began.elapsed() < LET_GO, "{} are not let go: {left:?}", left.len());
        attackers.retain_mut(Attacker::goes_on);
        statuses.push(good());
        std::thread::sleep(Duration::from_millis(50));
    }
    statuses
}

#[test]
fn two_hundred_who_never_finish_are_let_go_and_a_good_request_is_answered_meanwhile() {
    let site = Site::new();
    let vault = site.start();
    let token = vault
        .token_with(&site, &serde_json::json!({"environment": "dev", "key_pattern": "GREETING"}));
    let attackers = attack(&vault, &Attack::ALL, 50);
    assert_eq!(attackers.len(), 200);
    let agent = agent();
    let statuses = outlast(attackers, || {
        vault.read(&agent, "dev/GREETING", &token).expect("the vault answers").status
    });
    assert!(statuses.len() > 10 && statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

#[test]
fn who_is_silent_after_the_hello_of_tls_is_let_go() {
    let site = Site::new();
    let vault = with_tls(&site);
    let attacks = [Attack::Silent, Attack::HalfHello, Attack::WholeHello];
    let attackers = attack(&vault, &attacks, 60);
    let statuses = outlast(attackers, || vault.health("/readyz").0);
    assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 200));
}

/// Writes until the vault takes no more, at most so much; how much it took, and its answer.
fn pour(mut stream: TcpStream, head: &str, piece: &[u8], at_most: u64) -> (u64, String) {
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut written = 0;
    while written < at_most {
        match stream.write(piece) {
            Ok(count) => written += count as u64,
            Err(error) => {
                assert_ne!(
                    error.kind(),
                    ErrorKind::WouldBlock,
                    "the vault neither reads nor closes"
                );
                break;
            }
        }
    }
    let mut bytes = vec![0; 512];
    let read = stream.read(&mut bytes).unwrap_or(0);
    (written, String::from_utf8_lossy(&bytes[..read]).into_owned())
}

const GIB: u64 = 1 << 30;

#[test]
fn a_body_of_a_gibibyte_is_cut_off_near_its_beginning() {
    let site = Site::new();
    let vault = site.start();
    let head = "POST /api/v1/vault/tokens/generate HTTP/1.1\r\nhost: x\r\n\
                content-type: application/json\r\n";
    let with_length = format!("{head}content-length: {GIB}\r\n\r\n");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
    for (head, piece) in [(&with_length, "x".repeat(64 * 1024)), (&chunked, chunk)] {
        let (written, answer) = pour(connect(&vault), head, piece.as_bytes(), GIB);
        // What the kernels of both ends keep is more than what the vault reads of it.
        assert!(written < 32 * 1024 * 1024, "the vault took {written} bytes");
        assert!(answer.is_empty() || status(&answer) == 413, "{answer}");
    }
    // A length that is a lie holds nothing but its connection, and that for seconds.
    let mut stream = connect(&vault);
    stream.write_all(format!("{with_length}x").as_bytes()).unwrap();
    let began = Instant::now();
    let late = answer(stream);
    assert!(late.is_empty() || [408, 413].contains(&status(&late)), "{late}");
    assert!(began.elapsed() < LET_GO);
    assert_eq!(vault.health("/readyz").0, 200);
}

#[test]
fn ten_thousand_header_lines_and_one_of_a_mebibyte_are_refused() {
    let site = Site::new();
    let vault = site.start();
    let many: Vec<String> = (0..10_000).map(|at| format!("x-{at}: y\r\n")).collect();
    let more_than_sixty_four = "x: y\r\n".repeat(65);
    for headers in [
        many.concat(),
        format!("x: {}\r\n", "y".repeat(1024 * 1024)),
        format!("{}: y\r\n", "x".repeat(1024 * 1024)),
        format!("authorization: Bearer {}\r\n", "e".repeat(1024 * 1024)),
        more_than_sixty_four,
    ] {
        let mut stream = connect(&vault);
        // The vault may close before all is written.
        let _ = write!(stream, "GET /api/v1/access HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let text = answer(stream);
        assert!(text.is_empty() || status(&text) == 431, "{text}");
    }
    assert_eq!(vault.health("/readyz").0, 200);
}
