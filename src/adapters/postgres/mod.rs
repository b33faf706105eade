//! How a vault connects to PostgreSQL, whatever it keeps there.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// The URL is not one of PostgreSQL. It may hold a password, so it is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the database is not postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
pub struct InvalidUrl;

/// Connections to the database of a URL, under a name by which its administrator knows them. The
/// server gives up a statement after so many milliseconds, also where nobody waits for it any more.
pub fn connect_options(
    url: &str,
    name: &str,
    statement_timeout: u32,
) -> Result<PgConnectOptions, InvalidUrl> {
    let options = PgConnectOptions::from_str(url).map_err(|_| InvalidUrl)?;
    // `synchronous_commit`: what was answered on is not forgotten when the server fails. The
    // others let a server find out in time that a vault is gone whose connection nobody closed.
    Ok(options.application_name(name).options([
        ("statement_timeout", statement_timeout.to_string().as_str()),
        ("synchronous_commit", "on"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
    ]))
}
