//! `exeat credentials`: what lets Exeat read a Secret, without a cluster.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use exeat_api::objects::{CONTROL_WORKLOAD, SYSTEM_NAMESPACE};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Print the Role and the RoleBinding by which Exeat may read Secrets of a namespace
    #[command(
        after_help = "Example:\n  exeat credentials allow model-keys -n agents | kubectl apply -f -"
    )]
    Allow(AllowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AllowArgs {
    /// Names of the Secrets
    #[arg(required = true, value_name = "SECRET")]
    secrets: Vec<String>,
    /// Their namespace
    #[arg(long, short)]
    namespace: String,
    /// The namespace that Exeat is in
    #[arg(long, default_value = SYSTEM_NAMESPACE)]
    system_namespace: String,
}

pub(crate) fn run(command: &CredentialsCommand) -> Result<ExitCode> {
    let CredentialsCommand::Allow(args) = command;
    print!("{}", allow(args)?);
    Ok(ExitCode::SUCCESS)
}

/// YAML. Names are checked, so that none of them is more than a name in it.
fn allow(args: &AllowArgs) -> Result<String> {
    let named = [&args.namespace, &args.system_namespace];
    for name in args.secrets.iter().chain(named) {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = |byte: Option<u8>| byte.is_some_and(plain);
        let inner = name.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'.'));
        if !inner || !ends(name.bytes().next()) || !ends(name.bytes().last()) || name.len() > 253 {
            bail!("{name:?} is no name of an object");
        }
    }
    let quoted: Vec<String> = args.secrets.iter().map(|name| format!("{name:?}")).collect();
    let (namespace, system) = (&args.namespace, &args.system_namespace);
    let name = "exeat-credentials";
    Ok(format!(
        "# Lets Exeat read these Secrets for the AgentPolicies of this namespace.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}, namespace: {namespace:?}}}
rules:
  - apiGroups: [\"\"]
    resources: [secrets]
    resourceNames: [{}]
    verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: {namespace:?}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects:
  - {{kind: ServiceAccount, name: {CONTROL_WORKLOAD}, namespace: {system:?}}}
",
        quoted.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(secret: &str) -> AllowArgs {
        AllowArgs {
            secrets: vec![secret.to_owned(), "other".to_owned()],
            namespace: "agents".to_owned(),
            system_namespace: SYSTEM_NAMESPACE.to_owned(),
        }
    }

    #[test]
    fn the_role_names_the_secrets_and_nothing_else() {
        let text = allow(&args("model-keys")).unwrap();
        assert!(text.contains("resourceNames: [\"model-keys\", \"other\"]"), "{text}");
        assert!(text.contains("namespace: \"exeat-system\""), "{text}");
        for bad in ["*", "a\"]\nrules: []", "", "-a", "A"] {
            assert!(allow(&args(bad)).is_err(), "{bad:?}");
        }
    }
}
