//! Which column of a table each feature is taken from.

use std::collections::HashMap;

use crate::Error;

/// The names of a table's columns.
#[derive(Debug)]
pub struct Columns<'a> {
    /// The first place of each name, and whether there is another one.
    by_name: HashMap<&'a str, (usize, bool)>,
}

impl<'a> Columns<'a> {
    /// The columns with these names, in their order.
    pub fn new(names: &[&'a str]) -> Self {
        let mut by_name: HashMap<&str, (usize, bool)> = HashMap::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            by_name.entry(name).and_modify(|(_, is_twice)| *is_twice = true).or_insert((place, false));
        }
        Self { by_name }
    }

    /// The place of a column; none where no column has the name.
    ///
    /// # Errors
    /// [`Error::TwiceNamed`] where several columns have it.
    pub fn find(&self, name: &str) -> Result<Option<usize>, Error> {
        match self.by_name.get(name) {
            Some((_, true)) => Err(Error::TwiceNamed { column: name.to_owned() }),
            found => Ok(found.map(|(place, _)| *place)),
        }
    }

    /// The place of a column whose name has `_` in the feature where it has blanks itself.
    fn find_without_blanks(&self, feature: &str) -> Result<Option<usize>, Error> {
        let is_it = |name: &str| {
            name.len() == feature.len()
                && name.bytes().zip(feature.bytes()).all(|(a, b)| a == b || a == b' ' && b == b'_')
        };
        let mut found = self.by_name.keys().filter(|name| is_it(name));
        match (found.next(), found.next()) {
            (Some(name), None) => self.find(name),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Error::TwiceNamed { column: feature.to_owned() }),
        }
    }
}

/// The column of each feature: the one that is given for it, else the one that has its name.
///
/// `given` has for each feature the column that somebody names for it, or is empty. A column that is given for a feature is
/// not found by its name for another one.
///
/// # Errors
/// [`Error::MissingFeature`], [`Error::TakenColumn`], [`Error::TwiceNamed`].
pub fn columns(
    features: &[&str],
    names: &[&str],
    given: &[Option<usize>],
    has_underscores: bool,
) -> Result<Vec<usize>, Error> {
    let columns = Columns::new(names);
    let taker = |place: usize| given.iter().position(|taken| *taken == Some(place));
    let find = |(at, feature): (usize, &&str)| {
        if let Some(place) = given.get(at).copied().flatten() {
            return Ok(place);
        }
        let found = match columns.find(feature)? {
            None if has_underscores => columns.find_without_blanks(feature)?,
            found => found,
        };
        let feature = (*feature).to_owned();
        match found.map(|place| (place, taker(place))) {
            Some((place, None)) => Ok(place),
            Some((place, Some(taker))) => {
                let (column, taker) = (names[place].to_owned(), features[taker].to_owned());
                Err(Error::TakenColumn { feature, column, taker })
            }
            None => Err(Error::MissingFeature { feature, expected: expected(features) }),
        }
    };
    features.iter().enumerate().map(find).collect()
}

/// The features, as the end of a sentence.
fn expected(features: &[&str]) -> String {
    const SHOWN: usize = 12;
    let more = if features.len() > SHOWN { ", …" } else { "" };
    format!("{} features: {}{more}", features.len(), features[..features.len().min(SHOWN)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str], given: &[Option<usize>]) -> Result<Vec<usize>, String> {
        columns(&["hours", "plan_tv"], names, given, true).map_err(|error| error.to_string())
    }

    #[test]
    fn a_column_that_is_given_comes_before_the_one_of_the_name_whatever_their_order() {
        assert_eq!(of(&["new", "hours", "plan_tv"], &[Some(0), None]), Ok(vec![0, 2]));
        assert_eq!(of(&["hours", "plan_tv", "new"], &[Some(2), None]), Ok(vec![2, 1]));
        assert_eq!(of(&["hours", "plan tv"], &[]), Ok(vec![0, 1]));
        assert_eq!(of(&["plan_tv", "hours"], &[Some(0), Some(1)]), Ok(vec![0, 1]));
    }

    #[test]
    fn a_name_of_two_columns_and_a_column_that_is_taken_are_refused_by_name() {
        let twice = "the table has several columns with the name \"hours\"; rename or drop all but one";
        assert_eq!(of(&["hours", "hours", "plan_tv"], &[]), Err(twice.to_owned()));
        assert_eq!(of(&["hours", "plan_tv", "other", "other"], &[]), Ok(vec![0, 1]));
        let error = of(&["hours", "plan_tv"], &[Some(1), None]).unwrap_err();
        let taken = "the column \"plan_tv\" is taken for the feature \"hours\", and the feature \"plan_tv\" has no other";
        assert!(error.starts_with(taken), "{error}");
        let missing = "feature \"hours\" is missing; the model takes 2 features: hours, plan_tv";
        assert_eq!(of(&["a", "plan_tv"], &[]), Err(missing.to_owned()));
        assert!(of(&["hours", "plan tv", "plan tv"], &[]).unwrap_err().contains("\"plan tv\""));
    }
}
