//! The variables that no secret may set, since they change how a program runs.
//!
//! Whoever can name a key in Git could otherwise run code in every process that takes the values.
//! The list cannot be complete, since any program may read any variable: a narrow key pattern
//! and the file form are the better protection.

const LOADER: &str = "tells the dynamic loader what code to run";
const LIBRARY: &str = "changes what the C library does";
const SHELL: &str = "changes what a shell runs";
const RUNTIME: &str = "makes a language's runtime load other code";
const HELPER: &str = "names a program that others start";
const PLACE: &str = "changes whom or where a program believes itself to be";
const TRUST: &str = "changes whom a program trusts or connects through";
const VANTA: &str = "configures VANTA itself";

/// Beginnings of names, in upper case.
const PREFIXES: &[(&str, &str)] = &[
    ("AWKLIB", RUNTIME),
    ("AWKPATH", RUNTIME),
    ("BASH_", SHELL),
    ("COMPLUS_", RUNTIME),
    ("CORECLR_", RUNTIME),
    ("COR_", RUNTIME),
    ("DOTNET_", RUNTIME),
    ("DYLD_", LOADER),
    ("GCONV_", LIBRARY),
    ("GIO_", RUNTIME),
    ("GLIBC_", LIBRARY),
    ("GTK_", RUNTIME),
    ("JULIA_", RUNTIME),
    ("LD_", LOADER),
    ("LUA_CPATH", RUNTIME),
    ("LUA_INIT", RUNTIME),
    ("LUA_PATH", RUNTIME),
    ("MALLOC_", LIBRARY),
    ("ODBC", RUNTIME),
    ("PYTHON", RUNTIME),
    ("QT_", RUNTIME),
    ("RUSTC", HELPER),
    ("RUSTDOC", HELPER),
    ("R_ENVIRON", RUNTIME),
    ("R_PROFILE", RUNTIME),
    ("TERMINFO", LIBRARY),
    ("VANTA_", VANTA),
    ("XDG_", PLACE),
];

/// Ends of names, in upper case.
const SUFFIXES: &[(&str, &str)] =
    &[("PAGER", HELPER), ("SAN_OPTIONS", RUNTIME), ("_EDITOR", HELPER)];

/// Beginnings of the names that configure a tool, in upper case. What ends as a credential does
/// is let through: `CARGO_REGISTRY_TOKEN` is what a secret is for.
const TOOLS: &[(&str, &str)] = &[
    ("CARGO_", HELPER),
    ("GIT_", HELPER),
    ("NPM_CONFIG_", RUNTIME),
    ("PIP_", TRUST),
    ("RUSTUP_", HELPER),
    ("SUDO_", HELPER),
    ("YARN_", TRUST),
];

/// How the names of credentials end, in upper case.
const CREDENTIALS: &[&str] = &["_PASSWORD", "_SECRET", "_SECRET_KEY", "_TOKEN"];

