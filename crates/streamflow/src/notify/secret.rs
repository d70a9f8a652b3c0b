//! Where secrets of channels come from. They are read for each message and shown nowhere.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The place of a secret.
#[derive(Debug, Clone)]
pub enum Place {
    Variable(String),
    File(PathBuf),
}

impl Place {
    /// The place that the configuration names; none where it names none.
    pub fn of(variable: Option<&String>, file: Option<&PathBuf>, base: &Path) -> Option<Self> {
        variable.map(|name| Self::Variable(name.clone())).or(file.map(|path| Self::File(base.join(path))))
    }

    /// The secret, without blanks around it.
    pub async fn read(&self) -> anyhow::Result<String> {
        let (text, place) = match self {
            Self::Variable(name) => (
                std::env::var(name).ok().with_context(|| format!("the variable {name} is not set"))?,
                format!("the variable {name}"),
            ),
            Self::File(path) => {
                let text = tokio::fs::read_to_string(path).await;
                (text.with_context(|| format!("cannot read {}", path.display()))?, path.display().to_string())
            }
        };
        match text.trim() {
            "" => bail!("{place} is empty"),
            secret => Ok(secret.to_owned()),
        }
    }
}
