//! Files that `scrape_config_files` names.

use std::path::Path;

use super::{ConfigError, Document, PrometheusConfig, ScrapeConfig, first_document, unreadable};
use crate::keys::Place;
use crate::yaml::{self, Tree};

impl Document {
    /// Takes the jobs of a file that `scrape_config_files` names. Its paths are relative to its own directory.
    ///
    /// # Errors
    /// The line, the value and what was expected; a job that is there already.
    pub fn add_scrape_configs(&mut self, text: &str, path: &Path) -> Result<(), ConfigError> {
        let text = first_document(text);
        let fault = |line, message| ConfigError { path: path.to_owned(), line, message };
        let tree: Option<Tree> = yaml::tree(text).map_err(|error| unreadable(path, &error))?;
        let Some(tree @ Tree::Map(_)) = tree else {
            let empty = tree.as_ref().is_none_or(Tree::is_null);
            let expected = || fault(1, "expected a mapping with the key scrape_configs".to_owned());
            return if empty { Ok(()) } else { Err(expected()) };
        };
        tree.check(Place::ScrapeFile, &mut self.warnings)
            .map_err(|unknown| fault(unknown.line, unknown.message))?;
        let mut more = PrometheusConfig::of(text, &tree).map_err(|error| unreadable(path, &error))?;
        more.global = self.config.global.clone();
        more.complete().map_err(|(steps, message)| {
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            fault(tree.line(&steps), message)
        })?;
        more.resolve(path.parent().unwrap_or(Path::new("")));
        for (index, scrape) in more.scrape_configs.into_iter().enumerate() {
            if self.config.scrape_configs.iter().any(|known: &ScrapeConfig| known.job_name == scrape.job_name)
            {
                let line = tree.line(&["scrape_configs", &index.to_string(), "job_name"]);
                return Err(fault(line, format!("the job {:?} is there twice", scrape.job_name)));
            }
            self.config.scrape_configs.push(scrape);
        }
        Ok(())
    }
}
