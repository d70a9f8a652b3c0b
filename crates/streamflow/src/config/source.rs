//! `[dataset.source]`: where the tables of the dataset are when no drop is named.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use streamflow_dataset::DatasetSpec;

use super::postgres_url::Place;

/// The variable with the URL where nothing else is said.
const URL_ENV: &str = "STREAMFLOW_TABLES_URL";
/// What stands for the date in a query.
const AS_OF: &str = "$as_of";

/// `[dataset.source]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceConfig {
    postgres: PostgresTables,
}

/// `[dataset.source.postgres]`: tables of a Postgres database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresTables {
    /// The environment variable that holds the URL of the database.
    pub url_env: String,
    /// A file that holds it, in the place of the variable; relative to the configuration file.
    pub url_file: Option<PathBuf>,
    /// The schema of the tables; none: where the user of the URL looks first (`search_path`).
    pub schema: Option<String>,
    /// The column that says of which date a row is.
    pub as_of_column: String,
    /// Longest silence of the server.
    pub timeout_seconds: NonZeroU32,
    /// What the tables of the dataset are read from, by their names there.
    pub tables: BTreeMap<String, TableOrigin>,
    /// Not a setting: it says where the URL belongs.
    url: Option<Value>,
}

/// What a table of the dataset is read from. Without anything it is the table `NAME_snapshots`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableOrigin {
    /// A table or a view.
    table: Option<String>,
    /// A query, in which `$as_of` stands for the date.
    pub query: Option<String>,
    /// Whether it has what is now, and of no other date.
    live: bool,
}

impl Default for PostgresTables {
    fn default() -> Self {
        Self {
            url_env: URL_ENV.to_owned(),
            url_file: None,
            schema: None,
            as_of_column: "as_of".to_owned(),
            timeout_seconds: const { NonZeroU32::new(300).expect("300 is not 0") },
            tables: BTreeMap::new(),
            url: None,
        }
    }
}

impl TableOrigin {
    /// The table of the database that stands for the table `name`.
    pub fn table(&self, name: &str) -> String {
        self.table.clone().unwrap_or_else(|| format!("{name}_snapshots"))
    }

    /// What it is read from, for messages.
    pub fn shown(&self, name: &str) -> String {
        match &self.query {
            Some(_) => format!("the query of {name}"),
            None => self.table(name),
        }
    }

    /// Whether its rows are chosen by their date.
    pub fn is_dated(&self) -> bool {
        self.query.is_none() && !self.live
    }

    /// The table that a snapshot is written to: the one that it is read from where that has rows of all dates.
    pub fn target(&self, name: &str) -> String {
        if self.is_dated() { self.table(name) } else { format!("{name}_snapshots") }
    }

    fn check(&self, of: &str) -> anyhow::Result<()> {
        ensure!(
            self.table.is_none() || self.query.is_none(),
            "{of} has a table and a query; keep one of them"
        );
        if let Some(table) = &self.table {
            check_name(&format!("{of}.table"), table)?;
        }
        let says_date = self.query.as_ref().is_none_or(|query| query.contains(AS_OF));
        ensure!(
            says_date || self.live,
            "{of}.query does not say {AS_OF}, so it gives the same rows for every date; choose by it, as in WHERE as_of = {AS_OF}, or add live = true if it gives what is now"
        );
        ensure!(
            self.table.is_some() || self.query.is_some() || !self.live,
            "{of}.live is set without a table or a query; name the live table with {of}.table"
        );
        Ok(())
    }
}

/// Refuses what is no name of a table or a schema.
fn check_name(of: &str, name: &str) -> anyhow::Result<()> {
    let is_part = |part: &str| !part.is_empty() && part.len() <= 63 && !part.contains('\0');
    ensure!(
        name.split('.').count() <= 2 && name.split('.').all(is_part),
        "{of} is {name:?}; expected the name of a table, such as users_snapshots, perhaps after that of its schema, as in shop.users_snapshots"
    );
    Ok(())
}

impl PostgresTables {
    /// The section of a dataset; none where it has none.
    ///
    /// # Errors
    /// What it says wrong, with the remedy.
    pub fn of(dataset: &DatasetSpec) -> anyhow::Result<Option<Self>> {
        let Some(source) = &dataset.source else { return Ok(None) };
        if source.get("postgres").is_some_and(Value::is_string) {
            bail!(
                "dataset.source.postgres is a text; a URL holds a password, and this file is no place for one: put it into the environment variable {URL_ENV}, and write [dataset.source.postgres] here"
            );
        }
        let read: SourceConfig = serde_json::from_value(source.clone()).map_err(|error| {
            let hint = super::hints::suggestion(&error.to_string())
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            anyhow::anyhow!("dataset.source: {error}{hint}")
        })?;
        read.postgres.check(dataset)?;
        Ok(Some(read.postgres))
    }

