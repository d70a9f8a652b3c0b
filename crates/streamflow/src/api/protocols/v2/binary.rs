//! The binary tensor extension: after the JSON come the values of tensors as bytes, in the order of the tensors.

use axum::http::{HeaderMap, HeaderName};

use crate::api::error::ApiError;

/// The length of the JSON before the bytes.
pub const HEADER_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// The JSON of a body, and the bytes behind it where the request says that there are some.
///
/// # Errors
/// A length that is no number or beyond the body.
pub fn parts<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), ApiError> {
    let Some(length) = headers.get(HEADER_LENGTH) else { return Ok((body, None)) };
    let length = length.to_str().ok().and_then(|text| text.trim().parse::<usize>().ok());
    let parts = length.and_then(|length| body.split_at_checked(length));
    let (json, raw) = parts.ok_or_else(|| {
        ApiError::Input(format!(
            "Inference-Header-Content-Length is no length of JSON within the body of {} bytes",
            body.len()
        ))
    })?;
    Ok((json, Some(raw)))
}

/// The bytes of tensors that are still to be read.
#[derive(Debug, Default)]
pub struct Raw<'a>(pub Option<&'a [u8]>);

impl<'a> Raw<'a> {
    /// The next tensor's bytes.
    ///
    /// # Errors
    /// There are not as many.
    pub fn take(&mut self, size_bytes: usize) -> Result<&'a [u8], String> {
        let left = self.0.ok_or(
            "binary_data_size needs the header Inference-Header-Content-Length, which says where the bytes begin",
        )?;
        let (taken, rest) = left
            .split_at_checked(size_bytes)
            .ok_or_else(|| format!("binary_data_size is {size_bytes} and {} bytes are left", left.len()))?;
        self.0 = Some(rest);
        Ok(taken)
    }

    /// # Errors
    /// Bytes that belong to no tensor.
    pub fn end(&self) -> Result<(), ApiError> {
        match self.0 {
            Some(rest) if !rest.is_empty() => Err(ApiError::Input(format!(
                "{} bytes after the JSON belong to no input; each names its own with binary_data_size",
                rest.len()
            ))),
            _ => Ok(()),
        }
    }
}
