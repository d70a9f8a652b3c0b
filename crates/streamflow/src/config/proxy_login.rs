//! `console.proxy_login`: users whom a proxy before the console has already asked who they are.

use anyhow::bail;
use axum::http::HeaderName;
use serde::{Deserialize, Serialize};

use super::Role;

/// Stands in a list of groups for everybody whom the proxy names.
const EVERYBODY: &str = "*";

/// The headers by which a trusted proxy names the user and their groups, and the role that each group gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyLogin {
    /// Header with the name of the user.
    pub user_header: String,
    /// Header with the user's groups, separated by commas.
    pub roles_header: String,
    /// Groups whose members are admins.
    pub admin: Vec<String>,
    /// Groups whose members are operators.
    pub operator: Vec<String>,
    /// Groups whose members are viewers.
    pub viewer: Vec<String>,
}

impl Default for ProxyLogin {
    fn default() -> Self {
        Self {
            user_header: "X-Forwarded-User".to_owned(),
            roles_header: "X-Forwarded-Groups".to_owned(),
            admin: Vec::new(),
            operator: Vec::new(),
            viewer: Vec::new(),
        }
    }
}

impl ProxyLogin {
    fn groups(&self, role: Role) -> &[String] {
        match role {
            Role::Admin => &self.admin,
            Role::Operator => &self.operator,
            Role::Viewer => &self.viewer,
        }
    }

    /// The highest role that one of the groups gives.
    pub fn role<'a>(&self, groups: impl IntoIterator<Item = &'a str> + Clone) -> Option<Role> {
        let gives = |role: &Role| {
            let names = self.groups(*role);
            let is_named = |group: &str| names.iter().any(|name| name == group);
            is_named(EVERYBODY) || groups.clone().into_iter().any(is_named)
        };
        Role::ALL.into_iter().rev().find(gives)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        for (key, name) in [("user_header", &self.user_header), ("roles_header", &self.roles_header)] {
            if name.parse::<HeaderName>().is_err() {
                bail!(
                    "console.proxy_login.{key} is {name:?}; expected the name of a header such as \"X-Forwarded-User\""
                );
            }
        }
        if self.user_header.eq_ignore_ascii_case(&self.roles_header) {
            bail!("console.proxy_login names {:?} for the user and for the groups", self.user_header);
        }
        if Role::ALL.into_iter().all(|role| self.groups(role).is_empty()) {
            bail!(
                "console.proxy_login gives nobody a role; name groups in admin, operator or viewer, such as viewer = [\"*\"]"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_of_the_groups_counts() {
        let login: ProxyLogin =
            toml::from_str("admin = [\"/ml/admins\"]\noperator = [\"ops\", \"ml\"]\nviewer = [\"*\"]")
                .unwrap();
        for (groups, expected) in [
            (&["ops"][..], Role::Operator),
            (&["ml", "/ml/admins"], Role::Admin),
            (&["OPS"], Role::Viewer),
            (&[], Role::Viewer),
        ] {
            assert_eq!(login.role(groups.iter().copied()), Some(expected), "{groups:?}");
        }
        let strict = ProxyLogin { viewer: Vec::new(), ..login };
        assert_eq!(strict.role(["staff"]), None);
    }
}
