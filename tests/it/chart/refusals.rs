//! Values with which nothing would work: the chart renders none of them.

use super::{helm, render};

#[test]
fn what_cannot_work_is_refused_in_words() {
    let Some(helm) = helm() else { return };
    for (values, reason) in [
        ("vault.replicas=2", "more than one vault needs PostgreSQL"),
        ("vault.signingKey.existingSecret=vanta-signing-key", "give your own another name"),
        ("vault.ageIdentities.sharedKey=all.txt", "of the environment by that name"),
        ("vault.ageIdentities.existingSecret=,vault.ageIdentities.sharedKey=a", "set both"),
        ("vault.masterKeys.allowed={hckms:r:1-2}", "the default image holds no sops"),
        ("vault.replica=1", "additional properties 'replica' not allowed"),
        ("vault.sopsAllow={everything}", "value must be one of 'plain-values'"),
        ("vault.authorship.environmentLeaf=some", "value must be one of 'never'"),
        ("vault.authorship.rollback=refuse", "value must be one of 'alarm'"),
        ("vault.authorship.acceptRollback={prod}", "does not match pattern"),
        ("vault.authorship.trustedSigners=x", "additional properties 'trustedSigners' not allowed"),
        ("injector.replicas=0", "minimum: got 0, want 1"),
        ("image.pullPolicy=never", "value must be one of 'Always'"),
    ] {
        let refused = render(helm, &["--set", values]).unwrap_err();
        assert!(refused.contains(reason), "{values}: {refused}");
    }
}
