//! Model files of other libraries: found in a folder, bounded in size, read.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use streamflow_inference::{MAX_FILE_BYTES, Model, ReadOptions};

/// The names under which libraries and MLflow keep a model in a folder.
const NAMES: [&str; 8] =
    ["model.json", "model.ubj", "model.xgb", "model.txt", "model.lgb", "model.onnx", "model.cb", "model.pkl"];

/// A model file in memory.
pub struct ModelFile {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

impl ModelFile {
    /// Reads a file, or the one model file of a folder such as those of MLflow.
    ///
    /// # Errors
    /// A path that is not there, a folder without a model or with several, a file larger than any model.
    pub fn read(path: &Path) -> anyhow::Result<ModelFile> {
        let path = if path.is_dir() { in_folder(path)? } else { path.to_path_buf() };
        let shown = path.display();
        let file = File::open(&path).with_context(|| format!("cannot read {shown}"))?;
        let size_bytes = file.metadata().with_context(|| format!("cannot read {shown}"))?.len();
        let too_large = |size_bytes: u64| {
            anyhow::anyhow!("{shown} has {size_bytes} bytes; a model file may have {MAX_FILE_BYTES}")
        };
        if size_bytes > MAX_FILE_BYTES {
            return Err(too_large(size_bytes));
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {shown}"))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(ModelFile { path, bytes })
    }

    /// The name of the file without its folder.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The model in the file.
    ///
    /// # Errors
    /// What is no model, or is not evaluated.
    pub fn model(&self, options: ReadOptions) -> anyhow::Result<Model> {
        Model::read_with(&self.bytes, options).with_context(|| format!("cannot use {}", self.path.display()))
    }
}

fn in_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let found: Vec<PathBuf> =
        NAMES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => bail!(
            "the folder {} has no model file; expected one of {}, or name the file itself",
            folder.display(),
            NAMES.join(", ")
        ),
        several => {
            let names: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            bail!("the folder {} has several model files; name one: {}", folder.display(), names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_model_of_a_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| ModelFile::read(path).map(|_| ()).unwrap_err().to_string();
        assert!(error(folder.path()).contains("has no model file; expected one of model.json, model.ubj"));
        std::fs::write(folder.path().join("MLmodel"), "flavors: {}").unwrap();
        std::fs::write(folder.path().join("model.ubj"), "{L").unwrap();
        assert_eq!(ModelFile::read(folder.path()).unwrap().name(), "model.ubj");
        std::fs::write(folder.path().join("model.json"), "{}").unwrap();
        assert!(error(folder.path()).contains("has several model files; name one"));
        assert!(error(&folder.path().join("other")).starts_with("cannot read "));
        // Sparse: it takes no room.
        let large = folder.path().join("large.onnx");
        File::create(&large).unwrap().set_len(2 << 30).unwrap();
        assert!(error(&large).ends_with("has 2147483648 bytes; a model file may have 268435456"));
    }
}
