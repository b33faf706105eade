//! The variables that no secret may set, since they change how a program runs.
//!
//! Whoever can name a key in Git could otherwise run code in every process that takes the values.

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
    ("LD_", LOADER),
    ("DYLD_", LOADER),
    ("GCONV_", LIBRARY),
    ("GLIBC_", LIBRARY),
    ("MALLOC_", LIBRARY),
    ("BASH_", SHELL),
    ("PYTHON", RUNTIME),
    ("GIT_CONFIG", HELPER),
    ("GIT_SSH", HELPER),
    ("NPM_CONFIG_", RUNTIME),
    ("VANTA_", VANTA),
];

/// Whole names, in upper case.
const NAMES: &[(&str, &str)] = &[
    ("_JAVA_OPTIONS", RUNTIME),
    ("ALL_PROXY", TRUST),
    ("ASAN_OPTIONS", RUNTIME),
    ("BASHOPTS", SHELL),
    ("BROWSER", HELPER),
    ("BUNDLE_GEMFILE", RUNTIME),
    ("CDPATH", SHELL),
    ("CLASSPATH", RUNTIME),
    ("COR_ENABLE_PROFILING", RUNTIME),
    ("COR_PROFILER_PATH", RUNTIME),
    ("CORECLR_ENABLE_PROFILING", RUNTIME),
    ("CORECLR_PROFILER_PATH", RUNTIME),
    ("CURL_CA_BUNDLE", TRUST),
    ("DOTNET_ADDITIONAL_DEPS", RUNTIME),
    ("DOTNET_STARTUP_HOOKS", RUNTIME),
    ("EDITOR", HELPER),
    ("ENV", SHELL),
    ("ERL_AFLAGS", RUNTIME),
    ("ERL_FLAGS", RUNTIME),
    ("ERL_LIBS", RUNTIME),
    ("ERL_ZFLAGS", RUNTIME),
    ("FPATH", SHELL),
    ("GEM_HOME", RUNTIME),
    ("GEM_PATH", RUNTIME),
    ("GETCONF_DIR", LIBRARY),
    ("GIT_ASKPASS", HELPER),
    ("GIT_EDITOR", HELPER),
    ("GIT_EXEC_PATH", HELPER),
    ("GIT_EXTERNAL_DIFF", HELPER),
    ("GIT_PAGER", HELPER),
    ("GIT_PROXY_COMMAND", HELPER),
    ("GIT_SEQUENCE_EDITOR", HELPER),
    ("GIT_SSL_NO_VERIFY", TRUST),
    ("GIT_TEMPLATE_DIR", HELPER),
    ("GLOBIGNORE", SHELL),
    ("GOFLAGS", RUNTIME),
    ("HOME", PLACE),
    ("HOSTALIASES", LIBRARY),
    ("HTTP_PROXY", TRUST),
    ("HTTPS_PROXY", TRUST),
    ("IFS", SHELL),
    ("INPUTRC", SHELL),
    ("JAVA_HOME", RUNTIME),
    ("JAVA_OPTS", RUNTIME),
    ("JAVA_TOOL_OPTIONS", RUNTIME),
    ("JDK_JAVA_OPTIONS", RUNTIME),
    ("KUBECONFIG", TRUST),
    ("LESSCLOSE", HELPER),
    ("LESSOPEN", HELPER),
    ("LOCALDOMAIN", LIBRARY),
    ("LOCPATH", LIBRARY),
    ("LOGNAME", PLACE),
    ("LUA_CPATH", RUNTIME),
    ("LUA_INIT", RUNTIME),
    ("LUA_PATH", RUNTIME),
    ("MAIL", SHELL),
    ("MAILPATH", SHELL),
    ("MANPAGER", HELPER),
    ("MAVEN_OPTS", RUNTIME),
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
    ("PAGER", HELPER),
    ("PATH", SHELL),
    ("PERL5DB", RUNTIME),
    ("PERL5LIB", RUNTIME),
    ("PERL5OPT", RUNTIME),
    ("PERLIO", RUNTIME),
    ("PERLLIB", RUNTIME),
    ("PHP_INI_SCAN_DIR", RUNTIME),
    ("PHPRC", RUNTIME),
    ("PROMPT_COMMAND", SHELL),
    ("PS1", SHELL),
    ("PS2", SHELL),
    ("PS4", SHELL),
    ("PWD", PLACE),
    ("REQUESTS_CA_BUNDLE", TRUST),
    ("RES_OPTIONS", LIBRARY),
    ("RESOLV_ADD_TRIM_DOMAINS", LIBRARY),
    ("RESOLV_HOST_CONF", LIBRARY),
    ("RUBYLIB", RUNTIME),
    ("RUBYOPT", RUNTIME),
    ("RUSTC_WRAPPER", HELPER),
    ("SHELL", SHELL),
    ("SHELLOPTS", SHELL),
    ("SSH_ASKPASS", HELPER),
    ("SSH_AUTH_SOCK", TRUST),
    ("SSL_CERT_DIR", TRUST),
    ("SSL_CERT_FILE", TRUST),
    ("SUDO_ASKPASS", HELPER),
    ("TMPDIR", PLACE),
    ("TZDIR", LIBRARY),
    ("USER", PLACE),
    ("VISUAL", HELPER),
    ("XDG_CONFIG_HOME", PLACE),
    ("ZDOTDIR", SHELL),
];

/// What the variable does to a program, where it is one that no secret may set.
///
/// Case is ignored: `http_proxy` is read in lower case, and no honest secret is named `Path`.
pub(super) fn danger_of(variable: &str) -> Option<&'static str> {
    let upper = variable.to_ascii_uppercase();
    let by_name = NAMES.iter().find(|(name, _)| *name == upper);
    let by_prefix = || PREFIXES.iter().find(|(prefix, _)| upper.starts_with(prefix));
    by_name.or_else(by_prefix).map(|(_, danger)| *danger)
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
        ] {
            assert_eq!(danger_of(name), None, "{name}");
        }
    }
}
