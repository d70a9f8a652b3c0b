//! Which results of steps another run may take over: those of the same inputs.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use streamflow_dataset::Period;

use crate::random::hex;
use crate::workspace::Workspace;

/// A hash of everything that the result of a step is made of, the version of the product included.
pub struct Inputs(Sha256);

impl Inputs {
    pub fn of(step: &str) -> Self {
        let mut inputs = Self(Sha256::new());
        inputs.add_bytes(env!("CARGO_PKG_VERSION").as_bytes());
        inputs.add_bytes(step.as_bytes());
        inputs
    }

    /// Adds a value as its JSON.
    pub fn add(mut self, value: &impl Serialize) -> anyhow::Result<Self> {
        self.add_bytes(&serde_json::to_vec(value)?);
        Ok(self)
    }

    /// Adds the content of a file.
    pub fn add_file(mut self, path: &Path) -> anyhow::Result<Self> {
        let content = std::fs::read(path)
            .with_context(|| format!("cannot read {}, which the step names in inputs", path.display()))?;
        self.add_bytes(&content);
        Ok(self)
    }

    /// Adds the tables that are known at a month: what was ingested until then, and how it is read.
    pub fn add_tables(self, workspace: &Workspace, month: Period) -> anyhow::Result<Self> {
        let mut known = workspace.snapshots.snapshots()?;
        known.retain(|snapshot| snapshot.as_of <= month);
        self.add(&workspace.config.dataset)?.add(&known)
    }

    /// The hash in hexadecimal digits.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }

    /// The length goes first: what is added twice is not what is added at once.
    fn add_bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_inputs_have_another_hash() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, "ab").unwrap();
        std::fs::write(&b, "abc").unwrap();
        let hash = |step, values: &[&str], path: &Path| {
            let inputs = Inputs::of(step).add_file(path).unwrap();
            values.iter().fold(inputs, |inputs, value| inputs.add(value).unwrap()).finish()
        };
        let all = [
            hash("train", &[], &a),
            hash("train", &[], &b),
            hash("train", &["x", "y"], &a),
            hash("train", &["xy"], &a),
            hash("compare", &["xy"], &a),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], hash("train", &[], &a));
        let missing = Inputs::of("train").add_file(&dir.path().join("gone")).err().unwrap();
        assert!(missing.to_string().contains("which the step names in inputs"), "{missing}");
    }
}
