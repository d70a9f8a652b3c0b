//! Whether a [`DatasetSpec`] makes sense: every name refers to something and every type has a use.

use crate::column_type::ColumnType;
use crate::error::Error;
use crate::problem::nearest;
use crate::snapshot::dated::Span;
use crate::snapshot::expectations::problems;
use crate::snapshot::label::Label;
use crate::snapshot::spec::{DatasetSpec, TableSpec};

impl DatasetSpec {
    /// Checks that every name refers to something and every expectation makes sense.
    ///
    /// # Errors
    /// [`Error::Spec`] with all contradictions, each naming the key, the value and the likely remedy.
    pub fn validate(&self) -> Result<(), Error> {
        let mut problems = self.check_dates();
        let epochs = self.epochs();
        let found: Vec<Vec<String>> = epochs.iter().map(|epoch| self.at(epoch.first).problems()).collect();
        for (place, of_epoch) in found.iter().enumerate() {
            for problem in of_epoch {
                let is_told = found[..place].iter().any(|earlier| earlier.contains(problem));
                let is_of_all = found.iter().all(|other| other.contains(problem));
                // A problem of some dates alone says of which.
                match (&epochs[place].since, epochs.get(place + 1).and_then(|next| next.since.as_ref())) {
                    _ if is_told => {}
                    (Some(since), _) => problems.push(format!("{since}: {problem}")),
                    (None, Some(next)) if !is_of_all => {
                        problems.push(format!("until it changes {next}: {problem}"))
                    }
                    (None, _) => problems.push(problem.clone()),
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Spec(problems)) }
    }

    /// What is wrong with the dates of tables and columns.
    fn check_dates(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, table) in &self.tables {
            if table.span().is_empty() {
                problems.push(format!("tables.{name}: until is before since ({})", table.span()));
            }
            for (column, forms) in &table.columns {
                let spans: Vec<Span> = forms.all().iter().map(|form| form.span()).collect();
                let of = format!("tables.{name}.columns.{column}");
                for span in spans.iter().filter(|span| span.is_empty()) {
                    problems.push(format!("{of}: until is before since ({span})"));
                }
                for pair in spans.windows(2) {
                    let follows = pair[0].until.zip(pair[1].since).is_some();
                    if !follows || pair[0].overlaps(&pair[1]) {
                        problems.push(format!(
                            "{of}: a form {} is followed by one {}; a form needs an until before the since of the next",
                            pair[0], pair[1]
                        ));
                    }
                }
            }
        }
        problems
    }

    /// What is wrong with it at a date at which all of it is there.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, table) in &self.tables {
            self.check_table(name, table, &mut problems);
        }
        self.check_entity(&mut problems);
        self.check_label(&mut problems);
        self.check_features(&mut problems);
        problems
    }

    fn check_table(&self, name: &str, table: &TableSpec, problems: &mut Vec<String>) {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !plain || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.len() > 100 {
            problems.push(format!(
                "tables.{name}: a table name is a letter followed by letters, digits, _ or -, because it names a directory"
            ));
        }
        for column in self.entity.columns() {
            let part = if self.entity.single().is_some() { "the entity" } else { "a part of the entity" };
            match table.columns.get(column) {
                None => problems.push(format!(
                    "tables.{name}.columns has no {column}, {part}{}",
                    hint(column, table.columns.keys())
                )),
                Some(found)
                    if !matches!(found.last().column_type, ColumnType::String | ColumnType::Integer) =>
                {
                    problems.push(format!(
                        "tables.{name}.columns.{column}: {part} is {}; expected string or integer",
                        found.last().column_type.name()
                    ));
                }
                Some(_) => {}
            }
        }
        for (index, expectation) in table.expectations.iter().enumerate() {
            if expectation.table.is_some() && self.entity.single().is_none() {
                problems.push(format!(
                    "tables.{name}.expectations[{index}]: {} looks for entities in one column, and the entity has several \
                     ({}); remove it",
                    expectation.expect, self.entity
                ));
            }
            for problem in problems::of_expectation(expectation, name, table, &self.entity_table) {
                problems.push(format!("tables.{name}.expectations[{index}]: {problem}"));
            }
        }
    }

    fn check_entity(&self, problems: &mut Vec<String>) {
        if self.tables.is_empty() {
            problems.push(
                "tables is empty; expected one [dataset.tables.NAME.columns] for each file of a drop"
                    .to_string(),
            );
        } else if !self.tables.contains_key(&self.entity_table) {
            problems.push(format!(
                "entity_table = {:?} is not a table{}",
                self.entity_table,
                hint(&self.entity_table, self.tables.keys())
            ));
        }
        for column in self.entity.columns() {
            let types = self.tables.values().filter_map(|table| table.columns.get(column));
            let mut types = types.map(|found| found.last().column_type);
            if let Some(first) = types.next()
                && types.any(|other| other != first)
            {
                problems.push(format!(
                    "the entity {column} has different types in different tables; expected one"
                ));
            }
        }
    }

    fn check_label(&self, problems: &mut Vec<String>) {
        let Label { table, column, .. } = &self.label;
        let Some(spec) = self.tables.get(table) else {
            problems
                .push(format!("label.table = {table:?} is not a table{}", hint(table, self.tables.keys())));
            return;
        };
        match spec.columns.get(column) {
            None => problems.push(format!(
                "label.column = {column:?} is not a column of {table}{}",
                hint(column, spec.columns.keys())
            )),
            Some(spec) => problems.extend(
                self.label
                    .problems(spec.last().column_type)
                    .into_iter()
                    .map(|found| format!("label.{found}")),
            ),
        }
    }

    fn check_features(&self, problems: &mut Vec<String>) {
        if self.features.is_empty() {
            problems.push("features is empty; expected the columns that the model sees".to_string());
        }
        for (index, feature) in self.features.iter().enumerate() {
            if self.features[..index].contains(feature) {
                problems.push(format!("features lists {feature:?} twice"));
                continue;
            }
            if self.entity.has(feature) {
                problems.push(match self.entity.single() {
                    Some(_) => format!(
                        "features lists the entity {feature:?}, from which a model only learns names"
                    ),
                    None => format!(
                        "features lists {feature:?}, a part of the entity; a model that is to learn from it takes a copy \
                         of the column under another name"
                    ),
                });
                continue;
            }
            let holders: Vec<_> =
                self.tables.iter().filter(|(_, table)| table.columns.contains_key(feature)).collect();
            match holders.as_slice() {
                [] => {
                    let columns = self.tables.values().flat_map(|table| table.columns.keys());
                    problems.push(format!(
                        "features lists {feature:?}, which no table has{}",
                        hint(feature, columns)
                    ));
                }
                [(name, table)] => self.check_feature(feature, name, table, problems),
                several => {
                    let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                    problems.push(format!(
                        "features lists {feature:?}, which is a column of {}; rename all but one",
                        names.join(" and ")
                    ));
                }
            }
        }
    }

    fn check_feature(&self, feature: &str, name: &str, table: &TableSpec, problems: &mut Vec<String>) {
        if name == self.label.table && feature == self.label.column {
            problems.push(format!("features lists the label {feature:?}"));
        } else if table.columns[feature].last().column_type == ColumnType::Date {
            problems.push(format!(
                "features lists {feature:?}, a date; a model takes numbers, booleans and text"
            ));
        }
    }
}

fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a String>) -> String {
    match nearest(name, candidates.into_iter().map(String::as_str)) {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None => String::new(),
    }
}
