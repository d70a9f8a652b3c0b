//! Who is logged in, by the cookie of their browser.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::random::{hex, random_hex};
use crate::store::Store;
use crate::store::sessions::StoredSession;

/// Logins remembered at once; the one idle longest goes first.
const SESSIONS_MAX: usize = 1024;
/// A login ends after so long, however much it is used.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a login counts without a look at whether it was ended on another server, and how long its use waits to be
/// told to the others.
const LOOK_AFTER: Duration = Duration::from_secs(5);
const TELL_AFTER: Duration = Duration::from_secs(30);
/// Looks at once: whoever makes cookies up is not to keep the database busy.
const LOOKS_MAX: usize = 4;
/// Letters of a cookie's value.
const ID_LETTERS: usize = 48;

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
    /// When it was last seen to be kept.
    looked: Instant,
}

/// The logins there are. They are kept in the database, for other servers and for this one when it starts again.
pub struct Sessions {
    idle_max: Duration,
    by_id: Mutex<HashMap<String, Session>>,
    store: OnceLock<Store>,
    looks: Semaphore,
}

impl Sessions {
    pub fn new(idle_max: Duration) -> Self {
        Self { idle_max, by_id: Mutex::default(), store: OnceLock::new(), looks: Semaphore::new(LOOKS_MAX) }
    }

    /// Begins a session and gives its cookie.
    pub fn begin(&self, user: String, cookie: Cookie<'_>, now: Instant) -> std::io::Result<String> {
        let id = random_hex::<24>()?;
        let login = Login { user, token: random_hex::<24>()? };
        let session = Session { login, began: now, used: now, looked: now };
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

    /// Keeps logins in this database from here on. Whichever came first stays.
    pub fn keep_in(&self, store: Store) {
        let _ = self.store.set(store);
    }

    /// Keeps the login that was begun with this cookie. Where the database is away, it counts on this server alone.
    pub async fn keep(&self, set_cookie: &str, proof: &str) {
        let Some(store) = self.store.get() else { return };
        let id = set_cookie.split(['=', ';']).nth(1).unwrap_or_default();
        let Some(login) =
            self.by_id.lock().expect("no panic while held").get(id).map(|kept| kept.login.clone())
        else {
            return;
        };
        let now_s = jiff::Timestamp::now().as_second();
        let proof = proof.to_owned();
        let session =
            StoredSession { user: login.user, token: login.token, proof, began_s: now_s, used_s: now_s };
        let over = (now_s - seconds(AGE_MAX), now_s - seconds(self.idle_max));
        let most = SESSIONS_MAX.try_into().unwrap_or(i64::MAX);
        if let Err(error) = store.add_session(&digest(id), &session, over, most).await {
            tracing::warn!("a login is known to this server alone: {error}");
        }
    }

    /// Looks in the database for the session of these headers, where it is not known here or was not looked at for a
    /// while: it may have begun or ended on another server. `proof` says what must go with a user.
    pub async fn recall(
        &self,
        headers: &HeaderMap,
        cookie: Cookie<'_>,
        now: Instant,
        proof: impl Fn(&str) -> Option<String>,
    ) {
        let (Some(store), Some(id)) = (self.store.get(), cookie.of(headers)) else { return };
        let is_id = id.len() == ID_LETTERS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_fresh = |session: &Session| now.saturating_duration_since(session.looked) < LOOK_AFTER;
        if !is_id || self.by_id.lock().expect("no panic while held").get(id).is_some_and(is_fresh) {
            return;
        }
        let Ok(_look) = self.looks.try_acquire() else { return };
        match store.session(&digest(id)).await {
            Ok(Some(kept)) if proof(&kept.user).as_ref() == Some(&kept.proof) => {
                if let Some(used_s) = self.adopt(id, kept, now)
                    && let Err(error) = store.use_session(&digest(id), used_s).await
                {
                    tracing::debug!("other servers do not know that a login is used: {error}");
                }
            }
            Ok(_) => {
                self.by_id.lock().expect("no panic while held").remove(id);
            }
            // What is known here goes on meanwhile.
            Err(error) => tracing::debug!("a login was not looked up: {error}"),
        }
    }

    /// Takes a session over as it is kept; when it was used here last, where the others do not know that yet.
    fn adopt(&self, id: &str, kept: StoredSession, now: Instant) -> Option<i64> {
        let now_s = jiff::Timestamp::now().as_second();
        let at = |time_s: i64| {
            let ago = Duration::from_secs(u64::try_from(now_s - time_s).unwrap_or(0));
            now.checked_sub(ago)
        };
        // A machine that was started after that knows no such moment: the login is over there.
        let (began, used) = (at(kept.began_s)?, at(kept.used_s)?);
        let login = Login { user: kept.user, token: kept.token };
        let mut sessions = self.by_id.lock().expect("no panic while held");
        if !sessions.contains_key(id) && sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            oldest.and_then(|id| sessions.remove(&id));
        }
        let session = sessions.entry(id.to_owned()).or_insert(Session { login, began, used, looked: now });
        session.looked = now;
        let ahead = session.used.saturating_duration_since(used);
        session.used = session.used.max(used);
        (ahead >= TELL_AFTER).then(|| now_s - seconds(now.saturating_duration_since(session.used)))
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

    /// Ends the session of these headers on all servers.
    pub async fn end_everywhere(&self, headers: &HeaderMap, cookie: Cookie<'_>) -> String {
        if let (Some(store), Some(id)) = (self.store.get(), cookie.of(headers))
            && let Err(error) = store.end_session(&digest(id)).await
        {
            tracing::warn!("a login was ended on this server alone: {error}");
        }
        self.end(headers, cookie)
    }

    fn lasts(&self, session: &Session, now: Instant) -> bool {
        let since = |time| now.saturating_duration_since(time);
        since(session.used) < self.idle_max && since(session.began) < AGE_MAX
    }
}

/// What the database has in the place of a cookie.
fn digest(id: &str) -> String {
    hex(&Sha256::digest(id))
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
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
    use crate::store::each;

    #[tokio::test]
    async fn another_server_knows_a_login_until_it_ends_or_the_password_is_another() {
        each(async |store| {
            let (here, there) = (Sessions::new(60 * MINUTE), Sessions::new(60 * MINUTE));
            here.keep_in(store.clone());
            there.keep_in(store.clone());
            let start = Instant::now();
            let set = here.begin("ada".to_owned(), PLAIN, start).unwrap();
            here.keep(&set, "proof").await;
            let headers = sent(&set);
            assert_eq!(there.login(&headers, PLAIN, start), None);
            let proof = |user: &str| (user == "ada").then(|| "proof".to_owned());
            there.recall(&headers, PLAIN, start, |_| Some("another".to_owned())).await;
            assert_eq!(there.login(&headers, PLAIN, start), None);
            there.recall(&headers, PLAIN, start, proof).await;
            assert_eq!(there.login(&headers, PLAIN, start), here.login(&headers, PLAIN, start));
            here.end_everywhere(&headers, PLAIN).await;
            there.recall(&headers, PLAIN, start, proof).await;
            assert!(there.login(&headers, PLAIN, start).is_some(), "it was looked at a moment ago");
            there.recall(&headers, PLAIN, start + LOOK_AFTER, proof).await;
            assert_eq!(there.login(&headers, PLAIN, start + LOOK_AFTER), None);
        })
        .await;
    }

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
