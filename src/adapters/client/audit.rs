//! The calls about the audit, which administrators make.

use serde::Serialize;

use super::exchange::Part;
use super::{ClientError, Credential, VaultClient, parse};
use crate::contract::api::BASE_PATH;
use crate::contract::api::audit::{
    AuditCheckpoints, AuditPage, AuditQuery, CheckpointsQuery, FormatWanted, LAST_CURSOR, NDJSON,
    NEXT_CURSOR,
};

/// Lines of the audit.
pub struct AuditLines {
    /// Without newlines.
    pub lines: Vec<String>,
    /// The cursor of the next page, where there is more.
    pub next: Option<u64>,
    /// The cursor of this page's end.
    pub last: Option<u64>,
}

impl VaultClient {
    /// `GET /api/v1/audit`: a page of entries.
    pub fn audit(
        &self,
        identity: &Credential,
        query: &AuditQuery,
    ) -> Result<AuditPage, ClientError> {
        let query = AuditQuery { format: Some(FormatWanted::Json), ..query.clone() };
        let (path, query) = (format!("{BASE_PATH}/audit"), pairs(&query));
        let accept = "application/json";
        parse(&self.exchange.get(&path, &borrowed(&query), &identity.header(), accept)?)
    }

    /// `GET /api/v1/audit`: a page of lines, exactly as they were written.
    pub fn audit_lines(
        &self,
        identity: &Credential,
        query: &AuditQuery,
    ) -> Result<AuditLines, ClientError> {
        let query = AuditQuery { format: Some(FormatWanted::Lines), ..query.clone() };
        let (path, query) = (format!("{BASE_PATH}/audit"), pairs(&query));
        let (header, query) = (identity.header(), borrowed(&query));
        let cursors = [NEXT_CURSOR, LAST_CURSOR];
        let Part { body, next, last } =
            self.exchange.get_part(&path, &query, &header, NDJSON, cursors)?;
        let text = str::from_utf8(&body).map_err(|_| ClientError::Protocol {
            what: "the lines of the audit are not UTF-8".to_owned(),
        })?;
        let lines = text.split_terminator('\n').map(str::to_owned).collect();
        Ok(AuditLines { lines, next, last })
    }

    /// `GET /api/v1/audit/checkpoints`: a page of signed heads.
    pub fn audit_checkpoints(
        &self,
        identity: &Credential,
        query: &CheckpointsQuery,
    ) -> Result<AuditCheckpoints, ClientError> {
        let (path, query) = (format!("{BASE_PATH}/audit/checkpoints"), pairs(query));
        let accept = "application/json";
        parse(&self.exchange.get(&path, &borrowed(&query), &identity.header(), accept)?)
    }
}

/// The parameters of a query that are there.
fn pairs(query: &impl Serialize) -> Vec<(String, String)> {
    let query = serde_json::to_value(query).expect("a query holds only text and numbers");
    let query = query.as_object().into_iter().flatten().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    });
    query.collect()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
