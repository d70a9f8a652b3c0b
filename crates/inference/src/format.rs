//! What kind of file this is, and the reasons why other kinds are no models.

use std::borrow::Cow;
use std::fmt;

use crate::Error;

/// A format of model files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `Booster.save_model("….json")`.
    XgboostJson,
    /// `Booster.save_model("….ubj")`: the same keys as UBJSON.
    XgboostUbj,
    /// `Booster.save_model` of LightGBM.
    LightgbmText,
    /// `save_model(…, format="json")` of CatBoost.
    CatboostJson,
    /// A graph of operators as protobuf.
    Onnx,
}

impl Format {
    /// The library whose format it is.
    pub fn library(self) -> &'static str {
        match self {
            Format::XgboostJson | Format::XgboostUbj => "XGBoost",
            Format::LightgbmText => "LightGBM",
            Format::CatboostJson => "CatBoost",
            Format::Onnx => "ONNX",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::XgboostJson => "XGBoost JSON",
            Format::XgboostUbj => "XGBoost UBJSON",
            Format::LightgbmText => "LightGBM text",
            Format::CatboostJson => "CatBoost JSON",
            Format::Onnx => "ONNX",
        })
    }
}

/// Most bytes of a model file: what is read of it lies in memory several times as large.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// How files begin that are taken for models, and why they are not read.
const OTHERS: &[(&[u8], &str)] = &[
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"(dp0", PICKLE),
    (b"ccopy_reg", PICKLE),
    (
        b"\x78\x9c",
        "this looks like a compressed pickle (joblib), which is Python code and is never run here; save the model in its library's own format or as ONNX",
    ),
    (
        b"\x78\x01",
        "this looks like a compressed pickle (joblib), which is Python code and is never run here; save the model in its library's own format or as ONNX",
    ),
    (
        b"PK\x03\x04",
        "this is a zip archive (skops, PyTorch or Keras), not a model file; save the model in its library's own format or as ONNX",
    ),
    (b"CBM1", "this is CatBoost's binary format; save the model with save_model(FILE, format=\"json\")"),
    (b"binf", "this is XGBoost's old binary format; load it with XGBoost and save_model it as .json or .ubj"),
    (b"bs64", "this is XGBoost's old binary format; load it with XGBoost and save_model it as .json or .ubj"),
    (b"\x89HDF", "this is an HDF5 file (Keras); convert the model to ONNX"),
    (b"<?xml", "this is XML (PMML?); convert the model to ONNX"),
    (b"PAR1", "this is a Parquet file, not a model"),
];

const PICKLE: &str = "this is a pickle, which is Python code and is never run here; save the model in its library's own \
                      format (XGBoost .json or .ubj, LightGBM .txt, CatBoost JSON) or as ONNX";

/// Tells formats apart by how files begin.
///
/// # Errors
/// [`Error::NotAModel`] with the reason.
pub(crate) fn detect(bytes: &[u8]) -> Result<Format, Error> {
    let no = |reason: &str| Err(Error::NotAModel(reason.to_owned()));
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return no(&format!("the file has {} bytes; a model may have {MAX_FILE_BYTES}", bytes.len()));
    }
    if bytes.is_empty() {
        return no("the file is empty; expected a model of XGBoost, LightGBM, CatBoost or ONNX");
    }
    if let Some((_, reason)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return no(reason);
    }
    if bytes.starts_with(b"{L") {
        return Ok(Format::XgboostUbj);
    }
    if bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n") {
        return Ok(Format::LightgbmText);
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => json(bytes),
        // The first field of an ONNX model is its version as a number.
        Some(0x08) => Ok(Format::Onnx),
        _ => no("this is no model file that is known here; expected XGBoost JSON or UBJSON, LightGBM text, \
                 CatBoost JSON or ONNX"),
    }
}

/// The keys by which JSON files are told apart.
#[derive(serde::Deserialize)]
struct Keys {
    learner: Option<serde::de::IgnoredAny>,
    features_info: Option<serde::de::IgnoredAny>,
    tree_info: Option<serde::de::IgnoredAny>,
}

/// JSON as it is defined, of JSON as XGBoost writes it: a bare NaN becomes null, an infinity a text.
pub(crate) fn plain_json(bytes: &[u8]) -> Cow<'_, [u8]> {
    const BARE: [(&[u8], &[u8]); 3] =
        [(b"NaN", b"null"), (b"-Infinity", b"\"-Infinity\""), (b"Infinity", b"\"Infinity\"")];
    let mut plain: Option<Vec<u8>> = None;
    let (mut at, mut copied, mut in_text) = (0, 0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => at += 1,
            b'N' | b'I' | b'-' if !in_text => {
                if let Some((bare, quoted)) = BARE.iter().find(|(bare, _)| bytes[at..].starts_with(bare)) {
                    let plain = plain.get_or_insert_default();
                    plain.extend_from_slice(&bytes[copied..at]);
                    plain.extend_from_slice(quoted);
                    at += bare.len() - 1;
                    copied = at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    match plain {
        None => Cow::Borrowed(bytes),
        Some(mut plain) => {
            plain.extend_from_slice(&bytes[copied..]);
            Cow::Owned(plain)
        }
    }
}

fn json(bytes: &[u8]) -> Result<Format, Error> {
    let keys: Keys = serde_json::from_slice(&plain_json(bytes))
        .map_err(|error| Error::NotAModel(format!("this is no sound JSON: {error}")))?;
    match keys {
        Keys { learner: Some(_), .. } => Ok(Format::XgboostJson),
        Keys { features_info: Some(_), .. } => Ok(Format::CatboostJson),
        Keys { tree_info: Some(_), .. } => Err(Error::NotAModel(
            "this is LightGBM's JSON dump, which lacks what prediction needs; save the model with save_model"
                .to_owned(),
        )),
        _ => Err(Error::NotAModel(
            "this is JSON without \"learner\" (XGBoost) or \"features_info\" (CatBoost), so it is no model"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_lacks_are_spelled_otherwise() {
        let given = br#"{"NaN":[NaN,-Infinity,Infinity,-1],"a\"N":"-Infinity"}"#;
        let expected = br#"{"NaN":[null,"-Infinity","Infinity",-1],"a\"N":"-Infinity"}"#;
        assert_eq!(plain_json(given).as_ref(), expected);
        for bytes in [b"{\"a\\".as_slice(), b"N", b"-"] {
            assert_eq!(plain_json(bytes), Cow::Borrowed(bytes));
        }
    }

    #[test]
    fn files_are_told_apart_by_how_they_begin() {
        let cases: [(&[u8], Result<Format, &str>); 10] = [
            (b"{\"learner\":{}}", Ok(Format::XgboostJson)),
            (b"{L\0\0", Ok(Format::XgboostUbj)),
            (b"tree\nversion=v4\n", Ok(Format::LightgbmText)),
            (b" {\"features_info\": {}}", Ok(Format::CatboostJson)),
            (b"\x08\x08", Ok(Format::Onnx)),
            (b"", Err("the file is empty")),
            (b"\x80\x04\x95", Err("this is a pickle, which is Python code")),
            (b"{\"a\":1}", Err("this is JSON without")),
            (b"{\"a\":", Err("this is no sound JSON: EOF while parsing")),
            (b"hello", Err("this is no model file that is known here")),
        ];
        for (bytes, expected) in cases {
            match (detect(bytes), expected) {
                (Ok(given), Ok(expected)) => assert_eq!(given, expected),
                (Err(error), Err(expected)) => assert!(error.to_string().starts_with(expected), "{error}"),
                (given, _) => panic!("{bytes:?}: {given:?}"),
            }
        }
    }
}
