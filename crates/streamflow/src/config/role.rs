//! What users of the console may do, and how a user is written down.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// What a caller of the console may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything, evaluates queries and asks for predictions.
    Viewer,
    /// The daily work: runs, retries, approvals, promotions, reloading.
    Operator,
    /// What loses or forges data too: the write and the admin interfaces of the metrics store.
    #[default]
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role and the rest of `ROLE:REST`; without a role, all of it.
    pub fn split(text: &str) -> (Option<Self>, &str) {
        let split = text.split_once(':').and_then(|(role, rest)| Some((role.parse().ok()?, rest)));
        split.map_or((None, text), |(role, rest)| (Some(role), rest))
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A user of the console: the hash of a password alone, or a table with a role too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsoleUser {
    /// The argon2 hash of the password.
    pub password: String,
    pub role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    password: String,
    #[serde(default)]
    role: Role,
}

impl<'de> Deserialize<'de> for ConsoleUser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UserVisitor)
    }
}

struct UserVisitor;

impl<'de> Visitor<'de> for UserVisitor {
    type Value = ConsoleUser;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the argon2 hash of a password, or { password = \"HASH\", role = \"viewer\" }")
    }

    fn visit_str<E: de::Error>(self, hash: &str) -> Result<ConsoleUser, E> {
        Ok(ConsoleUser { password: hash.to_owned(), role: Role::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConsoleUser, A::Error> {
        let UserTable { password, role } = UserTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(ConsoleUser { password, role })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_user_is_a_hash_or_a_hash_with_a_role() {
        let users = |text: &str| toml::from_str::<BTreeMap<String, ConsoleUser>>(text);
        for (text, expected) in [
            ("ada = \"$argon2\"", Role::Admin),
            ("ada = { password = \"$argon2\" }", Role::Admin),
            ("ada = { password = \"$argon2\", role = \"viewer\" }", Role::Viewer),
            ("[ada]\npassword = \"$argon2\"\nrole = \"operator\"", Role::Operator),
        ] {
            let user = ConsoleUser { password: "$argon2".to_owned(), role: expected };
            assert_eq!(users(text).unwrap(), BTreeMap::from([("ada".to_owned(), user)]), "{text}");
        }
        for (text, expected) in [
            ("ada = 5", "expected the argon2 hash of a password, or { password"),
            ("ada = { role = \"viewer\" }", "missing field `password`"),
            ("ada = { password = \"x\", role = \"root\" }", "expected one of `viewer`, `operator`, `admin`"),
            ("ada = { password = \"x\", rule = \"viewer\" }", "unknown field `rule`"),
        ] {
            let error = users(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        assert!(Role::ALL.is_sorted() && Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        assert_eq!(Role::split("viewer:a:b"), (Some(Role::Viewer), "a:b"));
        assert_eq!(Role::split("guest:a"), (None, "guest:a"));
        assert_eq!(Role::split("viewer"), (None, "viewer"));
    }
}
