//! HTTPS, with a certificate that changes while the vault runs.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::support::program::{DEADLINE, Program, Site, until};

fn write_certificate(site: &Site) -> Certificate<'static> {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    site.write("tls.crt", &cert.pem());
    site.write("tls.key", &signing_key.serialize_pem());
    Certificate::from_pem(cert.pem().as_bytes()).unwrap()
}

/// The status of a call by a client that trusts this certificate alone.
fn call(vault: &Program, trusted: &Certificate<'static>) -> Result<u16, ureq::Error> {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(std::slice::from_ref(trusted)))
        .unversioned_rustls_crypto_provider(rustls::crypto::ring::default_provider().into())
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(DEADLINE))
        .tls_config(tls)
        .build()
        .into();
    let answer = agent.get(format!("{}/api/v1/access", vault.api)).call()?;
    Ok(answer.status().as_u16())
}

#[test]
fn a_new_certificate_is_served_without_a_restart_and_a_bad_one_is_not() {
    let site = Site::new();
    let first = write_certificate(&site);
    let mut command = site.command();
    command.env("VANTA_TLS_CERT_FILE", site.path("tls.crt"));
    command.env("VANTA_TLS_KEY_FILE", site.path("tls.key"));
    let vault = Program::start(command, "https");
    assert_eq!(call(&vault, &first).unwrap(), 401);
    let metrics = vault.health("/metrics").1;
    let end = metrics.lines().find_map(|line| {
        let value = line.strip_prefix("vanta_certificate_end_timestamp_seconds{} ")?;
        value.parse::<i64>().ok()
    });
    assert!(end.is_some_and(|end| end > 4_000_000_000), "it ends in a far century: {end:?}");

    site.write("tls.crt", "no certificate");
    until("it is logged", || vault.log().contains("stays in use").then_some(()));
    assert_eq!(call(&vault, &first).unwrap(), 401);

    let second = write_certificate(&site);
    until("the new one is served", || (call(&vault, &second).ok()? == 401).then_some(()));
    assert!(call(&vault, &first).is_err(), "the old certificate is still served");
}