/// Whole names, in upper case.
const NAMES: &[(&str, &str)] = &[
    ("ALL_PROXY", TRUST),
    ("AWS_CONFIG_FILE", HELPER),
    ("AWS_SHARED_CREDENTIALS_FILE", HELPER),
    ("BASHOPTS", SHELL),
    ("BROWSER", HELPER),
    ("BUNDLE_GEMFILE", RUNTIME),
    ("CC", HELPER),
    ("CDPATH", SHELL),
    ("CLASSPATH", RUNTIME),
    ("CURL_CA_BUNDLE", TRUST),
    ("CURL_HOME", HELPER),
    ("CVS_RSH", HELPER),
    ("CXX", HELPER),
    ("DOCKER_CERT_PATH", TRUST),
    ("DOCKER_CONFIG", HELPER),
    ("DOCKER_HOST", TRUST),
    ("EDITOR", HELPER),
    ("ENV", SHELL),
    ("ERL_AFLAGS", RUNTIME),
    ("ERL_FLAGS", RUNTIME),
    ("ERL_LIBS", RUNTIME),
    ("ERL_ZFLAGS", RUNTIME),
    ("EXINIT", HELPER),
    ("FPATH", SHELL),
    ("FTP_PROXY", TRUST),
    ("GEM_HOME", RUNTIME),
    ("GEM_PATH", RUNTIME),
    ("GETCONF_DIR", LIBRARY),
    ("GLOBIGNORE", SHELL),
    ("GNUPGHOME", TRUST),
    ("GOENV", HELPER),
    ("GOFLAGS", RUNTIME),
    ("GOPROXY", TRUST),
    ("GOROOT", HELPER),
    ("GOTOOLCHAIN", HELPER),
    ("GRADLE_OPTS", RUNTIME),
    ("HELM_PLUGINS", HELPER),
    ("HOME", PLACE),
    ("HOSTALIASES", LIBRARY),
    ("HTTPS_PROXY", TRUST),
    ("HTTP_PROXY", TRUST),
    ("IFS", SHELL),
    ("INPUTRC", SHELL),
    ("JAVA_HOME", RUNTIME),
    ("JAVA_OPTS", RUNTIME),
    ("JAVA_TOOL_OPTIONS", RUNTIME),
    ("JDK_JAVA_OPTIONS", RUNTIME),
    ("KRB5_CONFIG", TRUST),
    ("KUBECONFIG", TRUST),
    ("LD", HELPER),
    ("LESS", HELPER),
    ("LESSCLOSE", HELPER),
    ("LESSOPEN", HELPER),
    ("LOCALDOMAIN", LIBRARY),
    ("LOCPATH", LIBRARY),
    ("LOGNAME", PLACE),
    ("MAIL", SHELL),
    ("MAILPATH", SHELL),
    ("MAKEFILES", HELPER),
    ("MAKEFLAGS", HELPER),
    ("MAVEN_OPTS", RUNTIME),
    ("MFLAGS", HELPER),
    ("NIS_PATH", LIBRARY),
    ("NLSPATH", LIBRARY),
    ("NODE_EXTRA_CA_CERTS", TRUST),
    ("NODE_OPTIONS", RUNTIME),
    ("NODE_PATH", RUNTIME),
    ("NODE_TLS_REJECT_UNAUTHORIZED", TRUST),
    ("NO_PROXY", TRUST),
    ("OLDPWD", PLACE),
    ("OPENSSL_CONF", RUNTIME),
    ("OPENSSL_ENGINES", RUNTIME),
    ("OPENSSL_MODULES", RUNTIME),
    ("PATH", SHELL),
    ("PERL5DB", RUNTIME),
    ("PERL5LIB", RUNTIME),
    ("PERL5OPT", RUNTIME),
    ("PERLIO", RUNTIME),
    ("PERLLIB", RUNTIME),
    ("PGSERVICEFILE", TRUST),
    ("PGSYSCONFDIR", TRUST),
    ("PHPRC", RUNTIME),
    ("PHP_INI_SCAN_DIR", RUNTIME),
    ("PROMPT_COMMAND", SHELL),
    ("PS0", SHELL),
    ("PS1", SHELL),
    ("PS2", SHELL),
    ("PS4", SHELL),
    ("PSQLRC", HELPER),
    ("PWD", PLACE),
    ("REQUESTS_CA_BUNDLE", TRUST),
    ("RESOLV_ADD_TRIM_DOMAINS", LIBRARY),
    ("RESOLV_HOST_CONF", LIBRARY),
    ("RES_OPTIONS", LIBRARY),
    ("RSYNC_RSH", HELPER),
    ("RUBYLIB", RUNTIME),
    ("RUBYOPT", RUNTIME),
    ("RUSTFLAGS", HELPER),
    ("SASL_PATH", RUNTIME),
    ("SHELL", SHELL),
    ("SHELLOPTS", SHELL),
    ("SSH_ASKPASS", HELPER),
    ("SSH_AUTH_SOCK", TRUST),
    ("SSLKEYLOGFILE", TRUST),
    ("SSL_CERT_DIR", TRUST),
    ("SSL_CERT_FILE", TRUST),
    ("SVN_SSH", HELPER),
    ("TAR_OPTIONS", HELPER),
    ("TMPDIR", PLACE),
    ("TZDIR", LIBRARY),
    ("USER", PLACE),
    ("VIMINIT", HELPER),
    ("VISUAL", HELPER),
    ("WGETRC", HELPER),
    ("ZDOTDIR", SHELL),
    ("_JAVA_OPTIONS", RUNTIME),
];

