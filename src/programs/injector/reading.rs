//! Taking in the body of a question, whoever sends it: the port is open to the whole cluster.
//!
//! Invariant: all bodies that are in memory together have at most [`MOST_BYTES`], and one that is
//! read into values makes at most [`MOST_VALUES`] of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;

/// The largest question, in bytes. An object has at most 1.5 MiB in etcd, and a change comes with
/// the object as it was.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The most bytes of all bodies that are held at once.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The most values in a question: a small text can be made of very many.
const MOST_VALUES: usize = 200_000;

/// How long a body may take to arrive; the API server asks for an answer in five seconds.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("a question has at most {} MiB", LARGEST_BODY / 1024 / 1024)]
    TooLarge,
    #[error("a question has at most {MOST_VALUES} values")]
    TooManyValues,
    #[error("other questions take all the memory that there is for them: ask again")]
    Overloaded,
    #[error("the question did not arrive whole in {} seconds", TIMEOUT.as_secs())]
    NotWhole,
}

/// Counts the bytes that are held.
#[derive(Debug, Default)]
pub(super) struct Held(AtomicUsize);

/// A body, whose bytes are counted until it is dropped.
#[derive(Debug)]
pub(super) struct HeldBody {
    bytes: Vec<u8>,
    held: Arc<Held>,
}

impl HeldBody {
    /// What can be read into values without taking very much memory.
    pub(super) fn bytes(&self) -> Result<&[u8], BodyError> {
        if values(&self.bytes) > MOST_VALUES {
            return Err(BodyError::TooManyValues);
        }
        Ok(&self.bytes)
    }

    fn push(&mut self, more: &[u8]) -> Result<(), BodyError> {
        if self.bytes.len() + more.len() > LARGEST_BODY {
            return Err(BodyError::TooLarge);
        }
        let before = self.held.0.fetch_add(more.len(), Ordering::Relaxed);
        if before + more.len() > MOST_BYTES {
            self.held.0.fetch_sub(more.len(), Ordering::Relaxed);
            return Err(BodyError::Overloaded);
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Held {
    /// Takes in a whole body. Whoever sends slowly holds what was sent, and nothing more.
    pub(super) async fn read(self: &Arc<Self>, body: Body) -> Result<HeldBody, BodyError> {
        self.read_within(TIMEOUT, body).await
    }

    async fn read_within(
        self: &Arc<Self>,
        time: Duration,
        body: Body,
    ) -> Result<HeldBody, BodyError> {
        let mut whole = HeldBody { bytes: Vec::new(), held: Arc::clone(self) };
        let mut parts = body.into_data_stream();
        let arrived = async {
            while let Some(part) = parts.next().await {
                whole.push(&part.map_err(|_| BodyError::NotWhole)?)?;
            }
            Ok(())
        };
        tokio::time::timeout(time, arrived).await.map_err(|_| BodyError::NotWhole)??;
        Ok(whole)
    }
}

/// How many values a JSON text has at most: one, and one more for each comma and each opening
/// bracket outside strings.
fn values(text: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(held: &Held) -> usize {
        held.0.load(Ordering::Relaxed)
    }

    #[test]
    fn values_are_counted_outside_strings() {
        for (text, expected) in
            [("1", 1), ("[1,2]", 3), (r#"{"a,[": "b,\"{,", "c": []}"#, 4), (r#"["\\",1]"#, 3)]
        {
            assert_eq!(values(text.as_bytes()), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_body_is_held_until_it_is_dropped() {
        let all = Arc::new(Held::default());
        let body = all.read(Body::from("{}")).await.unwrap();
        assert_eq!((body.bytes(), held(&all)), (Ok(&b"{}"[..]), 2));
        drop(body);
        assert_eq!(held(&all), 0);
    }

    #[tokio::test]
    async fn too_much_is_refused_and_leaves_nothing_held() {
        let all = Arc::new(Held::default());
        let large = all.read(Body::from(vec![b' '; LARGEST_BODY + 1])).await;
        assert_eq!(large.unwrap_err(), BodyError::TooLarge);
        let many = all.read(Body::from(vec![b'['; MOST_VALUES])).await.unwrap();
        assert_eq!(many.bytes(), Err(BodyError::TooManyValues));
        drop(many);
        assert_eq!(held(&all), 0);
        let mut bodies = Vec::new();
        for _ in 0..MOST_BYTES / LARGEST_BODY {
            bodies.push(all.read(Body::from(vec![b' '; LARGEST_BODY])).await.unwrap());
        }
        assert_eq!(all.read(Body::from("{}")).await.unwrap_err(), BodyError::Overloaded);
        bodies.pop();
        all.read(Body::from("{}")).await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_let_go() {
        let all = Arc::new(Held::default());
        let silent = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, String>>());
        assert_eq!(all.read_within(Duration::ZERO, silent).await.unwrap_err(), BodyError::NotWhole);
        let broken = futures_util::stream::iter([Ok(vec![b' ']), Err("broken")]);
        let broken = all.read(Body::from_stream(broken)).await;
        assert_eq!(broken.unwrap_err(), BodyError::NotWhole);
        assert_eq!(held(&all), 0);
    }
}
