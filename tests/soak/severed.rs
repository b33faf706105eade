//! What a vault does that hears nothing of its API server, and then hears of it again.

use std::time::Instant;

use serde_json::json;

use crate::kubectl::{apply, kubectl};
use crate::report::Report;
use crate::support::program::{Program, Site, agent};
use crate::support::service::GRANTS;
use crate::until;
use crate::wire::Wire;

/// After how many seconds of silence nothing is read; five minutes where nothing is said.
const NOTHING_IS_READ_AFTER: &str = "120";

/// A real API server behind a wire that is cut: no token is issued, later nothing is read, nothing
/// is told from old grants, and all goes on once there is news.
pub(crate) fn severed(report: &mut Report) {
    kubectl(&["apply", "-f", "crds/"]).expect("the kinds can be made");
    for kind in ["secretaccesses", "secretpolicies"] {
        let kind = format!("crd/{kind}.vanta.dev");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", &kind];
        kubectl(&wait).expect("the kinds are served");
    }
    apply(GRANTS).expect("the grants can be made");

    let (server, kubeconfig) = kubeconfig();
    let wire = Wire::to(&server);
    let site = Site::new();
    site.write("kubeconfig", &kubeconfig.replace(&server, &wire.address()));
    let mut command = site.command();
    command
        .env_remove("VANTA_ACCESS_PATH")
        .env("VANTA_KUBERNETES", "true")
        .env("VANTA_GRANTS_STALE_AFTER", NOTHING_IS_READ_AFTER)
        .env("VANTA_LOG", "info")
        .env("KUBECONFIG", site.path("kubeconfig"));
    let vault = Program::start(command, "http");
    let wanted = json!({
        "environment": "dev", "key_pattern": "APP_*", "permissions": ["read", "list"],
    });
    let issue = || vault.generate(&site, &wanted);
    until("a token is issued", || issue().0 == 200);
    let token = vault.token(&site, "APP_*");
    let agent = agent();
    let read = || vault.read(&agent, "dev/APP_DB_USER", &token).expect("the vault answers");
    assert_eq!(read().status, 200);

    wire.cut();
    let began = Instant::now();
    kubectl(&["-n", "default", "delete", "secretaccess", "app"]).expect("the grant can be taken");
    until("no token is issued", || issue().0 != 200);
    let not_issued = began.elapsed();
    let (status, answer) = issue();
    assert_eq!((status, &answer["type"]), (503, &"https://vanta.dev/problems/grants-stale".into()));
    assert_eq!(read().status, 200, "a token that lives reads for as long as is configured");
    until("nothing is read", || read().status != 200);
    let not_read = began.elapsed();
    let refused = read();
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.text.contains("grants-stale"), "{refused:?}");

    wire.mend();
    let began = Instant::now();
    until("what was taken meanwhile is known", || read().status == 403);
    let known = began.elapsed();
    apply(GRANTS).expect("the grants can be made");
    let began = Instant::now();
    until("all goes on", || read().status == 200 && issue().0 == 200);
    report.line(format!(
        "With a real API server cut off (its bytes held, no connection closed), and \
         VANTA_GRANTS_STALE_AFTER={NOTHING_IS_READ_AFTER}: no token was issued from {:.0} s on, \
         and nothing was read from {:.0} s on, both with 503 and `grants-stale`. A grant that was \
         taken away meanwhile was known {:.1} s after the wire was mended; given again, it was \
         used {:.1} s later.",
        not_issued.as_secs_f64(),
        not_read.as_secs_f64(),
        known.as_secs_f64(),
        began.elapsed().as_secs_f64(),
    ));
}

/// Where the API server of the cluster that runs is, as `HOST:PORT`, and the kubeconfig.
#[expect(clippy::disallowed_methods, reason = "a run is told where the cluster is")]
fn kubeconfig() -> (String, String) {
    let file = std::env::var_os("KUBECONFIG").expect("it runs inside a cluster");
    let text = std::fs::read_to_string(file).expect("the kubeconfig is there");
    let (_, server) = text.split_once("https://").expect("it names the API server");
    let end = server.find(|sign: char| sign != '.' && sign != ':' && !sign.is_ascii_digit());
    let server = server[..end.expect("it names more")].to_owned();
    (server, text)
}
