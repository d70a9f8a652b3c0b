//! What a caller needs for a request: every route is declared with its right.

use axum::routing::MethodRouter;

use crate::config::Role;

/// What the requests to a route do, and so what they need.
///
/// GET and HEAD only ever read: unless the route is open they need a login, of whatever role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Anybody may, to learn that a login is needed, to log in, or to see that the process lives.
    Open,
    /// Nothing but reading; every other method is taken for an admin's change until the route has refused it.
    Read,
    /// Other methods ask too, or act for the caller alone: any role may, and a read-only console answers them as well.
    Ask,
    /// Other methods change something that others see; the caller needs this role, and the audit trail tells of it.
    Change(Role),
    /// Other methods bring samples: the traffic of other servers, which needs this role and is no entry of the audit trail.
    Write(Role),
}

impl Right {
    /// The role that a request needs which does not only read; none where anybody who is known may.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Open | Self::Ask => None,
            Self::Read => Some(Role::Admin),
            Self::Change(role) | Self::Write(role) => Some(role),
        }
    }
}

/// Who sends the requests to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// The console's script: it carries the caller's token, and shows a login page of its own.
    Console,
    /// Programs and the browser itself, which know no token of ours.
    Program,
}

/// The right of a route and who uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub right: Right,
    pub client: Client,
}

impl Access {
    /// The access of a route that the console's script uses.
    pub const fn console(right: Right) -> Self {
        Self { right, client: Client::Console }
    }

    /// The access of a route that programs and the browser use.
    pub const fn program(right: Right) -> Self {
        Self { right, client: Client::Program }
    }
}

/// One route: its path, what it needs, what answers it.
pub struct Route<S> {
    pub path: &'static str,
    pub access: Access,
    pub methods: MethodRouter<S>,
}

/// The rights of Prometheus's API and of what a Prometheus server answers beside it, by path. A path that is not here
/// is read.
const PROMETHEUS: &[(&str, Right)] = &[
    ("/-/healthy", Right::Open),
    ("/-/ready", Right::Open),
    ("/-/reload", Right::Change(Role::Operator)),
    ("/api/v1/query", Right::Ask),
    ("/api/v1/query_range", Right::Ask),
    ("/api/v1/query_exemplars", Right::Ask),
    ("/api/v1/format_query", Right::Ask),
    ("/api/v1/parse_query", Right::Ask),
    ("/api/v1/series", Right::Ask),
    ("/api/v1/labels", Right::Ask),
    ("/api/v1/write", Right::Write(Role::Admin)),
    ("/api/v1/read", Right::Ask),
    ("/api/v1/otlp/v1/metrics", Right::Write(Role::Admin)),
    ("/api/v1/admin/tsdb/delete_series", Right::Change(Role::Operator)),
    ("/api/v1/admin/tsdb/clean_tombstones", Right::Change(Role::Operator)),
    ("/api/v1/admin/tsdb/snapshot", Right::Change(Role::Operator)),
];

/// The access of a path that no route answers, by the first beginning that fits: the program interfaces tell nobody
/// unknown what they have, and everything else is a file or a page of the console.
const UNROUTED: &[(&str, Access)] = &[
    ("/api/streamflow/", Access::console(Right::Read)),
    ("/api/", Access::program(Right::Read)),
    ("/-/", Access::program(Right::Read)),
    ("/reports/", Access::program(Right::Read)),
    ("/", Access::program(Right::Open)),
];

/// The access of a path of Prometheus's API.
pub fn prometheus(path: &str) -> Access {
    let row = PROMETHEUS.iter().find(|(known, _)| *known == path);
    Access::program(row.map_or(Right::Read, |(_, right)| *right))
}

/// The access of a path that no route answers.
pub fn unrouted(path: &str) -> Access {
    let row = UNROUTED.iter().find(|(beginning, _)| path.starts_with(beginning));
    row.map_or(Access::program(Right::Read), |(_, access)| *access)
}
