//! The document of the metrics and the registry agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;

/// A metric as a text of OpenMetrics or a document has it: type and labels, by its scraped name.
type Described = BTreeMap<String, (String, BTreeSet<String>)>;

/// What OpenMetrics text describes.
pub(crate) fn exposed(text: &str) -> Described {
    let mut described = Described::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            family = format!("{name}{suffix}");
            described.insert(family.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((_, rest)) = line.split_once('{')
            && !line.starts_with('#')
        {
            let names = rest.split("=\"").filter_map(|part| part.rsplit(['"', ',', '{']).next());
            let labels = names.filter(|name| !name.is_empty() && !name.starts_with(['}', ' ']));
            let labels = labels.filter(|name| *name != "le" && !name.contains('}'));
            described
                .get_mut(&family)
                .expect("a sample comes after its type")
                .1
                .extend(labels.map(str::to_owned));
        }
    }
    described
}

/// What the tables of docs/metrics.md describe, of the names that begin so.
pub(crate) fn documented(is_wanted: impl Fn(&str) -> bool) -> Described {
    let text = include_str!("../../../../docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `vanta_"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{line}");
        let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`'));
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned).collect();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
    };
    rows.map(row).filter(|(name, _)| is_wanted(name)).collect()
}

#[test]
fn the_document_and_the_vaults_registry_agree() {
    let metrics = Metrics::default();
    metrics.http.answered("/r", 403, Some("out-of-scope"), Duration::ZERO);
    metrics.decisions.attempted("read".to_owned(), "granted".to_owned(), None);
    metrics.decisions.reviewed(Method::Client, Proof::Accepted);
    metrics.sources.reload(Reload::Grants, true);
    metrics.sources.environments([EnvironmentStanding {
        environment: "dev".to_owned(),
        keys: Some(1),
        healthy: true,
        alarms: vec![("rollback", false)],
    }]);
    metrics.sources.alarm("dev", "rollback");
    metrics.sources.loaded("dev", 1);
    metrics.sources.grants(1, 1);
    metrics.sources.certificate_ends(1);
    metrics.state.asked("issue", Duration::ZERO, false);
    let exposed = exposed(&metrics.encode());
    // One of which nothing is seen is not in the text, and must not be missed here.
    assert_eq!(exposed.len(), metrics.registrar.registered(), "{exposed:#?}");
    assert_eq!(exposed, documented(|name| !name.starts_with("vanta_injector_")));
}
