//! No path, name or pattern leads out of the vault's folder, however it is written: raw bytes to
//! the real program, and a file beside its folder that nobody may open.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::support::opens::Opens;
use crate::support::program::{Program, Site, example};
use crate::support::raw::{get, status};

/// What the file beside the folder holds under `APP_DB_PASSWORD`, and nothing in the folder does.
const CANARY: &str = "rotated-in-the-example";

/// What no refusal holds: values of the folder, and of the file beside it.
const VALUES: [&str; 3] = ["hello from", "example-password", CANARY];

/// A vault with a file beside its folder that it could open and serve.
struct Beside {
    site: Site,
    vault: Program,
    token: String,
}

impl Beside {
    fn start() -> Self {
        let site = Site::new();
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sops");
        let canary = Path::new(fixture).join("dev-rotated.enc.yaml");
        std::fs::copy(canary, site.path("canary.enc.yaml")).unwrap();
        let everything = crate::support::service::GRANTS.replace("['APP_*', GREETING]", "['*']");
        site.write(
            "access/all.yaml",
            &everything.replace("keyPattern: 'APP_*'", "keyPattern: '*'"),
        );
        let vault = site.start();
        let token = vault.token(&site, "*");
        Self { site, vault, token }
    }

    fn canary(&self) -> std::path::PathBuf {
        self.site.path("canary.enc.yaml")
    }

    /// The answer to a target below `/api/v1/vault/`, by whoever may read all of dev.
    fn ask(&self, target: &[u8]) -> String {
        let target = [b"/api/v1/vault/".as_slice(), target].concat();
        get(&self.vault, &target, &format!("authorization: Bearer {}\r\n", self.token))
    }
}

/// Ways to write `..`, `/`, `.` and what looks like them.
const UPWARDS: [&[u8]; 28] = [
    b"..",
    b"../canary",
    b"..%2fcanary",
    b"..%2Fcanary",
    b"%2e%2e%2fcanary",
    b"%2E%2E/canary",
    b".%2e/canary",
    b"%252e%252e%252fcanary",
    b"..%252fcanary",
    b"%25%32%65%25%32%65%25%32%66canary",
    b"..%5ccanary",
    b"..\\canary",
    b"..%00/canary",
    b"dev%00",
    b"dev%00.enc.yaml",
    b"dev%0a",
    b"dev%0d%0ax:%20y",
    b"%c0%ae%c0%ae%c0%afcanary",
    b"%c0%ae%c0%ae/canary",
    b"%e0%80%ae%e0%80%ae%e0%80%afcanary",
    b"%f0%80%80%ae%f0%80%80%ae/canary",
    b"%ff%fe",
    b"\xef\xbc\x8e\xef\xbc\x8e\xef\xbc\x8fcanary",
    b"%ef%bc%8e%ef%bc%8e%ef%bc%8fcanary",
    b"..;/canary",
    b"..;%2fcanary",
    b"....//canary",
    b"%u002e%u002e%u2215canary",
];

/// Names that look like `dev` or are nearly it.
const LOOK_ALIKES: [&[u8]; 15] = [
    b"DEV",
    b"Dev",
    b"dev.",
    b"dev%20",
    b"%20dev",
    b"dev%09",
    b"dev;x=1",
    b"dev,prod",
    b"dev.enc.yaml",
    b"d\xd0\xb5v",
    b"d%d0%b5v",
    b"%ef%bd%84ev",
    b"dev%e2%80%8b",
    b"de%CC%81v",
    b"tokens",
];

/// The same for `GREETING`, of which the first letters are of other alphabets in some.
const KEY_LOOK_ALIKES: [&[u8]; 14] = [
    b".GREETING",
    b"GREETING%00",
    b"GREETING%0a",
    b"GREETING%20",
    b"GREETING;a=b",
    b"GREETING%3bx",
    b"GREETING%2f..",
    b"GREETING%5c",
    b"GR\xd0\x95ETING",
    b"GR%D0%95ETING",
    b"%EF%BC%A7REETING",
    b"GREETING%e2%80%8b",
    b"GREETING*",
    b"{GREETING}",
];

