//! A pod under review: its JSON as it came, beside its typed reading.
//!
//! Checks read the typed form. Patches and the search for unknown fields use the JSON, for a
//! field that this build does not know exists only there.

use super::scope::Labels;
use exeat_api::labels::INJECTED_ANNOTATION;
use exeat_api::pod::PROXY_CONTAINER;
use k8s_openapi::api::core::v1::{Container, Pod, PodSecurityContext, PodSpec};
use serde_json::Value;
use std::borrow::Cow;

/// A pod, or the pod that a template would make.
pub(super) struct PodView<'a> {
    /// Path of the object within what the person wrote, ending in a dot unless empty.
    pub(super) prefix: String,
    pub(super) raw: Cow<'a, Value>,
    pub(super) pod: Pod,
}

/// Which list of the pod a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContainerList {
    Init,
    Main,
    Ephemeral,
}

impl ContainerList {
    pub(super) const ALL: [Self; 3] = [Self::Init, Self::Main, Self::Ephemeral];

    /// The key in a PodSpec.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// A container and where it stands.
pub(super) struct ContainerView<'a> {
    /// `spec.initContainers[2]`
    pub(super) field: String,
    pub(super) place: ContainerList,
    pub(super) raw: &'a Value,
    /// An ephemeral container reads as a container, its target aside.
    pub(super) container: Container,
}

impl<'a> PodView<'a> {
    /// Reads a pod; the error says what cannot be read.
    pub(super) fn read(raw: &'a Value) -> Result<Self, String> {
        let pod = serde_json::from_value(raw.clone()).map_err(|e| e.to_string())?;
        Ok(Self { prefix: String::new(), raw: Cow::Borrowed(raw), pod })
    }

    /// Reads a pod template that stands at `prefix`.
    pub(super) fn template(template: &Value, prefix: String) -> Result<PodView<'static>, String> {
        let mut raw = template.clone();
        let Some(map) = raw.as_object_mut() else {
            return Err("the template is not an object".to_owned());
        };
        map.insert("apiVersion".to_owned(), "v1".into());
        map.insert("kind".to_owned(), "Pod".into());
        let pod = serde_json::from_value(raw.clone()).map_err(|e| e.to_string())?;
        Ok(PodView { prefix, raw: Cow::Owned(raw), pod })
    }

    pub(super) fn labels(&self) -> Labels {
        self.pod.metadata.labels.clone().unwrap_or_default()
    }

    pub(super) fn annotations(&self) -> Labels {
        self.pod.metadata.annotations.clone().unwrap_or_default()
    }

    pub(super) fn spec(&self) -> Cow<'_, PodSpec> {
        match &self.pod.spec {
            Some(spec) => Cow::Borrowed(spec),
            None => Cow::Owned(PodSpec::default()),
        }
    }

    pub(super) fn security(&self) -> PodSecurityContext {
        self.spec().security_context.clone().unwrap_or_default()
    }

    /// What to call the pod in a message, before it has a name too.
    pub(super) fn title(&self, namespace: &str) -> String {
        let metadata = &self.pod.metadata;
        let name = metadata.name.clone().unwrap_or_else(|| {
            metadata.generate_name.as_ref().map(|g| format!("{g}*")).unwrap_or_default()
        });
        format!("pod \"{namespace}/{name}\"")
    }

    /// Whether the pod carries our annotation or our proxy.
    pub(super) fn is_injected(&self) -> bool {
        self.annotations().contains_key(INJECTED_ANNOTATION)
            || self.containers().iter().any(|c| c.container.name == PROXY_CONTAINER)
    }

    /// The uid that capture exempts, if the pod has a proxy that names one.
    pub(super) fn proxy_uid(&self) -> Option<i64> {
        let containers = self.containers();
        let proxy = containers
            .iter()
            .find(|c| c.place == ContainerList::Init && c.container.name == PROXY_CONTAINER)?;
        proxy.container.security_context.as_ref()?.run_as_user
    }

    /// All containers of all three lists, in their order.
    pub(super) fn containers(&self) -> Vec<ContainerView<'_>> {
        let mut all = Vec::new();
        for place in ContainerList::ALL {
            let list =
                self.raw.pointer(&format!("/spec/{}", place.key())).and_then(Value::as_array);
            for (index, raw) in list.into_iter().flatten().enumerate() {
                // Whoever made this view has read the whole pod, so its containers read as well.
                let container = serde_json::from_value(raw.clone()).unwrap_or_default();
                let field = format!("{}spec.{}[{index}]", self.prefix, place.key());
                all.push(ContainerView { field, place, raw, container });
            }
        }
        all
    }
}
