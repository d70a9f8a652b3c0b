//! The part of the report that says how right the model was.