fn printed(target: &[u8]) -> String {
    target.escape_ascii().to_string()
}

/// Asserts that the target is refused as a bad name or as a path that is none.
fn refused(beside: &Beside, target: &[u8]) {
    let answer = beside.ask(target);
    let shown = printed(target);
    assert!([400, 404].contains(&status(&answer)), "{shown}: {answer}");
    assert!(!VALUES.iter().any(|value| answer.contains(value)), "{shown}: {answer}");
}

#[test]
fn no_way_of_writing_a_path_leads_out_of_the_folder() {
    let beside = Beside::start();
    let opens = Opens::of(&beside.canary());
    for upwards in UPWARDS.into_iter().chain(LOOK_ALIKES) {
        refused(&beside, &[upwards, b"/APP_DB_PASSWORD"].concat());
        refused(&beside, &[b"dev/", upwards, b"/APP_DB_PASSWORD"].concat());
        refused(&beside, &[b"dev/", upwards, b"/canary.enc.yaml"].concat());
        if upwards != b"tokens" {
            refused(&beside, upwards);
            refused(&beside, &[upwards, b"?values=true"].concat());
        }
    }
    for upwards in UPWARDS {
        refused(&beside, &[b"dev/", upwards].concat());
        // The whole way from the root of the file system, as well.
        let target = [b"/../../".as_slice(), upwards, b"/APP_DB_PASSWORD"].concat();
        refused(&beside, &target);
    }
    for key in KEY_LOOK_ALIKES {
        refused(&beside, &[b"dev/", key].concat());
    }
    for empty in [
        "",
        "/",
        "//",
        "/APP_DB_PASSWORD",
        "dev/",
        "dev//APP_DB_PASSWORD",
        "dev/APP_DB_PASSWORD/",
        "./dev/APP_DB_PASSWORD",
    ] {
        refused(&beside, empty.as_bytes());
    }
    for absolute in [beside.canary(), beside.site.path("secrets/../canary.enc.yaml")] {
        let absolute = absolute.display().to_string();
        refused(&beside, absolute.as_bytes());
        let encoded = absolute.replace('/', "%2f");
        refused(&beside, encoded.as_bytes());
        refused(&beside, format!("dev/{encoded}").as_bytes());
        refused(&beside, format!("{encoded}/APP_DB_PASSWORD").as_bytes());
    }
    assert!(opens.count() == 0, "the file beside the folder was opened");

    // None of this means anything unless the file could be served, and opening it is seen.
    let mut text = String::new();
    File::open(beside.canary()).unwrap().read_to_string(&mut text).unwrap();
    assert!(opens.count() > 0, "nobody is seen who opens the file");
    beside.site.write("secrets/dev.enc.yaml", &text);
    crate::support::program::until("the same file is served from inside", || {
        beside.ask(b"dev/APP_DB_PASSWORD").contains(CANARY).then_some(())
    });
}

#[test]
fn a_file_whose_name_is_no_environments_is_not_served() {
    let beside = Beside::start();
    // Also where somebody put such a file into the folder itself.
    for name in ["..enc.yaml", "a b.enc.yaml", "\u{430}.enc.yaml", "-x.enc.yaml"] {
        let file = beside.site.path("secrets").join(name);
        std::fs::copy(example("dev.enc.yaml"), file).unwrap();
    }
    for name in [b"..".as_slice(), b"a%20b", b"a+b", b"%d0%b0", b"-x", b"%2d%78"] {
        refused(&beside, &[name, b"/GREETING"].concat());
        refused(&beside, name);
    }
}

