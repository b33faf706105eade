//! A key service of the test's, which writes down what it is told, behind a program that takes the
//! place of sops.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Response};
use h2::RecvStream;
use h2::server::SendResponse;
use tempfile::TempDir;

/// What it answers.
#[derive(Clone)]
pub(super) enum Says {
    /// This plaintext.
    Plaintext(Vec<u8>),
    /// These bytes as they are, in a call that went well.
    Bytes(Vec<u8>),
    /// That it could not, in the trailers.
    Failure(&'static str),
    Nothing,
    /// Nothing where the request holds this text, else this plaintext.
    NothingOf(&'static str, Vec<u8>),
    /// That it could not, and that after a while, where the request holds this text, else this
    /// plaintext.
    LateOf(&'static str, Duration, Vec<u8>),
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

pub(super) struct FakeService {
    folder: TempDir,
    calls: Arc<Mutex<Vec<Call>>>,
    says: Arc<Mutex<Says>>,
}

impl FakeService {
    pub(super) fn new(says: Says) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let service = Self { calls: Arc::default(), says: Arc::new(Mutex::new(says)), folder };
        let socket = service.folder.path().join("socket");
        let started = service.started_file();
        // What it says on its standard output and error is for nobody.
        let script = format!(
            "#!/bin/sh\necho hunter2-out; echo hunter2-err >&2\necho started >> '{}'\n/bin/ln -s '{}' \"$5\"\nexec /bin/sleep 1000\n",
            started.display(),
            socket.display()
        );
        fs::write(service.program(), script).unwrap();
        fs::set_permissions(service.program(), fs::Permissions::from_mode(0o755)).unwrap();
        let (calls, says) = (Arc::clone(&service.calls), Arc::clone(&service.says));
        thread::spawn(move || serve(listener, &calls, &says));
        service
    }

    /// What is started in the place of sops.
    pub(super) fn program(&self) -> PathBuf {
        self.folder.path().join("sops")
    }

    fn started_file(&self) -> PathBuf {
        self.folder.path().join("started")
    }

    /// How often it was started.
    pub(super) fn starts(&self) -> usize {
        fs::read_to_string(self.started_file()).map_or(0, |text| text.lines().count())
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(super) fn now_says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn serve(listener: UnixListener, calls: &Arc<Mutex<Vec<Call>>>, says: &Arc<Mutex<Says>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let (calls, says) = (Arc::clone(calls), Arc::clone(says));
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    let (head, body) = request.into_parts();
                    let (calls, says) = (Arc::clone(&calls), Arc::clone(&says));
                    let headers = head.headers.iter().map(|(name, value)| {
                        (name.to_string(), value.to_str().unwrap().to_owned())
                    });
                    let (path, headers) = (head.uri.path().to_owned(), headers.collect());
                    tokio::spawn(async move {
                        let body = whole(body).await;
                        let holds = |text: &str| {
                            body.windows(text.len()).any(|part| part == text.as_bytes())
                        };
                        let says = says.lock().unwrap().clone();
                        let (says, late) = match says {
                            Says::NothingOf(text, _) if holds(text) => (Says::Nothing, None),
                            Says::LateOf(text, late, _) if holds(text) => {
                                (Says::Failure("permission denied"), Some(late))
                            }
                            Says::NothingOf(_, plaintext) | Says::LateOf(_, _, plaintext) => {
                                (Says::Plaintext(plaintext), None)
                            }
                            says => (says, None),
                        };
                        calls.lock().unwrap().push(Call { path, headers, body });
                        tokio::time::sleep(late.unwrap_or_default()).await;
                        answer(respond, says).await;
                    });
                }
            });
        }
    });
}

async fn whole(mut body: RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    bytes
}

async fn answer(mut respond: SendResponse<Bytes>, says: Says) {
    let (body, status, message) = match says {
        Says::Plaintext(plaintext) => {
            let mut message = vec![0x0a, u8::try_from(plaintext.len()).unwrap()];
            message.extend(plaintext);
            let mut framed = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
            framed.extend(message);
            (framed, "0", "")
        }
        Says::Bytes(bytes) => (bytes, "0", ""),
        Says::Failure(message) => (Vec::new(), "2", message),
        Says::Nothing | Says::NothingOf(..) | Says::LateOf(..) => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
    };
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    // Whoever has asked may be gone.
    let Ok(mut stream) = respond.send_response(head, false) else { return };
    let _ = stream.send_data(Bytes::from(body), false);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", message.parse().unwrap());
    let _ = stream.send_trailers(trailers);
}
