//! What a request may ask: model files by their names, loaded and unloaded at run time, or the version of the registry
//! that is served.
//!
//! A request holds the model that answers it, so that it is answered to its end while the model is replaced or unloaded.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use arc_swap::ArcSwapOption;
use streamflow_inference::ReadOptions;
use tokio::sync::Mutex;

use super::error::ApiError;
use super::features::FileModel;
use super::observed::Asked;
use crate::model_file::ModelFile;
use crate::serving::{Served, Serving};
use crate::terminal::one_line;

/// A name that the path of a route has.
const TAKEN: &str = "batch";

/// The models of one prediction API.
pub struct Models {
    files: Vec<Named>,
    served: Served,
    /// Held while a file is read: models are large, so one is read at a time.
    reading: Mutex<()>,
}

/// A model file under its name.
struct Named {
    name: String,
    /// Where it is read again from.
    path: Option<PathBuf>,
    current: ArcSwapOption<FileModel>,
}

/// A model file and the name that it is asked for by.
#[derive(Debug)]
pub struct NamedFile {
    pub name: String,
    pub model: FileModel,
    /// Where it is read again from.
    pub path: Option<PathBuf>,
}

impl NamedFile {
    /// Reads `FILE` or `NAME=FILE`; without a name it has that of the file, without its ending.
    ///
    /// # Errors
    /// A file that is no model; a name that no path can have.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let whole = PathBuf::from(text);
        let (name, path) = match text.split_once('=') {
            Some((name, path)) if !whole.exists() => (Some(name.to_owned()), PathBuf::from(path)),
            _ => (None, whole),
        };
        let file = ModelFile::read(&path)?;
        let name =
            name.unwrap_or_else(|| file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        check_name(&name)?;
        let model = FileModel::new(name.clone(), file.model(ReadOptions::default())?);
        Ok(Self { name, model, path: Some(path) })
    }
}

fn check_name(name: &str) -> anyhow::Result<()> {
    if name == TAKEN {
        bail!(
            "the name {TAKEN} is that of the route /predict/{TAKEN}; give the model another one: --model NAME=FILE"
        );
    }
    if name.is_empty() || name.len() > 200 || name.contains(|c: char| c == '/' || c.is_control()) {
        bail!("{name:?} is no name of a model; expected 1 to 200 bytes without a slash: --model NAME=FILE");
    }
    Ok(())
}

/// A model as the repository lists it.
pub struct Listed {
    pub name: String,
    pub version: Option<String>,
    pub is_ready: bool,
}

/// What answers a request.
#[derive(Clone)]
pub enum Target {
    File(Arc<FileModel>),
    Version(Arc<Serving>),
}

impl Models {
    /// The version of the registry that is served.
    pub fn of_registry(served: Served) -> Self {
        Self { files: Vec::new(), served, reading: Mutex::default() }
    }

    /// Model files.
    ///
    /// # Errors
    /// Two of one name.
    pub fn of_files(files: Vec<NamedFile>) -> anyhow::Result<Self> {
        let mut named: Vec<Named> = Vec::new();
        for NamedFile { name, model, path } in files {
            if named.iter().any(|known| known.name == name) {
                bail!("two models have the name {name:?}; give one of them another: --model NAME=FILE");
            }
            named.push(Named { name, path, current: Some(Arc::new(model)).into() });
        }
        Ok(Self { files: named, served: Served::default(), reading: Mutex::default() })
    }

    /// Whether model files are served.
    pub fn are_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Whether a model file is loaded, or the registry's version.
    pub fn is_ready(&self) -> bool {
        self.files.iter().any(|named| named.current.load().is_some()) || self.served.load().is_some()
    }

    /// The model files that are loaded.
    pub fn loaded(&self) -> Vec<Arc<FileModel>> {
        self.files.iter().filter_map(|named| named.current.load_full()).collect()
    }

    /// The model file that answers where no model is named; `None` where the registry's version does.
    ///
    /// # Errors
    /// There are several, or it is unloaded.
    pub fn unnamed(&self) -> Result<Option<Arc<FileModel>>, ApiError> {
        match &self.files[..] {
            [] => Ok(None),
            [one] => one.loaded().map(Some),
            several => {
                let names: Vec<&str> = several.iter().map(|named| named.name.as_str()).collect();
                Err(ApiError::UnnamedModel(names.join(", ")))
            }
        }
    }

    /// The model file that is asked for by its name or by none; `None` where the registry's version answers.
    ///
    /// # Errors
    /// As [`Models::unnamed`] and [`Models::find`].
    pub fn file(&self, name: Option<&str>) -> Result<Option<Arc<FileModel>>, ApiError> {
        let Some(name) = name else { return self.unnamed() };
        match self.find(name, None)? {
            Target::File(file) => Ok(Some(file)),
            Target::Version(_) => Ok(None),
        }
    }

    /// The only model, for protocols that name none.
    ///
    /// # Errors
    /// There are several, or none is loaded.
    pub fn only(&self) -> Result<Target, ApiError> {
        match self.unnamed()? {
            Some(file) => Ok(Target::File(file)),
            None => Ok(Target::Version(self.served.load_full().ok_or(ApiError::NotReady)?)),
        }
    }