#[test]
fn long_names_are_refused_and_never_repeated_whole() {
    let beside = Beside::start();
    // A key may have 253 characters; what is longer than a head is no request at all.
    for (length, of_environment, of_key) in [
        (64, [400].as_slice(), [404].as_slice()),
        (254, &[400], &[400]),
        (20_000, &[400], &[400]),
        (100_000, &[414, 431], &[414, 431]),
    ] {
        let long = "a".repeat(length);
        for (target, expected) in
            [(format!("{long}/GREETING"), of_environment), (format!("dev/{long}"), of_key)]
        {
            let answer = beside.ask(target.as_bytes());
            assert!(expected.contains(&status(&answer)), "{length}: {answer:.300}");
            assert!(answer.len() < 2_000, "{length} characters are repeated");
        }
    }
}

#[test]
fn a_pattern_is_a_pattern_and_never_a_path() {
    let beside = Beside::start();
    let opens = Opens::of(&beside.canary());
    let listed = beside.ask(b"dev?pattern=GREET*");
    assert!(listed.contains(r#""keys":["GREETING"]"#), "{listed}");
    let mut refusals: Vec<Vec<u8>> = UPWARDS.iter().map(|upwards| upwards.to_vec()).collect();
    refusals.retain(|upwards| upwards != b"..");
    refusals.extend(
        [
            b"**/canary".as_slice(),
            b"%2a%2a",
            b"[!a]*",
            b"[^a]",
            b"{a,{b,c}}",
            b"\\*",
            b"%5c%2a",
            b"%00",
            b"*%00",
            b"*%0a",
            b"(.*)",
            b"a%7cb",
            b"%D0%95*",
            b"%EF%BC%8A",
            b"",
        ]
        .map(<[u8]>::to_vec),
    );
    for pattern in refusals {
        for target in [b"dev?pattern=".as_slice(), b"dev?values=true&pattern="] {
            let answer = beside.ask(&[target, &pattern].concat());
            assert_eq!(status(&answer), 400, "{}: {answer}", printed(&pattern));
            assert!(!VALUES.iter().any(|value| answer.contains(value)), "{answer}");
        }
    }
    let long = "?".repeat(254);
    assert_eq!(status(&beside.ask(format!("dev?pattern={long}").as_bytes())), 400);
    // Two dots are two characters of a key, and no key begins with one.
    assert!(beside.ask(b"dev?pattern=..").contains(r#""keys":[]"#));
    for query in ["pattern=*&pattern=*", "patterns=*", "values=yes", "values=true&x=1", "pattern"] {
        let answer = beside.ask(format!("dev?{query}").as_bytes());
        assert_eq!(status(&answer), 400, "{query}: {answer}");
    }
    assert!(opens.count() == 0, "the file beside the folder was opened");
}

#[test]
fn a_request_that_two_servers_could_read_in_two_ways_is_refused() {
    let beside = Beside::start();
    let bearer = format!("authorization: Bearer {}\r\n", beside.token);
    let target = b"/api/v1/vault/dev/GREETING";
    assert_eq!(status(&get(&beside.vault, target, &bearer)), 200);
    let folded = format!("authorization: Bearer\r\n {}\r\n", beside.token);
    let (head, tail) = beside.token.split_at(40);
    for headers in [
        format!("{bearer}{bearer}"),
        format!("{bearer}authorization: Basic Y2k6eA==\r\n"),
        format!("{bearer}Authorization: Bearer x\r\n"),
        folded,
        format!("authorization: Bearer {head}\r\n {tail}\r\n"),
        format!("authorization: Bearer {head}\n{tail}\r\n"),
        format!("authorization : Bearer {}\r\n", beside.token),
        format!("{bearer}content-length: 1\r\ncontent-length: 2\r\n"),
        format!("{bearer}content-length: +1\r\n"),
        format!("{bearer}transfer-encoding: xchunked\r\n"),
    ] {
        let answer = get(&beside.vault, target, &headers);
        let status = status(&answer);
        assert!([400, 401].contains(&status), "{headers}: {answer}");
        assert!(!VALUES.iter().any(|value| answer.contains(value)), "{headers}: {answer}");
    }
    let both = format!("{bearer}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n");
    let answer = get(&beside.vault, target, &both);
    assert!(answer.matches("HTTP/1.1").count() <= 1, "one request has two answers: {answer}");
}
