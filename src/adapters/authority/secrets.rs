//! The Secrets that hold certificates, each by its name.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use zeroize::{Zeroize as _, Zeroizing};

use crate::adapters::kubernetes::{ClusterError, ask};
use crate::domain::system::{INJECTOR, MADE_BY_INJECTOR};

/// The type of a Secret of a certificate, which has at least `tls.crt` and `tls.key`.
const TYPE: &str = "kubernetes.io/tls";

/// What a Secret holds: text by key, some of it private.
pub type SecretData = BTreeMap<&'static str, Zeroizing<String>>;

/// A Secret as the API server has it. The library's type for bytes does not erase itself, so that
/// this one does it.
pub struct StoredSecret(Secret);

impl Drop for StoredSecret {
    fn drop(&mut self) {
        self.erase();
    }
}

impl StoredSecret {
    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.0.data.as_ref()?.get(key).map(|value| value.0.as_slice())
    }

    fn erase(&mut self) {
        let values = self.0.data.iter_mut().flat_map(BTreeMap::values_mut);
        values.for_each(|value| value.0.zeroize());
    }

    fn put(&mut self, data: SecretData) {
        self.erase();
        // The text becomes the bytes, of which there is no copy.
        let data = data.into_iter().map(|(key, mut text)| {
            (key.to_owned(), ByteString(std::mem::take(&mut *text).into_bytes()))
        });
        self.0.data = Some(data.collect());
    }
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Done,
    /// Another was faster: it has to be read again.
    Raced,
}

/// The Secrets of one namespace.
#[derive(Clone)]
pub struct Secrets {
    api: Api<Secret>,
    /// Told apart from that of other replicas.
    creator: String,
}

impl Secrets {
    /// Of this namespace. It fails where no random bytes can be had: two replicas could create as
    /// one, and the second would win.
    pub fn new(client: Client, namespace: &str) -> Result<Self, getrandom::Error> {
        let unique = getrandom::u64()?;
        let creator = format!("{INJECTOR}-{unique:016x}");
        Ok(Self { api: Api::namespaced(client, namespace), creator })
    }

    /// A Secret, where there is one.
    pub async fn read(&self, name: &str) -> Result<Option<StoredSecret>, ClusterError> {
        let found = ask(&format!("get secrets/{name}"), self.api.get_opt(name)).await?;
        Ok(found.map(StoredSecret))
    }

    /// Makes a Secret that is not there.
    ///
    /// It is applied and not posted, so that the right to create can be bound to its name; applied
    /// by a name of our own and without force, it fails where another replica's is there already.
    pub async fn create(&self, name: &str, data: SecretData) -> Result<Written, ClusterError> {
        let labels = MADE_BY_INJECTOR.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut secret = StoredSecret(Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            type_: Some(TYPE.to_owned()),
            ..Secret::default()
        });
        secret.put(data);
        let apply = Patch::Apply(&secret.0);
        let params = PatchParams::apply(&self.creator);
        let patched = self.api.patch(name, &params, &apply);
        written(ask(&format!("create secrets/{name}"), patched).await, &[409])
    }

    /// Puts other data into a Secret that nobody has changed since it was read.
    pub async fn replace(
        &self,
        name: &str,
        mut stored: StoredSecret,
        data: SecretData,
    ) -> Result<Written, ClusterError> {
        stored.put(data);
        let params =
            PostParams { field_manager: Some(INJECTOR.to_owned()), ..PostParams::default() };
        let replaced = self.api.replace(name, &params, &stored.0);
        // It may have been deleted meanwhile.
        written(ask(&format!("update secrets/{name}"), replaced).await, &[404, 409])
    }
}

/// What became of a write, where these codes say that another was faster.
fn written(answer: Result<Secret, ClusterError>, raced: &[u16]) -> Result<Written, ClusterError> {
    match answer.map(StoredSecret) {
        Ok(_) => Ok(Written::Done),
        Err(error) if error.code().is_some_and(|code| raced.contains(&code)) => Ok(Written::Raced),
        Err(error) => Err(error),
    }
}