/// What the variable does to a program, where it is one that no secret may set.
///
/// Case is ignored: `http_proxy` is read in lower case, and no honest secret is named `Path`.
pub(super) fn danger_of(variable: &str) -> Option<&'static str> {
    let upper = variable.to_ascii_uppercase();
    let by_name = NAMES.iter().find(|(name, _)| *name == upper);
    let by_prefix = || PREFIXES.iter().find(|(prefix, _)| upper.starts_with(prefix));
    let by_suffix = || SUFFIXES.iter().find(|(suffix, _)| upper.ends_with(suffix));
    let is_credential = || CREDENTIALS.iter().any(|end| upper.ends_with(end));
    let by_tool = || TOOLS.iter().find(|(prefix, _)| upper.starts_with(prefix) && !is_credential());
    by_name.or_else(by_prefix).or_else(by_suffix).or_else(by_tool).map(|(_, danger)| *danger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_run_code_are_dangerous() {
        for name in [
            "LD_PRELOAD",
            "LD_AUDIT",
            "DYLD_INSERT_LIBRARIES",
            "PATH",
            "IFS",
            "ENV",
            "BASH_ENV",
            "SHELLOPTS",
            "PS4",
            "PROMPT_COMMAND",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PERL5OPT",
            "RUBYOPT",
            "NODE_OPTIONS",
            "JAVA_TOOL_OPTIONS",
            "_JAVA_OPTIONS",
            "GLIBC_TUNABLES",
            "GCONV_PATH",
            "MALLOC_CHECK_",
            "HOME",
            "VANTA_ADDR",
            "GIT_SSH_COMMAND",
            "http_proxy",
            "TAR_OPTIONS",
            "MAKEFLAGS",
            "LUA_INIT_5_4",
            "CORECLR_PROFILER_PATH_64",
            "XDG_CONFIG_DIRS",
            "AWS_CONFIG_FILE",
            "SSLKEYLOGFILE",
            "GIT_EXTERNAL_DIFF",
            "GIT_ALLOW_PROTOCOL",
            "GIT_SEQUENCE_EDITOR",
            "CARGO_BUILD_RUSTC_WRAPPER",
            "CARGO_REGISTRIES_MINE_INDEX",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
            "PIP_INDEX_URL",
            "npm_config_registry",
            "YARN_RC_FILENAME",
            "SUDO_ASKPASS",
            "BAT_PAGER",
            "PAGER",
            "KUBE_EDITOR",
            "EDITOR",
            "VISUAL",
            "HWASAN_OPTIONS",
            "ASAN_OPTIONS",
            "LESSOPEN",
            "PSQLRC",
            "MAKEFILES",
            "PS0",
            "VIMINIT",
            "RSYNC_RSH",
            "LUA_CPATH_5_4",
            "COMPlus_Profiler",
            "DOTNET_STARTUP_HOOKS",
            "GRADLE_OPTS",
            "R_PROFILE_USER",
            "JULIA_LOAD_PATH",
            "AWKPATH",
            "GOFLAGS",
            "AWS_SHARED_CREDENTIALS_FILE",
            "DOCKER_HOST",
            "GNUPGHOME",
            "WGETRC",
            "KRB5_CONFIG",
            "ODBCSYSINI",
            "GTK_MODULES",
            "GIO_EXTRA_MODULES",
            "QT_PLUGIN_PATH",
            "SASL_PATH",
            "PGSERVICEFILE",
            "SSL_CERT_FILE",
            "OPENSSL_MODULES",
            "all_proxy",
            "KUBECONFIG",
            "HELM_PLUGINS",
            "SSH_ASKPASS",
            "BROWSER",
            "TERMINFO_DIRS",
            "NLSPATH",
            "TZDIR",
            // Ours are no secret's to set, however they end.
            "VANTA_TOKEN",
        ] {
            assert!(danger_of(name).is_some(), "{name} was let through");
        }
    }

    #[test]
    fn the_names_that_secrets_have_are_not() {
        for name in [
            "DB_PASS",
            "DATABASE_URL",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "NODE_ENV",
            "APP_ENV",
            "PGPASSWORD",
            "NPM_TOKEN",
            "USERNAME",
            "MAIL_PASSWORD",
            "PATH_TO_KEY",
            "AWS_ACCESS_KEY_ID",
            "CARGO_REGISTRY_TOKEN",
            "DOCKER_PASSWORD",
            "LICENSE",
            "CARGO_REGISTRIES_MINE_TOKEN",
            "CARGO_REGISTRY_SECRET_KEY",
            "YARN_NPM_AUTH_TOKEN",
            "GIT_TOKEN",
            "GIT_PASSWORD",
            "SUDO_PASSWORD",
            "PAGERDUTY_TOKEN",
            "PIPELINE_KEY",
            "GITLAB_TOKEN",
            "EDITOR_LICENSE",
            "DOCKER_AUTH_CONFIG",
            "GOOGLE_API_KEY",
            "AWS_SESSION_TOKEN",
            "REDIS_URL",
        ] {
            assert_eq!(danger_of(name), None, "{name}");
        }
    }
}
