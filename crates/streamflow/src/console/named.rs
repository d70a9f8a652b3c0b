//! Users whom a trusted proxy names in a header, after it has asked them who they are.

use axum::http::{HeaderMap, HeaderName};
use ring::hmac;

use super::sender::{Sender, list};
use crate::config::{ProxyLogin, Role};
use crate::random::{hex, random_bytes};

/// Longest name of a user that is taken from a header.
const NAME_BYTES: usize = 256;

/// Reads who is named, and knows the tokens of those who are: there is no session that could keep them.
pub struct Named {
    login: ProxyLogin,
    user: HeaderName,
    groups: HeaderName,
    key: hmac::Key,
}

/// A user as a proxy names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedUser {
    pub name: String,
    pub role: Role,
    /// Goes with what changes something, as the token of a session does.
    pub token: String,
}

impl Named {
    /// # Errors
    /// A name that no header can have; a system without random bytes.
    pub fn new(login: ProxyLogin) -> anyhow::Result<Self> {
        let (user, groups) = (login.user_header.parse()?, login.roles_header.parse()?);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>()?);
        Ok(Self { login, user, groups, key })
    }

    /// Who is named by a trusted proxy; nobody where the request came from anywhere else, or without the header.
    ///
    /// # Errors
    /// A header that is there twice, which a client may have written in part; a name that is none; a user without a role.
    pub fn user(&self, headers: &HeaderMap, sender: &Sender) -> Result<Option<NamedUser>, String> {
        if sender.proxy.is_none() || !headers.contains_key(&self.user) {
            return Ok(None);
        }
        for name in [&self.user, &self.groups] {
            if headers.get_all(name).iter().count() > 1 {
                return Err(format!(
                    "the proxy sent the header {name} twice; it must replace what a client sends, not add to it"
                ));
            }
        }
        let bytes = headers[&self.user].as_bytes();
        let name = std::str::from_utf8(bytes).ok().map(str::trim).filter(|name| is_name(name));
        let Some(name) = name else {
            return Err(format!(
                "the header {} names no user; expected 1 to {NAME_BYTES} bytes of text",
                self.user
            ));
        };
        let groups = list(headers, self.groups.as_str());
        let Some(role) = self.login.role(groups.iter().map(String::as_str)) else {
            return Err(format!(
                "user {name:?} is in no group that console.proxy_login gives a role; ask an admin for one"
            ));
        };
        let token = hex(hmac::sign(&self.key, name.as_bytes()).as_ref());
        Ok(Some(NamedUser { name: name.to_owned(), role, token }))
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::super::auth::local_sender;
    use super::*;

    const USER: &str = "x-forwarded-user";
    const GROUPS: &str = "x-forwarded-groups";

    fn named() -> Named {
        let (admin, operator) = (vec!["admins".to_owned()], vec!["ml".to_owned()]);
        Named::new(ProxyLogin { admin, operator, ..ProxyLogin::default() }).unwrap()
    }

    fn through_proxy() -> Sender {
        Sender { proxy: Some([10, 0, 0, 1].into()), ..local_sender() }
    }

    fn user(sender: &Sender, sent: &[(&'static str, &[u8])]) -> Result<Option<(String, Role)>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.to_vec().try_into().unwrap());
        }
        named().user(&headers, sender).map(|user| user.map(|user| (user.name, user.role)))
    }

    #[test]
    fn a_trusted_proxy_names_user_and_groups() {
        for (sent, expected) in [
            (&[(USER, &b"ada"[..]), (GROUPS, b"ml")][..], Some(("ada", Role::Operator))),
            (
                &[(USER, "J\u{f6}rg".as_bytes()), (GROUPS, b"staff, ml,admins")],
                Some(("J\u{f6}rg", Role::Admin)),
            ),
            (&[(GROUPS, b"admins")], None),
            (&[], None),
        ] {
            let expected = expected.map(|(name, role)| (name.to_owned(), role));
            assert_eq!(user(&through_proxy(), sent), Ok(expected), "{sent:?}");
        }
    }

    #[test]
    fn nobody_else_names_anybody() {
        let sent = [(USER, &b"ada"[..]), (GROUPS, b"admins")];
        assert_eq!(user(&local_sender(), &sent), Ok(None));
    }

    #[test]
    fn what_a_client_may_have_added_is_refused() {
        for (sent, expected) in [
            (&[(USER, &b"eve"[..]), (USER, b"ada"), (GROUPS, b"ml")][..], "x-forwarded-user twice"),
            (&[(USER, b"eve"), (GROUPS, b"admins"), (GROUPS, b"ml")], "x-forwarded-groups twice"),
            (&[(USER, b""), (GROUPS, b"ml")], "names no user"),
            (&[(USER, b"a\tb"), (GROUPS, b"ml")], "names no user"),
            (&[(USER, b"\xff"), (GROUPS, b"ml")], "names no user"),
            (&[(USER, &[b'a'; 257]), (GROUPS, b"ml")], "names no user"),
            (&[(USER, b"eve"), (GROUPS, b"staff")], "in no group"),
            (&[(USER, b"eve")], "in no group"),
        ] {
            let error = user(&through_proxy(), sent).unwrap_err();
            assert!(error.contains(expected), "{sent:?}: {error}");
        }
    }

    #[test]
    fn a_token_is_one_user_s_and_one_process_s() {
        let token = |named: &Named, name: &str| {
            let headers = [(USER, name), (GROUPS, "ml")];
            let headers =
                headers.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            named.user(&headers.into_iter().collect(), &through_proxy()).unwrap().unwrap().token
        };
        let (one, other) = (named(), named());
        assert_eq!(token(&one, "ada"), token(&one, "ada"));
        assert_ne!(token(&one, "ada"), token(&one, "bob"));
        assert_ne!(token(&one, "ada"), token(&other, "ada"));
    }
}
