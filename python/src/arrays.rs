//! Arrays that share the memory of Python's: the Arrow C stream interface and the buffer protocol.
//!
//! All code of this crate that is unsafe stands here.
#![allow(unsafe_code, reason = "both interfaces hand over pointers")]

use std::panic::RefUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, Float64Array, PrimitiveArray, RecordBatch, RecordBatchReader};
use arrow_buffer::{ArrowNativeType, Buffer, ScalarBuffer};
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::buffer::{Element, PyBuffer, PyUntypedBuffer};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};

use crate::error::{Class, Failure};
use crate::watch::unlocked;

/// All batches of a capsule that `__arrow_c_stream__` has made. Its producer may compute while it is read, so the
/// interpreter's lock is released.
///
/// # Errors
/// What the producer says; `what` names the table.
pub fn batches(
    py: Python<'_>,
    capsule: &Bound<'_, PyCapsule>,
    what: &str,
) -> PyResult<(SchemaRef, Vec<RecordBatch>)> {
    let failed = |error: ArrowError| {
        let text = error.to_string();
        let text = text.trim_start_matches("C Data interface error: ").trim();
        let remedy = "look at the column that it names, or give the columns as a dict of arrays";
        Failure::new(Class::Table, format!("{what} cannot be read as an Arrow stream: {text}; {remedy}"))
    };
    let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds a valid stream (Arrow's PyCapsule interface). It is moved out, and the capsule
    // finds a released one when it is destroyed.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    unlocked(py, || {
        let reader = ArrowArrayStreamReader::try_new(stream).map_err(failed)?;
        let schema = reader.schema();
        Ok((schema, reader.collect::<Result<Vec<_>, _>>().map_err(failed)?))
    })
}

/// The numbers of an object with the buffer protocol, shared where they lie one after the other. `None` where they are of
/// no type that a table has. One dimension was looked for before.
///
/// # Errors
/// An object without the protocol.
pub fn numbers(values: &Bound<'_, PyAny>) -> PyResult<Option<ArrayRef>> {
    fn of<'py, T>(values: &Bound<'py, PyAny>) -> Option<PyResult<ArrayRef>>
    where
        T: ArrowPrimitiveType,
        T::Native: Element + ArrowNativeType + RefUnwindSafe,
    {
        let buffer = PyBuffer::<T::Native>::get(values).ok()?;
        let array = native::<T::Native>(values.py(), buffer);
        Some(array.map(|values| Arc::new(PrimitiveArray::<T>::new(values, None)) as ArrayRef))
    }
    let is_empty = PyUntypedBuffer::get(values)?.item_count() == 0;
    of::<Float64Type>(values)
        .or_else(|| of::<Int64Type>(values))
        .or_else(|| of::<Float32Type>(values))
        .or_else(|| of::<Int32Type>(values))
        .or_else(|| of::<Int16Type>(values))
        .or_else(|| of::<Int8Type>(values))
        .or_else(|| of::<UInt8Type>(values))
        .or_else(|| of::<UInt16Type>(values))
        .or_else(|| of::<UInt32Type>(values))
        .or_else(|| of::<UInt64Type>(values))
        // An empty view may lie anywhere, and a typed one may not.
        .or_else(|| is_empty.then(|| Ok(Arc::new(Float64Array::new_null(0)) as ArrayRef)))
        .transpose()
}

fn native<T: Element + ArrowNativeType + RefUnwindSafe>(
    py: Python<'_>,
    buffer: PyBuffer<T>,
) -> PyResult<ScalarBuffer<T>> {
    let slice = buffer.as_slice_ptr().filter(|slice| slice.cast::<T>().is_aligned());
    let Some(slice) = slice.filter(|slice| !slice.is_empty()) else {
        return Ok(buffer.to_vec(py)?.into());
    };
    let (start, bytes): (NonNull<u8>, usize) = (slice.cast(), slice.len() * size_of::<T>());
    // SAFETY: the view keeps its memory where it is and as large, and the array keeps the view. Another thread of Python
    // may write numbers into it meanwhile, as into every array that is lent to a library; any bits are a number.
    let buffer = unsafe { Buffer::from_custom_allocation(start, bytes, Arc::new(buffer)) };
    Ok(ScalarBuffer::new(buffer, 0, slice.len()))
}
