//! A map of a few policies that keeps their order.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};

use super::PolicySummary;

/// Figures by the policies' names, in the order of the run; an object in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies(Vec<(String, PolicySummary)>);

impl Policies {
    /// The figures of a policy.
    pub fn get(&self, name: &str) -> Option<&PolicySummary> {
        let found = self.0.iter().find(|(policy, _)| policy == name);
        found.map(|(_, summary)| summary)
    }

    /// Names and figures.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PolicySummary)> {
        self.0
            .iter()
            .map(|(name, summary)| (name.as_str(), summary))
    }
}

impl FromIterator<(String, PolicySummary)> for Policies {
    fn from_iter<I: IntoIterator<Item = (String, PolicySummary)>>(policies: I) -> Self {
        Self(policies.into_iter().collect())
    }
}

impl Serialize for Policies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Policies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Policies;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a policy in each field")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Policies, A::Error> {
        let mut policies = Vec::new();
        while let Some(policy) = map.next_entry()? {
            policies.push(policy);
        }
        Ok(Policies(policies))
    }
}