    /// The model of this name and version.
    ///
    /// # Errors
    /// There is none, or the registry's is not loaded yet.
    pub fn find(&self, name: &str, version: Option<&str>) -> Result<Target, ApiError> {
        let unknown = |version: Option<&str>| ApiError::NoModel {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        let target = if self.are_files() {
            let named = self.files.iter().find(|named| named.name == name).ok_or_else(|| unknown(None))?;
            Target::File(named.loaded()?)
        } else {
            let serving = self.served.load_full().ok_or(ApiError::NotReady)?;
            if serving.model_name != name {
                return Err(unknown(None));
            }
            let canary = serving.canary.load();
            let loaded = canary.as_ref().and_then(|canary| canary.loaded.as_ref().ok());
            let candidate = loaded.map(|loaded| &loaded.candidate);
            let named = candidate.filter(|candidate| Some(candidate.model_version.as_str()) == version);
            Target::Version(named.cloned().unwrap_or(serving))
        };
        match version {
            Some(version) if target.version() != Some(version) => Err(unknown(Some(version))),
            _ => Ok(target),
        }
    }

    /// The model that answers this request: that of the name and the version, or the only one; where a canary has a share of
    /// the entities, the version that the body is routed to. A request that names its version is answered by it.
    ///
    /// # Errors
    /// As [`Models::find`] and [`Models::only`].
    pub fn answering(
        &self,
        name: Option<&str>,
        version: Option<&str>,
        asked: &Asked,
        body: &[u8],
    ) -> Result<Target, ApiError> {
        let target = match name {
            Some(name) => self.find(name, version)?,
            None => self.only()?,
        };
        Ok(match &target {
            Target::Version(serving) if version.is_none() => {
                asked.route(serving, || body.into()).map_or(target, Target::Version)
            }
            _ => target,
        })
    }

    /// Puts another model in the place of the one of this name, unless that is unloaded.
    pub fn replace(&self, name: &str, model: FileModel) {
        let named = self.files.iter().find(|named| named.name == name);
        if let Some(named) = named.filter(|named| named.current.load().is_some()) {
            named.current.store(Some(Arc::new(model)));
        }
    }

    /// All models, loaded or not.
    pub fn listed(&self) -> Vec<Listed> {
        let file = |named: &Named| Listed {
            name: named.name.clone(),
            version: None,
            is_ready: named.current.load().is_some(),
        };
        let serving = self.served.load();
        let version = serving.iter().map(|serving| Listed {
            name: serving.model_name.clone(),
            version: Some(serving.model_version.clone()),
            is_ready: true,
        });
        self.files.iter().map(file).chain(version).collect()
    }

    /// Reads a model's file, which may be another than before, and puts it in place; what the registry serves is
    /// kept up to date by itself.
    ///
    /// # Errors
    /// No such model; a file that is no model, and then the one of before stays.
    pub async fn load(&self, name: &str) -> Result<(), ApiError> {
        if !self.are_files() {
            return self.find(name, None).map(|_| ());
        }
        let named = self.files.iter().find(|named| named.name == name);
        let named = named.ok_or_else(|| ApiError::NoModel { name: name.to_owned(), version: None })?;
        let Some(path) = named.path.clone() else { return named.loaded().map(|_| ()) };
        let _reading = self.reading.lock().await;
        let read = tokio::task::spawn_blocking(move || ModelFile::read(&path)?.model(ReadOptions::default()));
        let read = read.await.map_err(|_| ApiError::Internal)?;
        let model = read.map_err(|error| {
            // The path is the operator's, not the client's.
            tracing::error!(model = name, "cannot load the model: {}", one_line(&error));
            ApiError::Input(format!("Model {name} cannot be loaded: {}", error.root_cause()))
        })?;
        named.current.store(Some(Arc::new(FileModel::new(name.to_owned(), model))));
        Ok(())
    }

    /// Takes a model file out of service.
    ///
    /// # Errors
    /// No such model is loaded; it is the registry's.
    pub async fn unload(&self, name: &str) -> Result<(), ApiError> {
        if !self.are_files() {
            self.find(name, None)?;
            return Err(ApiError::Input(format!(
                "Model {name} is the registry's version in production, which cannot be unloaded; \
                 `streamflow models promote` and `rollback` choose another"
            )));
        }
        let _reading = self.reading.lock().await;
        let named = self.files.iter().find(|named| named.name == name);
        let unloaded = named.and_then(|named| named.current.swap(None));
        unloaded.map(|_| ()).ok_or_else(|| ApiError::NoModel { name: name.to_owned(), version: None })
    }
}

impl Named {
    fn loaded(&self) -> Result<Arc<FileModel>, ApiError> {
        let unknown = || ApiError::NoModel { name: self.name.clone(), version: None };
        self.current.load_full().ok_or_else(unknown)
    }
}

impl Target {
    /// The name that it is asked for by.
    pub fn name(&self) -> &str {
        match self {
            Target::File(file) => &file.name,
            Target::Version(serving) => &serving.model_name,
        }
    }

    /// The library whose model it is, in small letters.
    pub fn platform(&self) -> String {
        match self {
            Target::File(file) => file.model().format().library().to_lowercase(),
            Target::Version(_) => "streamflow".to_owned(),
        }
    }

    /// Its version; a file has none.
    pub fn version(&self) -> Option<&str> {
        match self {
            Target::File(_) => None,
            Target::Version(serving) => Some(&serving.model_version),
        }
    }
}
