//! How good requests fare while others attack: rate and latency in windows that take turns, so that
//! what the machine does besides weighs on both.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::report::Report;
use crate::support::attackers::{Attack, Attacker};
use crate::support::program::{Program, Site, agent};

/// How many read at once.
const READERS: usize = 4;

/// How long a window is, and how many attacked ones there are, each between two quiet ones.
const WINDOW: Duration = Duration::from_secs(6);
const ATTACKED: usize = 5;

/// The part of its rate that good requests have to keep.
const KEPT: f64 = 0.9;

pub(crate) fn slowloris(report: &mut Report) {
    const ATTACKERS: usize = 200;
    let (opened, closed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ratio = compare(report, |address, goes_on| {
        let begin = |at: usize| {
            opened.fetch_add(1, Ordering::Relaxed);
            Attacker::begin(address, Attack::ALL[at % Attack::ALL.len()]).ok()
        };
        let mut attackers: Vec<_> = (0..ATTACKERS).map(begin).collect();
        while goes_on.load(Ordering::Relaxed) {
            for (at, attacker) in attackers.iter_mut().enumerate() {
                if !attacker.as_mut().is_some_and(Attacker::goes_on) {
                    closed.fetch_add(1, Ordering::Relaxed);
                    *attacker = begin(at);
                }
            }
            sleep(Duration::from_millis(100));
        }
    });
    let (opened, closed) = (opened.into_inner(), closed.into_inner());
    report.line(format!(
        "\n{ATTACKERS} at a time, in equal parts {:?}; {opened} were opened and {closed} of them \
         closed by the vault, each of which came back at once.",
        Attack::ALL
    ));
    judge(report, ratio);
}

pub(crate) fn heavy(report: &mut Report) {
    /// How long each of the four waits between two requests.
    const PACE: Duration = Duration::from_millis(200);
    let head = "POST /api/v1/vault/tokens/generate HTTP/1.1\r\nhost: x\r\n\
                content-type: application/json\r\n";
    let get = "GET /api/v1/access HTTP/1.1\r\nhost: x\r\n";
    let many: Vec<String> = (0..10_000).map(|at| format!("x-{at}: y\r\n")).collect();
    let many = many.concat();
    let gibibyte = 1_u64 << 30;
    let requests = [
        (format!("{head}content-length: {gibibyte}\r\n\r\n"), gibibyte),
        (format!("{head}transfer-encoding: chunked\r\n\r\n40000000\r\n"), gibibyte),
        (format!("{get}{many}\r\n"), 0),
        (format!("{get}x: {}\r\n\r\n", "y".repeat(1024 * 1024)), 0),
    ];
    let sent = AtomicUsize::new(0);
    let ratio = compare(report, |address, goes_on| {
        std::thread::scope(|scope| {
            for (head, body) in &requests {
                scope.spawn(|| {
                    while goes_on.load(Ordering::Relaxed) {
                        pour(address, head, *body);
                        sent.fetch_add(1, Ordering::Relaxed);
                        sleep(PACE);
                    }
                });
            }
        });
    });
    report.line(format!(
        "\nFour attackers, each at most {} times a second: bodies of 1 GiB by length and in chunks, \
         10,000 header lines, a header of 1 MiB; {} requests in all.",
        1000 / PACE.as_millis(),
        sent.into_inner()
    ));
    judge(report, ratio);
}

/// Sends a request, and of its body what is taken.
fn pour(address: &str, head: &str, body: u64) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let piece = vec![b'x'; 64 * 1024];
    let mut left = if stream.write_all(head.as_bytes()).is_ok() { body } else { 0 };
    while left > 0 {
        match stream.write(&piece) {
            Ok(count) => left = left.saturating_sub(count as u64),
            Err(_) => break,
        }
    }
    // Whether it is answered or reset is told by the tests.
    let _ = stream.read(&mut [0; 512]);
}

/// A window's figures.
struct Window {
    rate: f64,
    latencies: Vec<Duration>,
}

impl Window {
    /// The latency that so many of a hundred keep.
    fn percentile(windows: &[Self], of_hundred: usize) -> f64 {
        let all = windows.iter().flat_map(|window| &window.latencies);
        let mut all: Vec<Duration> = all.copied().collect();
        all.sort_unstable();
        all[(all.len() - 1) * of_hundred / 100].as_secs_f64() * 1e3
    }
}

/// Windows with the attack between windows without; the median of the ratios of their rates.
fn compare(report: &mut Report, attack: impl Fn(&str, &AtomicBool) + Sync) -> f64 {
    let site = Site::new();
    let mut command = site.command();
    command.env("VANTA_LOG", "info");
    let vault = Program::start(command, "http");
    let body = json!({"environment": "dev", "key_pattern": "GREETING"});
    let token = vault.token_with(&site, &body);
    // The first window warms up, and is thrown away.
    measure(&vault, &token);

    let mut quiet = vec![measure(&vault, &token)];
    let (mut attacked, mut ratios) = (Vec::new(), Vec::new());
    report.line("| quiet, reads/s | attacked, reads/s | quiet, reads/s | ratio |\n| ---: | ---: | ---: | ---: |");
    for at in 0..ATTACKED {
        let goes_on = AtomicBool::new(true);
        let during = std::thread::scope(|scope| {
            let address = vault.api.strip_prefix("http://").expect("it is http");
            scope.spawn(|| attack(address, &goes_on));
            // The attackers have to be there before it is measured.
            sleep(Duration::from_millis(500));
            let during = measure(&vault, &token);
            goes_on.store(false, Ordering::Relaxed);
            during
        });
        quiet.push(measure(&vault, &token));
        let (before, after) = (quiet[at].rate, quiet[at + 1].rate);
        let ratio = during.rate / f64::midpoint(before, after);
        report.line(format!("| {before:.0} | {:.0} | {after:.0} | {ratio:.2} |", during.rate));
        ratios.push(ratio);
        attacked.push(during);
    }
    let of = |windows: &[Window], at| Window::percentile(windows, at);
    report.line(format!(
        "\nLatency of a read in ms: quiet p50 {:.2}, p99 {:.2}; attacked p50 {:.2}, p99 {:.2}.",
        of(&quiet, 50),
        of(&quiet, 99),
        of(&attacked, 50),
        of(&attacked, 99),
    ));
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// Reads for a window; each answer has to be the value.
fn measure(vault: &Program, token: &str) -> Window {
    let began = Instant::now();
    let read = || {
        let agent = agent();
        let mut latencies = Vec::new();
        while began.elapsed() < WINDOW {
            let asked = Instant::now();
            let read = vault.read(&agent, "dev/GREETING", token).expect("the vault answers");
            assert_eq!(read.status, 200, "{read:?}");
            latencies.push(asked.elapsed());
        }
        latencies
    };
    let latencies = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        let each = readers.into_iter().map(|reader| reader.join().expect("no reader panics"));
        each.flatten().collect::<Vec<_>>()
    });
    let count = u32::try_from(latencies.len()).expect("a window is short");
    Window { rate: f64::from(count) / began.elapsed().as_secs_f64(), latencies }
}

fn judge(report: &mut Report, ratio: f64) {
    let kept = if ratio >= KEPT { "kept" } else { "not kept" };
    report.line(format!(
        "\nGood reads went on at {:.0} % of their rate (the median of the windows): the {:.0} % that \
         are promised are {kept}.",
        ratio * 100.0,
        KEPT * 100.0
    ));
    if ratio < KEPT {
        report.fail();
    }
}
