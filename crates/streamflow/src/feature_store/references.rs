//! The features that are read from Feast's own tables: by view, as each view has a table or a time of its own.

use std::sync::Arc;

/// A view with the features of it that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its features, each with its place among all that are read.
    pub features: Vec<(Arc<str>, usize)>,
}

/// The views of references such as `VIEW:FEATURE`, in the order in which they first occur.
pub fn views(references: &[String]) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    let pairs = references.iter().filter_map(|reference| reference.split_once(':'));
    for (place, (view, feature)) in pairs.enumerate() {
        let feature = (Arc::from(feature), place);
        match views.iter_mut().find(|known| known.name == view) {
            Some(known) => known.features.push(feature),
            None => views.push(View { name: view.to_owned(), features: vec![feature] }),
        }
    }
    views
}

/// The names of the features, in their order.
pub fn names(references: &[String]) -> Vec<Arc<str>> {
    references
        .iter()
        .filter_map(|reference| reference.split_once(':'))
        .map(|(_, name)| Arc::from(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_put_together_by_view() {
        let references = ["a:x", "b:y", "a:z"].map(str::to_owned);
        let views = views(&references);
        assert_eq!(views.iter().map(|view| view.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(views[0].features, [("x".into(), 0), ("z".into(), 2)]);
        assert_eq!(names(&references), ["x".into(), "y".into(), "z".into()] as [Arc<str>; 3]);
    }
}
