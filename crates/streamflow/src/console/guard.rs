//! What every request to the console plane passes first: a login where one is needed, and no change by mistake.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use streamflow_prometheus::is_cross_site;

use super::auth::{Auth, Caller, is_safe};
use super::resources::{ResourceError, tell_since};
use super::rights::{Access, Client, Right, Route};
use super::sender::Sender;
use super::trail::{self, Asked};
use crate::server::Peer;
use crate::server::body::BodyReader;
use crate::store::Store;

/// The rules of one console plane. Cloning is cheap.
#[derive(Clone)]
pub struct Guard {
    pub auth: Arc<Auth>,
    pub read_only: bool,
    /// The names that the configuration gives this server.
    pub hosts: Arc<[String]>,
    pub bodies: Arc<BodyReader>,
    /// Holds the audit trail.
    pub store: Store,
}

/// Largest body of any request: that of a remote write.
const BODY_BYTES: usize = 16 << 20;

/// The peer of a request that no listener of ours has taken: it is none that anybody trusts.
const UNKNOWN_PEER: Peer =
    Peer { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), is_encrypted: false };

/// Why a request does not go on.
struct Refusal {
    error: ResourceError,
    /// Who was refused something that another role may do, or that nobody may: the trail tells of it. What a browser sends
    /// for a page of another site is not theirs.
    told_of: Option<Caller>,
}

impl<E: Into<ResourceError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self { error: error.into(), told_of: None }
    }
}

/// Who makes a request, as audits name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(pub String);

impl Guard {
    /// A router of `routes`, each behind what it needs.
    pub fn routes<S: Clone + Send + Sync + 'static>(
        &self,
        routes: impl IntoIterator<Item = Route<S>>,
    ) -> Router<S> {
        routes.into_iter().fold(Router::new(), |router, Route { path, access, methods }| {
            let guard = self.clone();
            let layer = from_fn(move |request, next| guard.clone().pass(access, request, next));
            router.route(path, methods.layer(layer))
        })
    }

    /// A router of others' routes behind what `access` says that a path needs.
    pub fn paths(&self, router: Router, access: fn(&str) -> Access) -> Router {
        let guard = self.clone();
        router.layer(from_fn(move |request: Request, next| {
            let access = access(request.uri().path());
            guard.clone().pass(access, request, next)
        }))
    }

    /// Lets a request through or answers why not.
    async fn pass(self, access: Access, mut request: Request, next: Next) -> Response {
        let peer = request.extensions().get().copied().unwrap_or(UNKNOWN_PEER);
        let sender = Sender::of(peer, request.headers(), self.auth.trusted_proxies());
        sender.tell_host(request.headers_mut());
        let is_change = matches!(access.right, Right::Change(_)) && !is_safe(request.method());
        let asked = is_change.then(|| Asked::new(&sender, request.method(), request.uri()));
        match self.admit(access, request.method(), (request.headers(), &sender)).await {
            Ok(caller) => {
                let change = asked.zip(caller.as_ref()).map(|(asked, caller)| asked.by(caller));
                request.extensions_mut().insert(sender);
                request.extensions_mut().insert(Actor(caller.map_or_else(String::new, |caller| caller.name)));
                tell_since(&self.store, self.run(request, next, change).await)
            }
            Err(Refusal { error, told_of }) => {
                if let Some((asked, caller)) = asked.zip(told_of) {
                    asked.by(&caller).refuse(&self.store, &error.message).await;
                }
                refused(error, access.client)
            }
        }
    }

    /// Hands a request on once it has arrived whole, so that clients that are slow to send hold nothing that others wait
    /// for. The body is read after the caller is known. A change is told to the trail before it is made.
    async fn run(&self, request: Request, next: Next, change: Option<Asked>) -> Response {
        if is_safe(request.method()) {
            return next.run(request).await;
        }
        let (head, body) = request.into_parts();
        let body = match self.bodies.read(body, BODY_BYTES).await {
            Ok(body) => body,
            Err(error) => {
                let mut response = ResourceError::from(error).into_response();
                // What is left of the body would be read as the next request.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                return response;
            }
        };
        let Some(change) = change else { return next.run(Request::from_parts(head, body.into())).await };
        let begun = match change.begin(&self.store, &body).await {
            Ok(begun) => begun,
            Err(error) => {
                let error = anyhow::Error::from(error)
                    .context("nothing was changed: the audit trail cannot be written to");
                return ResourceError::from(error).into_response();
            }
        };
        let response = next.run(Request::from_parts(head, body.into())).await;
        trail::end(&self.store, begun, &trail::outcome(&response)).await;
        response
    }

    /// Who sends a request that may go on; on open routes nobody asks.
    async fn admit(
        &self,
        Access { right, client }: Access,
        method: &Method,
        (headers, sender): (&HeaderMap, &Sender),
    ) -> Result<Option<Caller>, Refusal> {
        // Where nobody logs in, a page of another site that has its name mean this machine could read everything. What
        // anybody may know, such as that the process lives, is told to probes by whatever name.
        let is_told_to_all = self.auth.is_required() || right == Right::Open;
        if client == Client::Console || !is_safe(method) || !is_told_to_all {
            sender.hosts.iter().try_for_each(|host| self.know_host(host))?;
        }
        let caller = match right {
            Right::Open => None,
            _ => match self.auth.identify(headers, sender).await? {
                None => {
                    let message = "log in first, or send Authorization: Bearer TOKEN";
                    return Err(ResourceError::new(StatusCode::UNAUTHORIZED, message).into());
                }
                known => known,
            },
        };
        // A question that a program asks by POST, because it is long, may come from any site's page.
        if is_safe(method) || (right, client) == (Right::Ask, Client::Program) {
            return Ok(caller);
        }
        if is_cross_site(headers) {
            let message =
                "this request comes from another site's page; changes are made from the console itself";
            return Err(forbidden(message).into());
        }
        let Some(caller) = caller else { return Ok(None) };
        if client == Client::Console && !caller.has_sent_token(headers) {
            let message = "X-StreamFlow-Token is missing or wrong; GET /api/streamflow/session tells it";
            return Err(forbidden(message).into());
        }
        match self.denial(right, &caller) {
            Some(message) => Err(Refusal { error: forbidden(message), told_of: Some(caller) }),
            None => Ok(Some(caller)),
        }
    }

    /// Why a known caller may not do what a right allows others, if so.
    fn denial(&self, right: Right, caller: &Caller) -> Option<String> {
        let role = right.role()?;
        let Caller { name, role: own, .. } = caller;
        if *own < role {
            return Some(format!("this needs the role {role}, and {name} has the role {own}"));
        }
        let message = "this console is read-only (console.read_only); nothing can be changed through it";
        self.read_only.then(|| message.to_owned())
    }

    /// Refuses a request for a name that nobody gave this server. A page of another site can have its own name mean this
    /// machine, and would then count as this site's; names without a dot and addresses cannot be had by others.
    fn know_host(&self, host: &str) -> Result<(), ResourceError> {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let name = name.map_or(host, |(name, _)| name).trim_end_matches('.').to_ascii_lowercase();
        let is_address = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
        let is_local = !name.contains('.') || name.ends_with(".localhost");
        if is_address || is_local || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            return Ok(());
        }
        let message = format!(
            "nobody told this server that it is called {name:?}; if browsers, Prometheus or Grafana reach it by that \
             name, add it to the configuration: console.hosts = [{name:?}]"
        );
        Err(ResourceError::new(StatusCode::MISDIRECTED_REQUEST, message))
    }
}