    fn check(&self, dataset: &DatasetSpec) -> anyhow::Result<()> {
        let of = "dataset.source.postgres";
        ensure!(
            self.url.is_none(),
            "{of}.url is not read: a URL holds a password, and this file is no place for one. Put the URL into the environment variable {URL_ENV} ({of}.url_env names another), or into a file that {of}.url_file names"
        );
        let is_variable = |name: &str| {
            !name.starts_with(|c: char| c.is_ascii_digit())
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        ensure!(
            is_variable(&self.url_env),
            "{of}.url_env is not the name of an environment variable; expected one such as {URL_ENV}, which holds the URL of the database"
        );
        if let Some(schema) = &self.schema {
            check_name(&format!("{of}.schema"), schema)?;
            ensure!(!schema.contains('.'), "{of}.schema is {schema:?}; expected a name without a point");
        }
        check_name(&format!("{of}.as_of_column"), &self.as_of_column)?;
        for (name, origin) in &self.tables {
            let of = format!("{of}.tables.{name}");
            if !dataset.tables.contains_key(name) {
                let near = super::nearest(name, dataset.tables.keys().map(String::as_str));
                let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                bail!("{of} is of no table of the dataset: [dataset.tables] names them{hint}");
            }
            origin.check(&of)?;
        }
        let own = dataset.tables.iter().find(|(_, table)| table.columns.contains_key(&self.as_of_column));
        if let Some((name, _)) = own {
            bail!(
                "{of}.as_of_column is {:?}, which is a column of {name} itself; name the column of the database that says the date of a row",
                self.as_of_column
            );
        }
        Ok(())
    }

    /// What the table `name` of the dataset is read from.
    pub fn origin(&self, name: &str) -> TableOrigin {
        self.tables.get(name).cloned().unwrap_or_default()
    }

    /// The URL of the database; `base` is the folder of the configuration.
    ///
    /// # Errors
    /// There is none, or it is none of a Postgres database. What it holds is never told.
    pub fn url(&self, base: &Path) -> anyhow::Result<Url> {
        let file = self.url_file.as_ref().map(|file| base.join(file));
        let file_key = "dataset.source.postgres.url_file";
        Place { file: file.as_deref(), file_key, variable: &self.url_env, of: "database" }.url()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> anyhow::Result<Option<PostgresTables>> {
        let dataset: DatasetSpec = toml::from_str(&format!(
            "entity = \"id\"\nentity_table = \"users\"\nfeatures = [\"hours\"]\n\
             label = {{ table = \"users\", column = \"gone\" }}\n\
             tables.users.columns = {{ id = \"string\", hours = \"float\", gone = \"boolean\", day = \"date\" }}\n{source}"
        ))
        .unwrap();
        PostgresTables::of(&dataset)
    }

    #[test]
    fn a_section_says_what_each_table_is_read_from() {
        assert_eq!(of("").unwrap(), None);
        let plain = of("[source.postgres]").unwrap().unwrap();
        assert_eq!(plain, PostgresTables::default());
        assert_eq!(plain.origin("users").table("users"), "users_snapshots");
        assert!(plain.origin("users").is_dated());
        let live =
            of("[source.postgres.tables]\nusers = { table = \"shop.users\", live = true }").unwrap().unwrap();
        let origin = live.origin("users");
        assert_eq!((origin.shown("users").as_str(), origin.is_dated()), ("shop.users", false));
        assert_eq!(origin.target("users"), "users_snapshots");
    }

    #[test]
    fn what_is_wrong_names_the_key_and_the_remedy_and_no_secret() {
        for (source, expected) in [
            (
                "source.postgres = \"postgres://ana:secret@db/x\"",
                "the environment variable STREAMFLOW_TABLES_URL",
            ),
            ("[source.postgres]\nurl = \"postgres://ana:secret@db/x\"", "url is not read"),
            (
                "[source.postgres]\nurl_env = \"postgres://ana:secret@db/x\"",
                "not the name of an environment variable",
            ),
            ("[source.postgres]\nschemas = \"x\"", "did you mean `schema`?"),
            ("[source.postgres]\nschema = \"a.b\"", "without a point"),
            ("[source.postgres]\nas_of_column = \"day\"", "which is a column of users itself"),
            ("[source.postgres]\ntimeout_seconds = 0", "nonzero"),
            ("[source.mysql]", "unknown field `mysql`"),
            ("[source.postgres.tables]\nuser = {}", "did you mean users?"),
            ("[source.postgres.tables]\nusers = { table = \"a.b.c\" }", "expected the name of a table"),
            ("[source.postgres.tables]\nusers = { table = \"a\", query = \"$as_of\" }", "keep one of them"),
            ("[source.postgres.tables]\nusers = { query = \"SELECT 1\" }", "does not say $as_of"),
            ("[source.postgres.tables]\nusers = { live = true }", "without a table or a query"),
        ] {
            let said = format!("{:#}", of(source).unwrap_err());
            assert!(said.contains(expected) && !said.contains("secret"), "{source}: {said}");
        }
    }

    #[test]
    fn the_url_is_read_from_a_file_and_never_told() {
        let dir = tempfile::tempdir().unwrap();
        let settings = PostgresTables { url_file: Some("url".into()), ..PostgresTables::default() };
        let refusal = |written: &str| {
            std::fs::write(dir.path().join("url"), written).unwrap();
            format!("{:#}", settings.url(dir.path()).unwrap_err())
        };
        assert!(refusal(" \n").contains("holds no URL of a Postgres database"));
        for written in ["mysql://ana:secret@db/x", "ana:secret@db"] {
            let said = refusal(written);
            assert!(said.contains("is no URL of a Postgres database") && !said.contains("secret"), "{said}");
        }
        std::fs::write(dir.path().join("url"), "postgres://ana:secret@db/x\n").unwrap();
        assert_eq!(settings.url(dir.path()).unwrap().host_str(), Some("db"));
    }
}
