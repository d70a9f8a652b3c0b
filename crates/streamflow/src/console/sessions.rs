//! Who is logged in, by the cookie of their browser.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};

use crate::random::random_hex;

/// Logins remembered at once; the one idle longest goes first.
const SESSIONS_MAX: usize = 1024;
/// A login ends after so long, however much it is used.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A user who is logged in, and the token that must come with what changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub token: String,
}

struct Session {
    login: Login,
    began: Instant,
    used: Instant,
}

/// The logins there are.
pub struct Sessions {
    idle_max: Duration,
    by_id: Mutex<HashMap<String, Session>>,
}

impl Sessions {
    pub fn new(idle_max: Duration) -> Self {
        Self { idle_max, by_id: Mutex::default() }
    }

    /// Begins a session and gives its cookie.
    pub fn begin(&self, user: String, cookie: Cookie<'_>, now: Instant) -> std::io::Result<String> {
        let id = random_hex::<24>()?;
        let session = Session { login: Login { user, token: random_hex::<24>()? }, began: now, used: now };
        let mut sessions = self.by_id.lock().expect("no panic while held");
        sessions.retain(|_, session| self.lasts(session, now));
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            oldest.and_then(|id| sessions.remove(&id));
        }
        sessions.insert(id.clone(), session);
        // No Max-Age: requests prolong a session, and a browser would not hear of it.
        Ok(cookie.set(&id, ""))
    }

    /// Who sends these headers; using a session prolongs it.
    pub fn login(&self, headers: &HeaderMap, cookie: Cookie<'_>, now: Instant) -> Option<Login> {
        let mut sessions = self.by_id.lock().expect("no panic while held");
        let session = sessions.get_mut(cookie.of(headers)?).filter(|session| self.lasts(session, now))?;
        session.used = now;
        Some(session.login.clone())
    }

    /// Ends the session of these headers and gives the cookie that says so.
    pub fn end(&self, headers: &HeaderMap, cookie: Cookie<'_>) -> String {
        if let Some(id) = cookie.of(headers) {
            self.by_id.lock().expect("no panic while held").remove(id);
        }
        cookie.set("", "; Max-Age=0")
    }

    fn lasts(&self, session: &Session, now: Instant) -> bool {
        let since = |time| now.saturating_duration_since(time);
        since(session.used) < self.idle_max && since(session.began) < AGE_MAX
    }
}

/// How the cookie of a session is kept by the browser.
#[derive(Debug, Clone, Copy)]
pub struct Cookie<'a> {
    /// Path of the console, with a slash at its end.
    pub path: &'a str,
    /// Whether the browser sends it over encrypted connections alone.
    pub is_secure: bool,
}

impl Cookie<'_> {
    /// Browsers let no other host and no unencrypted page set a name that begins like these.
    fn name(self) -> &'static str {
        match (self.is_secure, self.path) {
            (true, "/") => "__Host-streamflow_session",
            (true, _) => "__Secure-streamflow_session",
            (false, _) => "streamflow_session",
        }
    }

    fn set(self, value: &str, more: &str) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={value}; Path={}; HttpOnly; SameSite=Strict{secure}{more}", self.name(), self.path)
    }

    fn of(self, headers: &HeaderMap) -> Option<&str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find_map(|(name, value)| (name == self.name()).then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Cookie<'_> = Cookie { path: "/", is_secure: false };
    const MINUTE: Duration = Duration::from_secs(60);

    /// What a browser sends that was given this cookie.
    fn sent(cookie: &str) -> HeaderMap {
        let pair = format!("other=1; {}", cookie.split(';').next().unwrap());
        [(header::COOKIE, pair.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_session_ends_by_idleness_by_age_and_by_logging_out() {
        let sessions = Sessions::new(60 * MINUTE);
        let start = Instant::now();
        let headers = sent(&sessions.begin("ada".to_owned(), PLAIN, start).unwrap());
        let is_known = |now| sessions.login(&headers, PLAIN, now).is_some();
        assert!(is_known(start + 59 * MINUTE));
        assert!(is_known(start + 118 * MINUTE), "a request prolongs it");
        assert!(!is_known(start + 178 * MINUTE));

        let headers = sent(&sessions.begin("ada".to_owned(), PLAIN, start).unwrap());
        let is_known = |now| sessions.login(&headers, PLAIN, now).is_some();
        for half_hours in 1..7 * 24 * 2 {
            assert!(is_known(start + half_hours * 30 * MINUTE), "{half_hours}");
        }
        assert!(!is_known(start + AGE_MAX), "however much it is used");

        let headers = sent(&sessions.begin("ada".to_owned(), PLAIN, start).unwrap());
        assert_eq!(sessions.login(&headers, PLAIN, start).unwrap().user, "ada");
        let gone = sessions.end(&headers, PLAIN);
        assert!(gone.ends_with("; Max-Age=0"), "{gone}");
        assert_eq!(sessions.login(&headers, PLAIN, start), None);
    }

    #[test]
    fn the_number_of_sessions_has_a_bound_and_the_idle_go_first() {
        let sessions = Sessions::new(60 * MINUTE);
        let start = Instant::now();
        let first = sent(&sessions.begin("ada".to_owned(), PLAIN, start).unwrap());
        let second = sent(&sessions.begin("bob".to_owned(), PLAIN, start).unwrap());
        assert!(sessions.login(&first, PLAIN, start + MINUTE).is_some());
        for _ in 0..SESSIONS_MAX - 1 {
            sessions.begin("eve".to_owned(), PLAIN, start + MINUTE).unwrap();
        }
        assert!(sessions.login(&first, PLAIN, start + MINUTE).is_some());
        assert!(sessions.login(&second, PLAIN, start + MINUTE).is_none());
    }

    #[test]
    fn an_encrypted_connection_has_a_cookie_of_its_own() {
        let start = Instant::now();
        for (path, is_secure, name, secure) in [
            ("/", false, "streamflow_session=", false),
            ("/", true, "__Host-streamflow_session=", true),
            ("/ops/", true, "__Secure-streamflow_session=", true),
        ] {
            let cookie = Cookie { path, is_secure };
            let sessions = Sessions::new(60 * MINUTE);
            let set = sessions.begin("ada".to_owned(), cookie, start).unwrap();
            assert!(set.starts_with(name) && set.contains("; Secure") == secure, "{set}");
            assert!(set.contains(&format!("; Path={path}; HttpOnly; SameSite=Strict")), "{set}");
            assert!(sessions.login(&sent(&set), cookie, start).is_some());
            let other = Cookie { path, is_secure: !is_secure };
            assert!(sessions.login(&sent(&set), other, start).is_none(), "{set}");
        }
    }
}