fn forbidden(message: impl Into<String>) -> ResourceError {
    ResourceError::new(StatusCode::FORBIDDEN, message)
}

fn refused(error: ResourceError, client: Client) -> Response {
    let asks_browser = error.status == StatusCode::UNAUTHORIZED && client == Client::Program;
    let mut response = error.into_response();
    // A browser's own dialog would hide the console's login page.
    if asks_browser {
        let realm = HeaderValue::from_static("Basic realm=\"StreamFlow\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::auth::{Credentials, Token};
    use super::*;
    use crate::config::{ConsoleConfig, Role};
    use crate::store::temporary;

    const OTHER_SITE: (&str, &str) = ("origin", "http://evil.example");
    const REBOUND: (&str, &str) = ("host", "evil.example:9090");
    const LOGGED_IN: (&str, &str) = ("authorization", "Bearer t0ken");

    async fn guard(tokens: &[&str]) -> Guard {
        let token = |text: &&str| {
            let (role, text) = Role::split(text);
            Token { text: text.to_owned(), role: role.unwrap_or_default() }
        };
        let tokens = tokens.iter().map(token).collect();
        let credentials = Credentials { tokens, ..Credentials::default() };
        Guard {
            auth: Auth::new(credentials, &ConsoleConfig::default()).unwrap(),
            read_only: false,
            hosts: ["ops.example.com".to_owned()].into(),
            bodies: Arc::new(BodyReader::new(Duration::from_secs(60))),
            store: temporary().await.1,
        }
    }

    async fn status(guard: &Guard, access: Access, method: &Method, headers: &[(&'static str, &str)]) -> u16 {
        let mut all = HeaderMap::new();
        for (name, value) in [("host", "localhost:9090")].iter().chain(headers) {
            all.insert(*name, value.parse().unwrap());
        }
        let sender = Sender::of(UNKNOWN_PEER, &all, &[]);
        guard
            .admit(access, method, (&all, &sender))
            .await
            .map_or_else(|refusal| refusal.error.status.as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn a_right_says_what_a_request_needs() {
        let (open, closed) = (guard(&[]).await, guard(&["t0ken"]).await);
        let read_only = Guard { read_only: true, ..closed.clone() };
        let console = Access::console;
        let program = Access::program;
        let change = Right::Change(Role::Operator);
        let write = Right::Write(Role::Admin);
        for (guard, access, method, headers, expected) in [
            (&closed, console(Right::Open), Method::GET, &[][..], 200),
            (&closed, console(Right::Open), Method::POST, &[], 200),
            (&closed, console(Right::Open), Method::POST, &[OTHER_SITE], 403),
            (&closed, console(Right::Read), Method::GET, &[], 401),
            (&closed, console(Right::Read), Method::GET, &[LOGGED_IN, OTHER_SITE], 200),
            (&open, console(Right::Read), Method::GET, &[], 200),
            (&open, console(Right::Read), Method::POST, &[], 403),
            (&open, program(Right::Read), Method::POST, &[], 200),
            (&open, console(Right::Ask), Method::POST, &[], 403),
            (&read_only, console(Right::Ask), Method::POST, &[LOGGED_IN], 200),
            (&read_only, console(Right::Ask), Method::POST, &[LOGGED_IN, OTHER_SITE], 403),
            (&closed, program(Right::Ask), Method::POST, &[], 401),
            (&open, program(Right::Ask), Method::POST, &[OTHER_SITE], 200),
            (&open, console(change), Method::POST, &[], 403),
            (&closed, console(change), Method::POST, &[LOGGED_IN], 200),
            (&read_only, console(change), Method::POST, &[LOGGED_IN], 403),
            (&read_only, console(change), Method::GET, &[LOGGED_IN], 200),
            (&closed, program(change), Method::POST, &[], 401),
            (&open, program(change), Method::POST, &[], 200),
            (&open, program(change), Method::POST, &[OTHER_SITE], 403),
            (&read_only, program(change), Method::POST, &[LOGGED_IN], 403),
            (&read_only, program(change), Method::GET, &[LOGGED_IN], 200),
            (&open, program(write), Method::POST, &[], 200),
            (&open, program(write), Method::POST, &[OTHER_SITE], 403),
            (&read_only, program(write), Method::POST, &[LOGGED_IN], 403),
            (&read_only, program(Right::Ask), Method::POST, &[LOGGED_IN], 200),
            (&open, console(Right::Open), Method::GET, &[REBOUND], 421),
            (&open, console(Right::Read), Method::GET, &[REBOUND], 421),
            (&open, console(change), Method::POST, &[REBOUND], 421),
            (&open, program(change), Method::POST, &[REBOUND], 421),
            (&open, program(Right::Read), Method::GET, &[REBOUND], 421),
            (&open, program(Right::Ask), Method::GET, &[REBOUND], 421),
            (&open, program(Right::Read), Method::GET, &[("host", "10.0.0.7:9090")], 200),
            (&open, program(Right::Read), Method::GET, &[("host", "streamflow:9090")], 200),
            (&open, program(Right::Read), Method::GET, &[("host", "ops.example.com")], 200),
            (&open, program(Right::Open), Method::GET, &[REBOUND], 200),
            (&closed, program(Right::Read), Method::GET, &[LOGGED_IN, REBOUND], 200),
        ] {
            let found = status(guard, access, &method, headers).await;
            assert_eq!(found, expected, "{access:?} {method} {headers:?}, read-only: {}", guard.read_only);
        }
    }

    #[tokio::test]
    async fn a_role_may_do_what_its_routes_say() {
        let guard = guard(&["viewer:v", "operator:o", "admin:a"]).await;
        let [viewer, operator, admin] = ["Bearer v", "Bearer o", "Bearer a"];
        let (work, administer) = (Right::Change(Role::Operator), Right::Change(Role::Admin));
        for (right, allowed) in [
            (Right::Open, &[viewer, operator, admin][..]),
            (Right::Ask, &[viewer, operator, admin]),
            (work, &[operator, admin]),
            (administer, &[admin]),
            (Right::Write(Role::Admin), &[admin]),
            (Right::Read, &[admin]),
        ] {
            for access in [Access::console(right), Access::program(right)] {
                for caller in [viewer, operator, admin] {
                    let headers = [("authorization", caller)];
                    let expected = if allowed.contains(&caller) { 200 } else { 403 };
                    let found = status(&guard, access, &Method::POST, &headers).await;
                    assert_eq!(found, expected, "{access:?} {caller}");
                    assert_eq!(status(&guard, access, &Method::GET, &headers).await, 200, "{access:?}");
                }
            }
        }
        let headers: HeaderMap = [("host", "localhost"), ("authorization", viewer)]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect();
        let sender = Sender::of(UNKNOWN_PEER, &headers, &[]);
        let refused = guard.admit(Access::console(work), &Method::POST, (&headers, &sender)).await;
        let Err(Refusal { error: ResourceError { message, .. }, told_of: Some(_) }) = refused else {
            panic!("a viewer may work, or nobody is told")
        };
        assert_eq!(message, "this needs the role operator, and token 1 has the role viewer");
    }

    #[tokio::test]
    async fn a_server_knows_its_names() {
        let guard = guard(&[]).await;
        for (host, expected) in [
            ("localhost:9090", true),
            ("127.0.0.1:9090", true),
            ("[::1]:9090", true),
            ("10.0.0.7", true),
            ("streamflow:9090", true),
            ("shop.localhost", true),
            ("OPS.example.com.:443", true),
            ("evil.example", false),
            ("localhost.evil.example:9090", false),
            ("127.0.0.1.evil.example", false),
            ("ops.example.com.evil.example", false),
        ] {
            assert_eq!(guard.know_host(host).is_ok(), expected, "{host}");
        }
    }
}
