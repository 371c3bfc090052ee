//! `[membership]`: where members come from beside the file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::fragments::FOLDER;
use super::member::host_source;
use super::section::{Section, read_text};
use super::settings::{AccessProvider, BUILT_IN, HostCluster, ProfileOrigin, SecretOrigin};
use super::values;

/// The namespace of a host cluster, where the file does not say.
const NAMESPACE: &str = "gazetteer";

/// The selector of Secrets that are members, where the file does not say: what `join` writes.
const SELECTOR: &str = "gazetteer.dev/member=true";

/// Where the kubeconfig is in such a Secret, where the file does not say.
const KEY: &str = "kubeconfig";

/// Reads `[membership]`: its folder, which is relative to the folder `beside`, and its host cluster.
pub(super) fn membership(
    section: Option<Section<'_>>,
    beside: &Path,
) -> (PathBuf, Option<HostCluster>) {
    let Some(section) = section else {
        return (beside.join(FOLDER), None);
    };
    let folder = section.text("folder", "folder", values::plain);
    let source = section
        .table("host")
        .and_then(|table| host_source(table, beside));
    let namespace = section.text("namespace", "namespace", values::label);
    let secrets = section.table("secrets").map(secrets);
    let providers = section.tables("access-provider").into_iter();
    let providers: Vec<_> = providers
        .filter_map(|table| access_provider(table, beside))
        .collect();
    let mut names: HashSet<&str> = BUILT_IN.into();
    for (at, provider) in &providers {
        if !names.insert(&provider.name) {
            let message = format!("access-provider {:?}: there already", provider.name);
            section.report.add(*at, message);
        }
    }
    let profiles = section.table("cluster-profiles");
    let profiles = profiles.map(|table| cluster_profiles(table, &names));
    let proxies = section.texts("proxies", values::plain).unwrap_or_default();
    let overrides = section.text("overrides", "overrides", values::object_name);
    if !section.has("host") {
        let needing = [
            "namespace",
            "secrets",
            "cluster-profiles",
            "access-provider",
            "proxies",
            "overrides",
        ];
        for key in needing.into_iter().filter(|key| section.has(key)) {
            section
                .report
                .add(section.at, format!("{key}: requires host"));
        }
    }
    section.finish();
    let folder = folder.map_or_else(|| FOLDER.to_owned(), |folder| folder.value);
    let host = source.map(|source| HostCluster {
        source,
        namespace: namespace.map_or_else(|| NAMESPACE.to_owned(), |it| it.value.to_string()),
        secrets,
        profiles,
        providers: providers
            .into_iter()
            .map(|(_, provider)| provider)
            .collect(),
        proxies: proxies.into_iter().map(|proxy| proxy.value).collect(),
        overrides: overrides.map(|name| name.value),
    });
    (beside.join(folder), host)
}

/// Reads `secrets`.
fn secrets(section: Section<'_>) -> SecretOrigin {
    let selector = section.text("selector", "selector", values::selector);
    let key = section.text("key", "key", values::secret_key);
    section.finish();
    SecretOrigin {
        selector: selector.map_or_else(|| SELECTOR.to_owned(), |selector| selector.value),
        key: key.map_or_else(|| KEY.to_owned(), |key| key.value),
    }
}

/// Reads `cluster-profiles`; `names` are those of all access providers.
fn cluster_profiles(section: Section<'_>, names: &HashSet<&str>) -> ProfileOrigin {
    let selector = section.text("selector", "selector", values::selector);
    let known = |text: &str| {
        if names.contains(text) {
            return Ok(text.to_owned());
        }
        let mut known: Vec<_> = names.iter().copied().collect();
        known.sort_unstable();
        Err(format!(
            "no access provider, there are {}",
            known.join(", ")
        ))
    };
    let access = if section.has("access") {
        let access = section.distinct("access", known);
        if section.array("access").is_some_and(<[_]>::is_empty) {
            section
                .report
                .add(section.at, "access: at least one is required");
        }
        access
    } else {
        section.get("access");
        vec![BUILT_IN[0].to_owned()]
    };
    section.finish();
    ProfileOrigin {
        selector: selector.map_or_else(String::new, |selector| selector.value),
        access,
    }
}

/// Reads an `[[access-provider]]`, and its place.
fn access_provider(section: Section<'_>, beside: &Path) -> Option<(usize, AccessProvider)> {
    section.require("name");
    section.require("command");
    let name = section.text("name", "name", values::plain);
    let command = section.text("command", "command", values::plain);
    let any = |text: &str| Ok(text.to_owned());
    let args = section.texts("args", any).unwrap_or_default();
    let env = variables(&section);
    let at = name.as_ref().map_or(section.at, |name| name.at);
    section.finish();
    let command = command?.value;
    let command = if command.contains('/') {
        beside.join(command)
    } else {
        command.into()
    };
    let provider = AccessProvider {
        name: name?.value,
        command,
        args: args.into_iter().map(|argument| argument.value).collect(),
        env,
    };
    Some((at, provider))
}

/// Reads `env`: a table of any names.
fn variables(section: &Section<'_>) -> Vec<(String, String)> {
    let Some(value) = section.get("env") else {
        return Vec::new();
    };
    let DeValue::Table(table) = value.get_ref() else {
        section
            .report
            .add(value.span().start, "env: expected a table");
        return Vec::new();
    };
    let variable = |text: &str| {
        if text.contains('\0') {
            Err("must not have NUL in it".to_owned())
        } else {
            Ok(text.to_owned())
        }
    };
    let variables = table.iter().filter_map(|(name, value)| {
        let name: &str = name.get_ref();
        let value = read_text(section.report, value, "env", variable)?;
        Some((name.to_owned(), value.value))
    });
    variables.collect()
}
