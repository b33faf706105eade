//! A vault's API with made-up values on a loopback port: what a real one cannot be brought to say.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;
use vanta::contract::api::problem::{MEDIA_TYPE, ProblemKind, TYPE_BASE};

use super::asked::Asked;

/// The one token that it issues.
pub(crate) const TOKEN: &str = "fake.access-token.of-the-vault";
/// The one client's secret that it takes.
pub(crate) const CLIENT_SECRET: &str = "vanta_client_fake-secret-of-the-client";

/// What it answers to everything, in place of what was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Willing,
    Fails(ProblemKind),
    Redirects,
    Babbles,
    /// Willing, but for revocations.
    KeepsTokens,
    /// This status and JSON.
    Says(u16, &'static str),
}

pub(crate) struct FakeVault {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeVault {
    pub(crate) fn with(values: &[(&str, &str)]) -> Self {
        Self::in_mood(Mood::Willing, values)
    }

    pub(crate) fn in_mood(mood: Mood, values: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let values: BTreeMap<String, String> =
            values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away in the middle is its own affair.
                let _ = answer(&stream, mood, &values, &seen);
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no holder panics").clone()
    }

    /// Whether the token was given back.
    pub(crate) fn token_was_revoked(&self) -> bool {
        self.asked().iter().any(|asked| {
            asked.line.starts_with("POST /api/v1/vault/tokens/revoke ")
                && asked.body == format!("token={TOKEN}")
                && asked.authorization == format!("Bearer {TOKEN}")
        })
    }
}

fn answer(
    stream: &TcpStream,
    mood: Mood,
    values: &BTreeMap<String, String>,
    seen: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let asked = Asked::read(stream)?;
    seen.lock().expect("no holder panics").push(asked.clone());
    let target = asked.line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (status, kind, body) = match mood {
        Mood::Fails(problem) => failed(problem),
        Mood::Says(status, body) if status < 400 => (status, "application/json", body.to_owned()),
        Mood::Says(status, body) => (status, MEDIA_TYPE, body.to_owned()),
        Mood::Redirects => (302, "text/plain", String::new()),
        Mood::Babbles => (200, "text/html", "<h1>It works!</h1>".to_owned()),
        Mood::KeepsTokens if path.ends_with("/revoke") => failed(ProblemKind::StateUnavailable),
        Mood::Willing | Mood::KeepsTokens => match path {
            "/api/v1/vault/tokens/generate" => (200, "application/json", issued(&asked.body)),
            "/api/v1/vault/tokens/revoke" => (200, "text/plain", String::new()),
            "/api/v1/vault/dev" if query.contains("values=true") => {
                let body = json!({ "environment": "dev", "values": values });
                (200, "application/json", body.to_string())
            }
            "/api/v1/vault/dev" => {
                let keys: Vec<&String> = values.keys().collect();
                (200, "application/json", json!({ "environment": "dev", "keys": keys }).to_string())
            }
            _ => match path.strip_prefix("/api/v1/vault/dev/").and_then(|key| values.get(key)) {
                Some(value) => (200, "text/plain", value.clone()),
                None => failed(ProblemKind::KeyNotFound),
            },
        },
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nLocation: http://127.0.0.1:1/\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn failed(problem: ProblemKind) -> (u16, &'static str, String) {
    let body = json!({
        "type": format!("{TYPE_BASE}{}", problem.name()),
        "title": problem.title(),
        "status": problem.status(),
        "detail": "made up by a test",
    });
    (problem.status(), MEDIA_TYPE, body.to_string())
}

fn issued(request: &str) -> String {
    let request: serde_json::Value = serde_json::from_str(request).expect("the request is JSON");
    json!({
        "token": TOKEN,
        "token_type": "Bearer",
        "jti": "0123456789abcdef0123456789abcdef",
        "subject": "client:ci",
        "expires_at": "2030-01-01T00:00:00Z",
        "expires_in": 60,
        "scope": {
            "environment": request["environment"],
            "key_pattern": request["key_pattern"],
            "permissions": request["permissions"],
            "granted": {"read": ["*"], "list": ["*"]},
        },
        "usage_limit": request["usage_limit"],
        "clamped": ["ttl_minutes"],
    })
    .to_string()
}
