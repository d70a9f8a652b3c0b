//! The configuration, and the files of secrets that it names.

use std::path::{Path, PathBuf};

use super::machine::readers;
use super::{Found, Project};
use crate::config::{Config, PostgresTables};
use crate::flows::catalog;
use crate::templates::ENV;
use crate::terminal::one_line;

/// What `streamflow check` says.
pub fn configuration(project: &Project) -> Vec<Found> {
    vec![match catalog::check(&project.config) {
        Ok(()) => Found::ok("the configuration is valid"),
        Err(error) => Found::wrong(one_line(&error), "mend it; `streamflow check` says whether it is valid"),
    }]
}

/// Who else may read the files of secrets.
pub fn files(project: &Project) -> Vec<Found> {
    let files = named(project);
    if files.is_empty() {
        return vec![Found::ok("no file of secrets is named")];
    }
    let keys = key_file(&project.config);
    files.iter().map(|(name, file)| of_file(name, file)).chain(keys).collect()
}

/// What is wrong with a key file that can be read.
fn key_file(config: &Config) -> Option<Found> {
    let mut api = config.api.clone();
    let file = api.key_file.clone().filter(|file| std::fs::read(file).is_ok())?;
    let error = api.read_key_file().err()?;
    let remedy = format!("mend the lines of {}: `up` and `serve` do not start with it", file.display());
    Some(Found::wrong(one_line(&error), remedy))
}

/// The files, with the key that names each.
fn named(project: &Project) -> Vec<(String, PathBuf)> {
    let config = &project.config;
    let mut files = Vec::new();
    // Those of TLS are found from the configuration file already.
    for (name, tls) in [("api.tls.key_file", &config.api.tls), ("console.tls.key_file", &config.console.tls)]
    {
        files.extend(tls.as_ref().map(|tls| (name.to_owned(), tls.key_file.clone())));
    }
    let mut add = |name: String, file: Option<&PathBuf>| {
        files.extend(file.map(|file| (name, config.base.join(file))));
    };
    add("api.key_file".into(), config.api.key_file.as_ref());
    add("store.url_file".into(), config.store.url_file.as_ref());
    // What is wrong with the section is told of the configuration.
    if let Ok(Some(tables)) = PostgresTables::of(&config.dataset) {
        add("dataset.source.postgres.url_file".to_owned(), tables.url_file.as_ref());
    }
    for (channel, settings) in &config.notify {
        for (key, file) in [
            ("url_file", &settings.url_file),
            ("secret_file", &settings.secret_file),
            ("password_file", &settings.password_file),
        ] {
            add(format!("notify.{channel}.{key}"), file.as_ref());
        }
    }
    let passwords = PathBuf::from(ENV);
    add(ENV.into(), Some(&passwords).filter(|file| config.base.join(file).exists()));
    files
}

fn of_file(name: &str, file: &Path) -> Found {
    let shown = file.display();
    match readers(file) {
        Ok(0) => Found::ok(format!("{name} {shown} is its owner's alone")),
        Ok(mode) if mode & 0o007 != 0 => Found::wrong(
            format!("everybody on this machine can read {name} {shown}"),
            format!("chmod 600 {shown}"),
        ),
        Ok(_) => Found::warn(
            format!("the group of {name} {shown} can read it"),
            format!("chmod 600 {shown}, unless the group is the server's own"),
        ),
        Err(error) => Found::wrong(
            format!("{name} {shown} cannot be read: {error}"),
            "make the file, or take the key out of the configuration",
        ),
    }
}
